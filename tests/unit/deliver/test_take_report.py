"""What others' machines report: taken once, kept apart by key, and unable to break a judge or the watch whatever it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.boundary.observations import Block, Cell, Feedback, Lesson, UnitOutcome
from lockgate.boundary.records import Record
from lockgate.boundary.reports import Report, Standing
from lockgate.boundary.routes import Revision, Thresholds
from lockgate.domain.rollouts import Phase
from lockgate.kernel.errors import InvalidInput, LockgateError, Refused, Unavailable
from lockgate.ports.state import CONSUMED, INBOX, LABELS, ROLLOUTS, SUBSCRIBERS
from lockgate.stages.deliver.judge import JudgeState
from lockgate.stages.deliver.reported import LATE
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import START, VirtualClock
from lockgate.testing.records import MemoryRecords
from lockgate.testing.state import MemoryState
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.find_things import rollout_by
from lockgate.usecases.forget_subscribers import forget_subscribers
from lockgate.usecases.take_report import HOME, Teller, take_report
from lockgate.usecases.world import World
from tests.journeys.one_traffic import MODEL, acknowledge, begun

NOW = START.timestamp()
ANYBODY = Teller(HOME, lambda _model: True)
ID = f"home.{'a' * 56}"


class Site:
    """A canary of version 2 under way, by user unless said otherwise."""

    def __init__(self, unit: str = "header:x-user-id") -> None:
        self.world = World(MemoryState(), MemoryArtifacts(), VirtualClock())
        self.records = MemoryRecords()
        self.rollout = begun(self.world, unit=unit).id
        self.judges = Judges()
        acknowledge(self.world)
        advance_rollouts(self.world, self.judges)
        with self.world.state.read() as tx:
            self.revision = Revision(0, rollout_by(tx, self.rollout).ramp[-1].n)

    def take(self, told: Report, teller: Teller = ANYBODY) -> None:
        take_report(self.world, self.records, teller, told)

    def turn(self) -> Any:
        acknowledge(self.world)
        advance_rollouts(self.world, self.judges)
        with self.world.state.read() as tx:
            return rollout_by(tx, self.rollout)

    def count(self, kind: Any) -> int:
        with self.world.state.read() as tx:
            return tx.count(kind)


def cell(site: Site, **fields: Any) -> Cell:
    """Three requests of three users to version 1."""
    units = tuple(UnitOutcome(key, 0) for key in (1, 2, 3))
    defaults = {"model": MODEL, "version": 1, "revision": site.revision, "completed": 3, "failures": {}, "latency": {170: 3}}
    return Cell(**{**defaults, "units": units, "first_at": NOW, "last_at": NOW, **fields})


def feedback(site: Site, **fields: Any) -> Feedback:
    defaults = {
        "prediction_id": ID,
        "model": MODEL,
        "version": 1,
        "revision": site.revision,
        "key": 1,
        "score": 0.5,
        "label": 1.0,
    }
    return Feedback(**{**defaults, "at": NOW, "answered_at": NOW, **fields})


def record(site: Site, **fields: Any) -> Record:
    defaults = {"prediction_ids": (ID,), "model": MODEL, "version": 1, "revision": site.revision, "answered_at": NOW}
    return Record(**{**defaults, "inputs": {"hour": [18]}, "scores": (0.5,), **fields})


def standing(**fields: Any) -> Standing:
    return Standing(**{"channel": f"{MODEL}@production", "host": "host-1", "revision": Revision(0, 1), "running": 1, **fields})


def report(*cells: Cell, sequence: int = 1, **fields: Any) -> Report:
    of_block = {name: fields.pop(name) for name in list(fields) if name in Block.__struct_fields__}
    defaults = {"worker": "subscriber/host-1", "incarnation": "0123456789abcdef", "opened_at": NOW, "closed_at": NOW}
    block = Block(**{**defaults, "sequence": sequence, "cells": cells, **of_block})
    return Report(block, **fields)


def test_a_report_comes_in_once_however_often_it_is_sent() -> None:
    site = Site()
    told = report(cell(site), feedback=(feedback(site),), records=(record(site),), standing=standing())
    for _ in range(3):
        site.take(told)
    site.turn()
    site.take(told)
    assert (site.count(INBOX), site.count(CONSUMED), site.count(LABELS), site.count(SUBSCRIBERS)) == (0, 1, 1, 1)
    assert [one.scores for one in site.records.read({}).records] == [(0.5,)]
    with site.world.state.read() as tx:
        (label,) = tx.find(LABELS)
        (known,) = tx.find(SUBSCRIBERS)
    assert (label.prediction_id, label.label) == (ID, 1.0)
    assert (known.model, known.standing, known.seen_at) == (MODEL, standing(), NOW)


def test_it_counts_as_a_gateways_would() -> None:
    site = Site()
    site.take(
        report(cell(site), cell(site, version=2, units=(UnitOutcome(9, 1),), completed=1, failures={"error": 1}, latency={}))
    )
    site.turn()
    judged = site.judges.state
    with site.world.state.read() as tx:
        state = judged(tx, rollout_by(tx, site.rollout))
    assert isinstance(state, JudgeState)
    assert (state.requests, state.exposed_requests, state.exposed_units) == (4, 1, 1)


def test_keys_are_kept_apart_though_they_use_one_name() -> None:
    site = Site()
    site.take(report(cell(site), sequence=1_000), Teller("aaaaaaaaaaaa", lambda _model: True))
    site.turn()
    site.take(report(cell(site), sequence=1), Teller("bbbbbbbbbbbb", lambda _model: True))
    assert site.count(INBOX) == 1  # the other's thousandth block is no reason to take it for a repetition


def test_a_key_speaks_of_its_own_models_only() -> None:
    site = Site()
    mine = Teller("aaaaaaaaaaaa", {"other"}.__contains__)
    parts: list[Report] = [
        report(cell(site)),
        report(aside=(cell(site),)),
        report(feedback=(feedback(site),)),
        report(records=(record(site),)),
        report(standing=standing()),
    ]
    for told in parts:
        with pytest.raises(Refused, match="may not report on 'm'"):
            site.take(told, mine)
    assert site.count(SUBSCRIBERS) == 0


WRONG: dict[str, tuple[Callable[[Site], Report], str]] = {
    "a worker's name": (lambda site: report(cell(site), worker="0"), "block.worker"),
    "a control character": (lambda site: report(cell(site), worker="embedded/a\nb"), "block.worker"),
    "no incarnation": (lambda site: report(cell(site), incarnation=""), "block.incarnation"),
    "a sequence too high": (lambda site: report(cell(site), sequence=2**31), "block.sequence"),
    "an old block": (lambda site: report(cell(site), opened_at=NOW - LATE - 1), "block.opened_at"),
    "one from tomorrow": (lambda site: report(cell(site), closed_at=NOW + 2 * 86400), "block.opened_at"),
    "lessons": (lambda site: report(cell(site), lessons=(Lesson("l", MODEL, 1, {}, (1.0,), NOW),)), "block.lessons"),
    "no such version": (lambda site: report(cell(site, version=9)), r"block.cells\[0\].version"),
    "a revision to come": (lambda site: report(cell(site, revision=Revision(0, 99))), r"block.cells\[0\].revision"),
    "an epoch to come": (lambda site: report(cell(site, revision=Revision(1, 0))), r"block.cells\[0\].revision"),
    "unassigned evidence": (lambda site: report(cell(site, revision=Revision())), r"block.cells\[0\].revision"),
    "too many failures": (lambda site: report(cell(site, failures={"error": 4}, latency={})), r"block.cells\[0\].completed"),
    "a negative count": (lambda site: report(cell(site, failures={"error": -1})), r"block.cells\[0\].completed"),
    "a count too high": (lambda site: report(cell(site, completed=2**40)), r"block.cells\[0\].completed"),
    "a bucket too high": (lambda site: report(cell(site, latency={10**9: 3})), r"block.cells\[0\].latency"),
    "units left out": (lambda site: report(cell(site, units=(UnitOutcome(1, 0),))), r"block.cells\[0\].units"),
    "no units": (lambda site: report(cell(site, units=())), r"block.cells\[0\].units"),
    "a key too long": (lambda site: report(cell(site, units=(UnitOutcome(2**64, 0),) * 3)), r"block.cells\[0\].units"),
    "unknown thresholds": (lambda site: report(cell(site, thresholds_id=7, exceeded=(1,))), r"block.cells\[0\].exceeded"),
    "unknown bins": (lambda site: report(cell(site, bins_id=7, bins=(3,))), r"block.cells\[0\].bins"),
    "a shadow": (lambda site: report(cell(site, shadow=True)), r"block.cells\[0\].shadow"),
    "another's id": (lambda site: report(feedback=(feedback(site, prediction_id=f"other.{'a' * 56}"),)), "prediction_id"),
    "a gateway's id": (lambda site: report(feedback=(feedback(site, prediction_id="a" * 56),)), "prediction_id"),
    "a label without end": (lambda site: report(feedback=(feedback(site, label=float("inf")),)), "label"),
    "a score that is none": (lambda site: report(records=(record(site, scores=(float("nan"),)),)), "scores"),
    "rows without scores": (lambda site: report(records=(record(site, scores=()),)), "scores"),
    "nested values": (lambda site: report(records=(record(site, inputs={"hour": [[1], [2]]}),)), "inputs"),
    "a number too long": (lambda site: report(records=(record(site, inputs={"hour": [10**400]}),)), "inputs"),
    "another host": (lambda _site: report(standing=standing(host="host-2")), "standing.host"),
    "another model": (lambda _site: report(standing=standing(channel="x@production")), "standing.channel"),
    "nothing": (lambda _site: report(), "nothing found"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_named_and_nothing_of_it_is_kept(wrong: str) -> None:
    site, (told, named) = Site(), WRONG[wrong]
    with pytest.raises(InvalidInput, match=named):
        site.take(told(site))
    assert (site.count(INBOX), site.count(SUBSCRIBERS)) == (0, 0)
    assert site.records.read({}).records == ()


@pytest.mark.parametrize(
    ("told", "named"),
    [
        (lambda site: report(*[cell(site, version=n) for n in range(513)]), "block.cells: 513 cells"),
        (lambda site: report(feedback=(feedback(site),) * 5_001), "block.feedback: 5001 labels"),
        (lambda site: report(records=(record(site),) * 5_001), "records: 5001 records"),
        (lambda site: report(records=tuple(record(site, version=n) for n in range(257))), "block: 257 versions"),
        (lambda site: report(records=tuple(record(site, model=f"m{n}") for n in range(17))), "block: 17 models"),
    ],
)
def test_what_is_too_much_is_refused_before_anybody_waits_for_it(told: Callable[[Site], Report], named: str) -> None:
    site = Site()
    with site.world.state.write(), pytest.raises(InvalidInput, match=named):  # another writer is at work
        site.take(told(site))


def test_while_nobody_takes_blocks_their_reporters_keep_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lockgate.usecases.take_report.MOST_WAITING", 1)
    site = Site()
    site.take(report(cell(site)))
    with pytest.raises(Unavailable, match="1 blocks wait for the controller"):
        site.take(report(cell(site), sequence=2))
    site.take(report(cell(site)))  # that one is there
    site.turn()
    site.take(report(cell(site), sequence=2))


def test_units_in_a_rollout_by_request_would_break_its_judge_and_are_refused() -> None:
    site = Site(unit="request")
    with pytest.raises(InvalidInput, match="by request, none expected"):
        site.take(report(cell(site)))
    site.take(report(cell(site, units=())))
    site.take(report(aside=(cell(site),), sequence=2))
    assert site.turn().phase is Phase.PROGRESSING


def test_exceedances_must_be_of_the_thresholds_in_force() -> None:
    site = Site()
    thresholds = Thresholds(5, (0.5, 0.95), (0.01, 0.02), (0.02, 0.03))
    with site.world.state.write() as tx:
        tx.put(ROLLOUTS, replace(rollout_by(tx, site.rollout), thresholds=thresholds))
    for id_, exceeded in ((5, (1,)), (4, (1, 0)), (0, (1, 0))):
        with pytest.raises(InvalidInput, match="exceeded"):
            site.take(report(cell(site, thresholds_id=id_, exceeded=exceeded)))
    site.take(report(cell(site, thresholds_id=5, exceeded=(1, 0))))


def test_a_clock_that_is_ahead_is_set_right() -> None:
    site = Site()
    ahead = NOW + 3600
    site.take(report(cell(site, last_at=ahead), records=(record(site, answered_at=ahead),), opened_at=ahead, closed_at=ahead))
    with site.world.state.read() as tx:
        (received,) = tx.find(INBOX)
    assert (received.block.opened_at, received.block.closed_at, received.block.cells[0].last_at) == (NOW, NOW, NOW)
    assert site.records.read({}).records[0].answered_at == NOW


def test_who_is_silent_for_long_is_forgotten_with_its_place_in_line() -> None:
    site = Site()
    site.take(report(cell(site)))
    site.turn()
    site.world.clock.advance(2 * LATE)  # type: ignore[attr-defined]
    assert forget_subscribers(site.world) == 0
    site.world.clock.advance(1.0)  # type: ignore[attr-defined]
    assert forget_subscribers(site.world) == 1
    assert (site.count(SUBSCRIBERS), site.count(CONSUMED)) == (0, 0)
    with pytest.raises(InvalidInput, match="opened_at"):
        site.take(report(cell(site)))  # what it sent before cannot count again


WILD = st.integers(-5, 2**65) | st.integers(-2, 6)
OTHERWISE: dict[str, st.SearchStrategy[Any]] = {
    "version": st.integers(0, 3),
    "completed": WILD,
    "failures": st.dictionaries(st.sampled_from(["error", "timeout", "X"]), WILD, max_size=2),
    "latency": st.dictionaries(WILD, WILD, max_size=3),
    "thresholds_id": st.integers(0, 3),
    "exceeded": st.lists(st.integers(0, 3), max_size=3).map(tuple),
    "units": st.lists(st.builds(UnitOutcome, WILD, WILD), max_size=3).map(tuple),
    "last_at": st.floats() | st.floats(NOW - 10, NOW + 10),
    "segment": st.sampled_from(["AA", "B" * 5000]),
    "bins_id": st.integers(0, 3),
    "bins": st.lists(st.integers(0, 3), max_size=3).map(tuple),
    "scores": st.dictionaries(st.integers(0, 300), st.integers(0, 3), max_size=2),
}


@st.composite
def cells(draw: st.DrawFn, site: Site, unit: str) -> Cell:
    """As it should be, but for a thing or two."""
    names = draw(st.lists(st.sampled_from(sorted(OTHERWISE)), min_size=1, max_size=2, unique=True))
    plain: dict[str, Any] = {} if unit == "header:x-user-id" else {"units": ()}
    return cell(site, **{**plain, **{name: draw(OTHERWISE[name]) for name in names}})


@settings(max_examples=100)
@given(st.data(), st.sampled_from(["header:x-user-id", "request"]))
def test_whatever_is_said_the_rollout_goes_on_being_judged(data: st.DataObject, unit: str) -> None:
    site = Site(unit)
    for sequence in (1, 2, 3):
        told = report(
            data.draw(cells(site, unit)),
            sequence=sequence,
            feedback=tuple(
                feedback(
                    site,
                    score=data.draw(st.floats()),
                    label=data.draw(st.floats()),
                    key=data.draw(WILD),
                    version=data.draw(st.integers(0, 3)),
                )
                for _ in range(data.draw(st.sampled_from([0, 0, 0, 1])))
            ),
        )
        try:
            site.take(told)
        except LockgateError:
            continue
    ended = site.turn()
    assert ended.outcome is None or "cannot be judged" not in ended.outcome.detail
