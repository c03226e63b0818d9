"""What the chain cannot tell, checkpoints do: an end that is missing, and a log that was hashed anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.domain.events import GENESIS, Checkpoint, Event, chained
from lockgate.kernel.errors import Conflict, Corrupt, Invalid
from lockgate.ports.state import CHECKPOINTS
from lockgate.stages.decide.checkpoints import AT_LEAST_EVERY, EVERY, is_due
from lockgate.testing import builders as a
from lockgate.testing import company
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import START, VirtualClock
from lockgate.testing.signer import MemorySigner
from lockgate.testing.state import MemoryState
from lockgate.usecases.read_audit import verify_audit
from lockgate.usecases.sign_checkpoint import sign_checkpoint, sign_if_due
from lockgate.usecases.world import World

ANNA, BEN = MemorySigner("anna"), MemorySigner("ben")


def _world(events: int = 0) -> World:
    world = World(MemoryState(), MemoryArtifacts(), VirtualClock())
    _happen(world, events)
    return world


def _happen(world: World, events: int, **fields: object) -> None:
    with world.state.write() as tx:
        for n in range(events):
            tx.record(a.happened(details={"n": n}, **fields))


def _rewritten(world: World, events: list[Event]) -> World:
    """The same checkpoints beside another log."""
    state = MemoryState()
    state._committed = replace(world.state._committed, events=tuple(events))  # type: ignore[attr-defined]
    return replace(world, state=state)


def _events(world: World) -> list[Event]:
    with world.state.read() as tx:
        return tx.events()


def _hashed_anew(events: list[Event], place: int) -> list[Event]:
    """Somebody else did what event `place` (from 0) says, and all hashes after it agree."""
    kept = events[:place]
    for event in events[place:]:
        said = replace(event.happened, actor="mallory") if event.seq == place + 1 else event.happened
        kept.append(chained(event.seq, said, kept[-1].hash if kept else GENESIS))
    return kept


def test_a_log_that_grows_agrees_with_its_checkpoints() -> None:
    world = _world(3)
    first = sign_checkpoint(world, ANNA)
    _happen(world, 4)
    second = sign_checkpoint(world, ANNA)
    checked = verify_audit(world, ANNA, against=[first])
    assert checked.broken is None
    assert (first.seq, second.seq) == (3, 7)
    assert (checked.signed.checkpoints, checked.signed.upto, checked.signed.foreign) == (2, 7, ())


@given(events=st.integers(2, 8), data=st.data())
def test_a_cut_end_is_found(events: int, data: st.DataObject) -> None:
    world = _world(events)
    sign_checkpoint(world, ANNA)
    left = data.draw(st.integers(0, events - 1))
    broken = verify_audit(_rewritten(world, _events(world)[:left]), ANNA).broken
    assert broken
    assert broken.seq == left + 1
    assert f"event {events} was signed" in broken.found


@given(events=st.integers(2, 8), data=st.data())
def test_a_log_that_was_hashed_anew_is_found_by_the_first_checkpoint_behind_it(events: int, data: st.DataObject) -> None:
    signed = data.draw(st.integers(1, events - 1))
    world = _world(signed)
    sign_checkpoint(world, ANNA)
    _happen(world, events - signed)
    sign_checkpoint(world, ANNA)
    place = data.draw(st.integers(0, events - 1))
    forged = _rewritten(world, _hashed_anew(_events(world), place))
    assert verify_audit(forged).broken is None, "the chain alone does not tell"
    broken = verify_audit(forged, ANNA).broken
    assert broken
    assert broken.seq == (signed if place < signed else events)
    assert "hashed anew" in broken.found
    with pytest.raises(Corrupt):
        sign_checkpoint(forged, ANNA)


def test_a_checkpoint_kept_elsewhere_finds_what_those_in_the_state_no_longer_tell() -> None:
    world = _world(5)
    kept = sign_checkpoint(world, ANNA)
    with world.state.write() as tx:
        tx.remove(CHECKPOINTS, kept.seq)
    cut = _rewritten(world, _events(world)[:3])
    assert verify_audit(cut, ANNA).broken is None
    found = verify_audit(cut, ANNA, against=[kept]).broken
    assert found
    assert found.seq == 4


@pytest.mark.parametrize("field", ["seq", "hash", "at", "signature"])
def test_an_altered_checkpoint_is_not_genuine(field: str) -> None:
    world = _world(5)
    made = sign_checkpoint(world, ANNA)
    changed: dict[str, Any] = {"seq": 4, "hash": a.digest("another"), "at": START + timedelta(seconds=1), "signature": "another"}
    with world.state.write() as tx:
        tx.remove(CHECKPOINTS, made.seq)
        tx.add(CHECKPOINTS, replace(made, **{field: changed[field]}))
    broken = verify_audit(world, ANNA).broken
    assert broken
    assert "not genuine" in broken.found


def test_a_key_that_nobody_trusts_says_nothing_until_it_is_trusted() -> None:
    world = _world(5)
    by_ben = sign_checkpoint(world, BEN)
    forged = _rewritten(world, _hashed_anew(_events(world), 2))
    untold = verify_audit(forged, ANNA)
    assert (untold.broken, untold.signed.foreign) == (None, (by_ben.key,))
    told = verify_audit(forged, ANNA, trusted=[BEN.public_key])
    assert told.broken
    assert told.signed.foreign == ()
    with pytest.raises(Invalid, match="public key"):
        verify_audit(world, ANNA, trusted=["nothing"])


def test_an_event_that_does_not_hold_is_named_before_what_checkpoints_say_of_later_ones() -> None:
    world = _world(5)
    sign_checkpoint(world, ANNA)
    events = _events(world)
    events[1] = replace(events[1], happened=replace(events[1].happened, actor="mallory"))
    broken = verify_audit(_rewritten(world, events), ANNA).broken
    assert broken
    assert (broken.seq, "altered" in broken.found) == (2, True)


def test_a_broken_log_is_not_signed() -> None:
    world = _world(3)
    events = _events(world)
    forged = _rewritten(world, [replace(events[0], hash=a.digest("another")), *events[1:]])
    with pytest.raises(Corrupt, match="event 1 was altered"):
        sign_checkpoint(forged, ANNA)
    with pytest.raises(Conflict, match="empty"):
        sign_checkpoint(_world(), ANNA)


def test_what_was_altered_behind_the_last_checkpoint_is_not_signed_again() -> None:
    world = _world(5)
    sign_checkpoint(world, ANNA)
    events = _events(world)
    events[1] = replace(events[1], happened=replace(events[1].happened, actor="mallory"))
    forged = _rewritten(world, events)
    with pytest.raises(Corrupt, match="event 2 was altered"):
        sign_checkpoint(forged, ANNA)


def test_it_is_time_every_so_many_events_and_once_a_day_while_something_happens() -> None:
    last = company.checkpoint(seq=100, at=START)
    soon, later = START + timedelta(minutes=1), START + AT_LEAST_EVERY
    assert not is_due(None, 0, soon)
    assert is_due(None, 1, soon)
    assert not is_due(last, 100 + EVERY - 1, soon)
    assert is_due(last, 100 + EVERY, soon)
    assert is_due(last, 101, later)
    assert not is_due(last, 100, later)


def test_housekeeping_signs_when_it_is_time() -> None:
    world, clock = _world(1), VirtualClock()
    world = replace(world, clock=clock)
    made: list[Checkpoint | None] = []
    for seconds in (0.0, 10.0, 86_400.0, 10.0):
        clock.advance(seconds)
        made.append(sign_if_due(world, ANNA))
        _happen(world, 1)
    assert [one.seq if one else None for one in made] == [1, None, 3, None]
    assert verify_audit(world, ANNA).signed.checkpoints == 2
