"""Requests of several callers in one run of the model, without sharing a fault: what one of them breaks, breaks for it alone.

If the model raises on a batch (or answers with another number of rows), the batch is halved until the request that it raises on
is alone: at most 2·log2 n runs more than the one that failed. Requests past their deadline are answered `timeout` without a run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import Invalid
from lockgate.runtimes.model import Array, Model, RuntimeFailure
from lockgate.serving.isolation.wire import FailureKind

_LONGEST_MESSAGE = 300


class Answered(NamedTuple):
    """seconds: the run's, in which other requests may have been answered too."""

    outputs: Sequence[Array]
    seconds: float


class Failed(NamedTuple):
    kind: FailureKind
    message: str
    seconds: float = 0.0


Result = Answered | Failed
OnResults = Callable[[Sequence[tuple["Work", Result]]], None]
LATE = Failed("timeout", "its deadline passed before the model was free")


@dataclass(frozen=True, slots=True)
class Work:
    """One request. shape: names, datatypes and lengths of its inputs without the rows; only equal ones share a run.

    arrived, deadline: on the clock of the batcher. reply: called once, in the event loop's thread.
    """

    feeds: Mapping[str, Array]
    shape: tuple[Any, ...]
    rows: int
    bytes: int
    arrived: float
    deadline: float
    reply: Callable[[Result], None]


def work_of(feeds: Mapping[str, Array], arrived: float, deadline: float, reply: Callable[[Result], None]) -> Work:
    """Raises Invalid if the inputs have no rows, or not the same number of them."""
    rows = {array.shape[0] if array.ndim else 0 for array in feeds.values()}
    if len(rows) != 1 or 0 in rows:
        raise Invalid(f"inputs of {sorted(rows)} rows found, the same number expected in all of them")
    shape = tuple((name, array.dtype, array.shape[1:]) for name, array in feeds.items())
    size = sum(array.nbytes for array in feeds.values())
    return Work(feeds, shape, rows.pop(), size, arrived, deadline, reply)


class Outcome(NamedTuple):
    """What a batch came to: seconds of its first run; whole: that run answered all; exhausted: memory ran out."""

    seconds: float = 0.0
    whole: bool = False
    exhausted: bool = False


class Runner:
    """Runs batches, in one thread. `on_results` gets the answers of each run as soon as they are there."""

    def __init__(self, model: Model, clock: Clock) -> None:
        self._model = model
        self._clock = clock
        self.busy_since: float | None = None  # when the run under way began; read by other threads

    def run(self, batch: Sequence[Work], on_results: OnResults) -> Outcome:
        """Answer every request of the batch."""
        runs: list[_Run] = []
        parts = [list(batch)]
        while parts:
            part = self._in_time(parts.pop(), on_results)
            if not part:
                continue
            run = self._attempt(part)
            runs.append(run)
            if run.results is None:
                half = len(part) // 2
                parts += [part[half:], part[:half]]
            else:
                on_results(list(zip(part, run.results, strict=True)))
        return Outcome(runs[0].seconds if runs else 0.0, len(runs) == 1, any(run.exhausted for run in runs))

    def _in_time(self, part: list[Work], on_results: OnResults) -> list[Work]:
        now = self._clock.monotonic()
        late = [(work, LATE) for work in part if work.deadline <= now]
        if late:
            on_results(late)
        return [work for work in part if work.deadline > now]

    def _attempt(self, part: Sequence[Work]) -> _Run:
        begun = self.busy_since = self._clock.monotonic()
        outputs: list[Array] = []
        failed: Failed | None = None
        exhausted = False
        try:
            outputs = [np.asarray(output) for output in self._model.run(_joined(part))]
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a model raises is that model's failure
            exhausted = out_of_memory(error)
            failed = _failed(error)
        finally:
            self.busy_since = None
        seconds = self._clock.monotonic() - begun
        if len(part) == 1:
            return _Run([failed or Answered(outputs, seconds)], seconds, exhausted)
        return _Run(None if failed else _split(part, outputs, seconds), seconds, exhausted)


class _Run(NamedTuple):
    """results: one for each request; None if the run failed and nobody knows whose fault it is."""

    results: Sequence[Result] | None
    seconds: float
    exhausted: bool


def _joined(part: Sequence[Work]) -> Mapping[str, Array]:
    if len(part) == 1:
        return part[0].feeds
    return {name: np.concatenate([work.feeds[name] for work in part]) for name in part[0].feeds}


def _split(part: Sequence[Work], outputs: Sequence[Array], seconds: float) -> list[Result] | None:
    """None if the outputs have not the rows of the inputs."""
    rows = sum(work.rows for work in part)
    if any(output.ndim == 0 or output.shape[0] != rows for output in outputs):
        return None
    results: list[Result] = []
    at = 0
    for work in part:
        results.append(Answered([output[at : at + work.rows] for output in outputs], seconds))
        at += work.rows
    return results


def out_of_memory(error: BaseException | None) -> bool:
    """Also where a runtime has put words of its own around it."""
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        error = error.__cause__
    return False


def _failed(error: BaseException) -> Failed:
    """What a process that lives can say of itself: that it crashed is not among it."""
    told = error.message if isinstance(error, RuntimeFailure) else f"{type(error).__name__}: {error}"
    first = (told.splitlines() or ["it gave no reason"])[0][:_LONGEST_MESSAGE]
    kind = error.kind if isinstance(error, RuntimeFailure) else "error"
    return Failed("output" if kind == "output" else "timeout" if kind == "timeout" else "error", first)
