"""Which records count for what is remembered of a version: those that somebody got an answer from, and what they still hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lockgate.boundary.records import Record
from lockgate.boundary.routes import LabelEvent, Revision
from lockgate.domain.findings import Finding, FindingKind
from lockgate.stages.watch import memory as memories
from lockgate.stages.watch.memory import Memory
from lockgate.stages.watch.reference import learn
from lockgate.stages.watch.spec import WatchSpec
from lockgate.testing.clock import START

WINDOW = 500
SPEC = WatchSpec.model_validate({"drift": {"window": WINDOW, "persistence": 1}})
RANDOM = np.random.default_rng(5)
REFERENCE = learn(
    {"hour": RANDOM.normal(12, 4, 20_000), "distance": RANDOM.normal(900, 200, 20_000)},
    RANDOM.beta(2, 6, 5000),
    np.zeros(5000),
    LabelEvent("missed", 0.5),
)


def record(rows: int = WINDOW, *, hour: float | None = 12.0, **fields: Any) -> Record:
    """One request. hour: around which its hours lie; None: redacted."""
    hours = None if hour is None else RANDOM.normal(hour, 4, rows).tolist()
    inputs = {"hour": hours, "distance": RANDOM.normal(900, 200, rows).tolist()}
    return Record((), "m", 1, Revision(0, 1), START.timestamp(), inputs, tuple(RANDOM.beta(2, 6, rows).tolist()), **fields)


def watch(*records: Record, memory: Memory | None = None) -> tuple[Memory, tuple[Finding, ...]]:
    return memories.watch(memory or memories.begin(SPEC), REFERENCE, SPEC, records, (), ("m", 1), START)


def features(findings: tuple[Finding, ...]) -> list[Any]:
    return [one.measured["features"] for one in findings]


def answered(memory: Memory) -> int:
    return sum(cohort.answered for cohort in memory.performance.cohorts.values())


@pytest.mark.parametrize("nobody_got_it", [{"shadow": True, "pair": "p1"}, {"failure": "aborted: its worker was killed"}])
def test_what_nobody_got_counts_neither_for_drift_nor_for_coverage(nobody_got_it: dict[str, Any]) -> None:
    usual, _ = watch(record())
    after, found = watch(record(hour=30.0, **nobody_got_it), memory=usual)
    assert (found, after.rows, answered(after), after.drift) == ((), WINDOW, WINDOW, usual.drift)


def test_a_feature_that_is_redacted_is_neither_missing_nor_judged() -> None:
    after, found = watch(record(hour=None), record(hour=None))
    assert (found, set(after.drift.last)) == ((), {"distance", "(predictions)"})
    assert after.drift.judged == 2


def test_a_window_in_which_redaction_began_or_ended_says_nothing_of_the_feature() -> None:
    for one, other in ((30.0, None), (None, 30.0)):
        memory, _ = watch(record(WINDOW // 2, hour=one))
        after, found = watch(record(WINDOW // 2, hour=other), memory=memory)
        assert (found, after.drift.judged, set(after.drift.last)) == ((), 1, {"distance", "(predictions)"})
    later, found = watch(record(hour=30.0), memory=after)
    assert features(found) == [["hour"]]
    assert later.drift.judged == 2


def test_a_drift_does_not_stand_once_its_feature_is_redacted() -> None:
    drifting, found = watch(record(hour=30.0))
    assert [(one.kind, one.measured["features"]) for one in found] == [(FindingKind.DRIFT, ["hour"])]
    assert drifting.standing
    after, found = watch(record(hour=None), memory=drifting)
    assert (found, after.standing, after.status["drift"]["verdict"]) == ((), {}, "QUIET")
