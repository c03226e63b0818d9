"""What was altered, removed or put in between is named, whatever it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.domain.events import GENESIS, Action, Event, Written, chained, written
from lockgate.kernel.errors import Corrupt
from lockgate.stages.decide import audit
from lockgate.testing import builders as a
from lockgate.testing.clock import START


def _chain(length: int) -> list[Event]:
    events: list[Event] = []
    for seq in range(1, length + 1):
        events.append(chained(seq, a.happened(details={"n": seq}), events[-1].hash if events else GENESIS))
    return events


def _verify(events: Sequence[Event]) -> audit.Audit:
    return audit.verify(lambda after, limit: [written(event) for event in events if event.seq > after][:limit])


def test_a_whole_chain_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "PAGE", 4)
    events = _chain(11)
    assert _verify(events) == audit.Audit(11, events[-1].hash)


def test_an_empty_chain_is_whole() -> None:
    assert _verify([]) == audit.Audit(0, GENESIS)


_CHANGES: dict[str, Any] = {
    "action": Action.STAGE_APPLIED,
    "actor": "mallory",
    "authenticated": True,
    "at": START + timedelta(microseconds=1),
    "subject": "another",
    "model": "another",
    "version": 9,
    "details": {"n": 3.5},
}


@pytest.mark.parametrize("field", _CHANGES)
def test_every_field_is_covered(field: str) -> None:
    events = _chain(5)
    events[2] = replace(events[2], happened=replace(events[2].happened, **{field: _CHANGES[field]}))
    found = _verify(events)
    assert (found.events, found.head) == (2, events[1].hash)
    assert found.broken
    assert found.broken.seq == 3
    assert "event 3 was altered" in found.broken.found


@given(length=st.integers(2, 9), data=st.data())
def test_who_alters_an_event_and_its_hash_breaks_the_next_link(length: int, data: st.DataObject) -> None:
    events = _chain(length)
    place = data.draw(st.integers(0, length - 2))
    events[place] = chained(place + 1, a.happened(actor="mallory"), events[place].prev_hash)
    broken = _verify(events).broken
    assert broken
    assert broken.seq == place + 2
    assert "does not follow" in broken.found


@given(length=st.integers(2, 9), data=st.data())
def test_a_removed_event_is_missed(length: int, data: st.DataObject) -> None:
    events = _chain(length)
    place = data.draw(st.integers(0, length - 2))
    del events[place]
    broken = _verify(events).broken
    assert broken
    assert broken.seq == place + 1
    assert f"event {place + 1} is missing" in broken.found


@pytest.mark.parametrize("unreadable", [1, 2, 6, 7])
def test_an_unreadable_event_is_named(unreadable: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "PAGE", 3)
    events = _chain(7)

    def pages(after: int, limit: int) -> list[Written]:
        page = events[after : after + limit]
        if unreadable in [event.seq for event in page]:
            raise Corrupt("no text")
        return [written(event) for event in page]

    assert audit.verify(pages).broken == audit.Break(unreadable, "no text")
