"""A journal folded for people: nothing lost in the counts, short enough to draw, and the same however often one looks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.domain.evidence import ArmObservation, JournalRow, Observation
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.entrypoints.reading.progress import MOST_POINTS, Folds, evidence_at
from lockgate.ports.state import JOURNAL
from lockgate.testing.builders import journal_row
from lockgate.testing.clock import START
from lockgate.testing.state import MemoryState


def row(seq: int, *, step: int = 0, completed: int = 3, verdict: JudgeVerdict = JudgeVerdict.WAIT) -> JournalRow:
    canary = ArmObservation(
        completed=completed, failed=1, timed=2, exceeded=(1, 0), latency={100: completed}, labels=((seq, seq % 2),)
    )
    seen = Observation(0.1, canary, ArmObservation(completed=10 * completed, latency={90: 10 * completed}))
    evidence = {"harm": 0.1 * seq, "harm/errors": 0.2, "safe/errors@0": 1.0, "safe/errors@1": 2.0}
    at = START + timedelta(seconds=seq)
    return journal_row(seq=seq, at=at, step=step, observations=(seen,), verdict=verdict, evidence=evidence)


def keep(state: MemoryState, rows: list[JournalRow]) -> None:
    with state.write() as tx:
        tx.add_all(JOURNAL, rows)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 1500), min_size=1, max_size=4))
def test_looking_often_shows_the_same_as_looking_once(parts: list[int]) -> None:
    state, folds, seq = MemoryState(), Folds(), 0
    for part in parts:
        keep(state, [row(seq + index) for index in range(part)])
        seq += part
        with state.read() as tx:
            grown = folds.progress(tx, "rollout-1")
    with state.read() as tx:
        assert Folds().progress(tx, "rollout-1") == grown
    assert grown.rows == seq


def test_counts_are_exact_and_the_series_short() -> None:
    state = MemoryState()
    keep(state, [row(seq) for seq in range(5_000)])
    with state.read() as tx:
        progress = Folds().progress(tx, "rollout-1")
    assert progress.canary.completed == 15_000
    assert progress.baseline.completed == 150_000
    assert progress.canary.exceeded == (5_000, 0)
    assert (progress.canary.labelled, progress.canary.events) == (5_000, 2_500)
    assert progress.canary.latency == {100: 15_000}
    assert len(progress.points) <= 2 * MOST_POINTS + 1
    assert progress.points[0].at == START.timestamp()
    assert progress.points[-1].requests == 165_000
    assert [point.at for point in progress.points] == sorted({point.at for point in progress.points})


def test_turning_points_are_never_thinned_out() -> None:
    state = MemoryState()
    rows = [row(seq, step=0 if seq < 777 else 1) for seq in range(5_000)]
    rows[2_345] = row(2_345, step=1, verdict=JudgeVerdict.HARM)
    keep(state, rows)
    with state.read() as tx:
        points = Folds().progress(tx, "rollout-1").points
    turned = {point.at - START.timestamp() for point in points if point.turning}
    assert turned == {0, 777, 2_345, 2_346}


def test_safety_is_told_by_the_margins_of_the_step_under_way() -> None:
    assert evidence_at(row(1, step=-1))["safe/errors"] == 1.0
    assert evidence_at(row(1, step=1)) == {"harm": 0.1, "harm/errors": 0.2, "safe/errors": 2.0}


def test_what_else_is_told_keeps_its_name_whatever_stands_in_it() -> None:
    told = {"harm/segment.mail=a@0": 1.0, "harm/segment.mail=a@1": 2.0, "router": 3.0}
    assert evidence_at(replace(row(1, step=1), evidence=told | {"safe/errors@0": 4.0})) == told


def test_a_snapshot_does_not_change_when_the_journal_grows() -> None:
    state, folds = MemoryState(), Folds()
    keep(state, [row(1)])
    with state.read() as tx:
        before = folds.progress(tx, "rollout-1")
    keep(state, [row(2)])
    with state.read() as tx:
        after = folds.progress(tx, "rollout-1")
    assert (before.rows, before.canary.completed) == (1, 3)
    assert (after.rows, after.canary.completed) == (2, 6)
