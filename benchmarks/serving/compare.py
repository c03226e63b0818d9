"""Measure everybody, round after round. In each round a contestant starts afresh and is alone on its core; the order turns."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.serving import load
from benchmarks.serving.asking import Wrong, check
from benchmarks.serving.contestants.kind import Contestant, Place, Started
from benchmarks.serving.dialects import Dialect
from benchmarks.serving.environments import Absent
from benchmarks.serving.machine import busy, cores
from benchmarks.serving.models import Served

BODIES = 50  # different rows
_STARTS = 90.0  # seconds until the first right answer
_WARM = 1.0  # seconds of load that nobody counts
_DELIVERY = 3.0  # seconds until the evidence of the last answers has come in


@dataclass(frozen=True, slots=True)
class Plan:
    models: tuple[Served, ...]
    contestants: tuple[Contestant, ...]
    connections: tuple[int, ...]
    seconds: float
    repetitions: int
    cache: Path


@dataclass(frozen=True, slots=True)
class Run:
    """One contestant under one load in one round.

    processor: seconds that the server computed for each answer; it tells less of the machine's other work than `rate` does.
    memory: bytes, after the load of all connections. difference: the largest from scikit-learn's own probabilities.
    others: the share of the server's core that other work took meanwhile; None where it is not pinned to one.
    """

    contestant: str
    model: str
    repetition: int
    connections: int
    rate: float
    p50: float
    p99: float
    failed: int
    processor: float
    memory: int
    difference: float
    others: float | None = None


class Loaded(NamedTuple):
    """What wrk saw, and `processor` and `others` of a Run."""

    seen: load.Measured
    processor: float
    others: float | None


@dataclass(frozen=True, slots=True)
class Missing:
    """A contestant that was to be measured and was not, and why."""

    contestant: str
    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class Compared:
    runs: tuple[Run, ...]
    missing: tuple[Missing, ...]


def compare(plan: Plan) -> Compared:
    """One that is missing in one round is not tried again: a figure from fewer rounds would look like the others."""
    runs: list[Run] = []
    missing: dict[tuple[str, str], Missing] = {}
    for repetition in range(plan.repetitions):
        for model in plan.models:
            for contestant in _turned(plan.contestants, repetition):
                if not contestant.takes(model) or (contestant.name, model.name) in missing:
                    continue
                try:
                    runs += _measured(plan, contestant, model, repetition)
                except (Absent, Wrong, OSError) as reason:
                    said = f"round {repetition + 1}: {reason}" if repetition else str(reason)
                    missing[contestant.name, model.name] = Missing(contestant.name, model.name, said)
                    print(f"· {contestant.title}, {model.name}: not measured: {said}", flush=True)
    kept = tuple(run for run in runs if (run.contestant, run.model) not in missing)
    return Compared(kept, tuple(missing.values()))


def _turned(contestants: Sequence[Contestant], by: int) -> list[Contestant]:
    """Each round begins with another: whatever grows over a round is not always the same one's burden."""
    start = (by * max(1, len(contestants) // 3)) % max(1, len(contestants))
    return [*contestants[start:], *contestants[:start]]


def _measured(plan: Plan, contestant: Contestant, model: Served, repetition: int) -> list[Run]:
    dialect = contestant.dialect(model)
    asked = [model.rows(BODIES).iloc[[number]] for number in range(BODIES)]
    shots = [dialect.shot(rows) for rows in asked]
    with tempfile.TemporaryDirectory() as folder, started(contestant, Place(Path(folder), plan.cache, model), dialect) as running:
        difference = check(running.port, model, dialect, asked)
        load.run(running.port, shots, 16, _WARM)
        measured = [loaded(running, shots, connections, plan.seconds) for connections in plan.connections]
        memory = running.server.memory()
        _check_evidence(running)
    runs = [
        Run(
            contestant.name,
            model.name,
            repetition,
            connections,
            one.seen.rate,
            one.seen.p50,
            one.seen.p99,
            one.seen.failed,
            one.processor,
            memory,
            difference,
            one.others,
        )
        for connections, one in zip(plan.connections, measured, strict=True)
    ]
    rates = " ".join(f"{run.rate:>8.0f}" for run in runs)
    print(f"  {repetition + 1} {model.name:<8} {contestant.title:<28} {rates}  {memory >> 20:>5} MB", flush=True)
    return runs


def loaded(started: Started, shots: Sequence[load.Shot], connections: int, seconds: float) -> Loaded:
    core, begun = cores().server, time.monotonic()
    worked, spent = 0.0 if core is None else busy(core), started.server.processor_time()
    seen = load.run(started.port, shots, connections, seconds)
    spent = started.server.processor_time() - spent
    others = None if core is None else max(0.0, busy(core) - worked - spent) / (time.monotonic() - begun)
    return Loaded(seen, spent / max(1, seen.answers), others)


@contextmanager
def started(contestant: Contestant, place: Place, dialect: Dialect) -> Iterator[Started]:
    """One that answers rightly."""
    first = [place.model.rows(1)]

    def answers() -> bool:
        try:
            check(running.port, place.model, dialect, first)
        except Wrong as wrong:
            said.append(str(wrong))
            return False
        return True

    said: list[str] = []
    with contestant.start(place) as running:
        try:
            running.server.wait(answers, _STARTS)
        except Absent as absent:
            raise Absent(f"{said[-1]}; {absent}" if said else str(absent)) from absent
        yield running


def _check_evidence(started: Started) -> None:
    """Lockgate's figures count only if it did all its work: evidence, about 10 % of it the canary's, and a record of each answer.

    Raises:
        Wrong: it did not.
    """
    if started.plane is None:
        return
    control, until = started.plane.control, time.monotonic() + _DELIVERY
    while time.monotonic() < until and control.records < control.completed.total():
        time.sleep(0.1)
    total = control.completed.total()
    share = control.completed[2] / max(1, total)
    if not 0.05 < share < 0.15 or control.records < total or control.failures.total() or control.unassigned:
        raise Wrong(
            f"of {total} answers {share:.1%} are the canary's, {control.records} are recorded, {control.failures.total()} failed,"
            f" {control.unassigned} were not assigned; 10 % of 1,000 users, all, none and none expected"
        )
