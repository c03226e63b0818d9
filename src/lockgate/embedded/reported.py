"""A model that reports what it answers: what a wheel's `report_to` gives.

    reported = report_to(model, "https://lockgate.example", token)
    answer = reported.answer({"carrier": "UA", "hour": 18})       # version, scores, an id for each row
    reported.label(answer.prediction_ids[0], 1)                    # when the truth is known

No table assigned these requests to the version, so they are for people, the watch on drift and the labels; no rollout is judged
by them. What may be judged is a choice between versions: see embedded.pair.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

from lockgate.embedded.columns import columns_of
from lockgate.embedded.reporter import Reporter
from lockgate.embedded.tallies import Tally
from lockgate.embedded.telling import kind_of, listed
from lockgate.kernel.errors import InvalidInput, LockgateError


class AnyModel(Protocol):
    """As embedded.Model."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def signature(self) -> Any: ...
    def predict(self, rows: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """scores: as `predict` gives them. prediction_ids: one for each row, for its label; none where nothing is reported.
    fallback: the champion answered, because the version that was assigned failed.
    """

    version: int
    scores: Any
    prediction_ids: tuple[str, ...] = ()
    fallback: bool = False


class Reported:
    """redact: inputs that no record keeps. timer: seconds, on a clock that never jumps."""

    def __init__(
        self, model: AnyModel, reporter: Reporter, *, redact: Sequence[str] = (), timer: Callable[[], float] = perf_counter
    ) -> None:
        self.model = model
        self.reporter = reporter
        self._tally = Tally(model.name, model.version, redacted=tuple(redact))
        self._names = input_names(model)
        self._timer = timer

    def predict(self, rows: Any) -> Any:
        """The judged score, as the model gives it. Raises as it does."""
        return self.answer(rows).scores

    def answer(self, rows: Any) -> Answer:
        """The same, with ids for labels. What the model's signature refuses is its caller's fault, and not reported."""
        begun = self._timer()
        try:
            scores = self.model.predict(rows)
        except InvalidInput:
            raise
        except LockgateError as error:
            self.reporter.failed(self._tally, 0, kind_of(error), columns_of(rows, self._names), chosen=True)
            raise
        seconds = self._timer() - begun
        columns = columns_of(rows, self._names)
        ids = self.reporter.answered(self._tally, 0, seconds, listed(scores), columns, chosen=True)
        return Answer(self.model.version, scores, ids)

    def label(self, prediction_id: str, label: float, at: float | None = None) -> None:
        """See Reporter.label."""
        self.reporter.label(prediction_id, label, at)

    def __getattr__(self, name: str) -> Any:
        """All else is the model's."""
        return getattr(self.model, name)


def report_to(model: AnyModel, url: str, token: str, *, redact: Sequence[str] = (), **options: Any) -> Reported:
    """From now on, what this model answers is reported. options: those of Reporter.

    Raises:
        Invalid: the address is none that a token may be sent to.
    """

    def standing() -> dict[str, Any]:
        return {
            "channel": model.name,
            "host": reporter.host,
            "revision": (0, 0),
            "running": model.version,
            "ready": (model.version,),
        }

    reporter = Reporter(url, token, model.name, standing=standing, **options)
    return Reported(model, reporter, redact=redact)


def input_names(model: AnyModel) -> tuple[str, ...]:
    return tuple(tensor.name for tensor in model.signature.inputs)
