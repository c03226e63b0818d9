"""The hash over an event's columns is the digest of its canonical JSON, and no column can be altered without it."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.domain.events import GENESIS, Action, Happened, Written, chain_hash, chained, written, written_hash
from lockgate.kernel.digest import digest_json
from lockgate.kernel.errors import Corrupt
from lockgate.ports.rows import settled
from lockgate.stages.decide.audit import verify
from lockgate.testing import builders as a

_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12) | st.sampled_from(
    ['","model":"', '"}', "\\", "\u2028", "é", '{"a":1}', "\x7f"]
)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)
_happenings = st.builds(
    Happened,
    action=st.sampled_from(Action),
    actor=_texts,
    authenticated=st.booleans(),
    at=st.datetimes(timezones=st.just(UTC)),
    subject=_texts,
    model=_texts,
    version=st.integers(-(2**63), 2**63 - 1),
    details=st.dictionaries(_texts, _values, max_size=4),
)


@given(seq=st.integers(1, 2**63 - 1), happened=_happenings)
def test_it_is_the_digest_of_the_whole_event_as_json(seq: int, happened: Happened) -> None:
    happened = settled(happened)
    whole = {
        "seq": seq,
        "prev": GENESIS,
        "action": happened.action.value,
        "actor": happened.actor,
        "authenticated": happened.authenticated,
        "at": happened.at.isoformat(),
        "subject": happened.subject,
        "model": happened.model,
        "version": happened.version,
        "details": happened.details,
    }
    assert chain_hash(seq, happened, GENESIS) == digest_json(whole)


@given(happened=st.lists(_happenings, min_size=1, max_size=4), data=st.data())
def test_whatever_is_altered_in_whichever_row_is_named(happened: list[Happened], data: st.DataObject) -> None:
    rows: list[Written] = []
    for said in happened:
        rows.append(written(chained(len(rows) + 1, settled(said), rows[-1].hash if rows else GENESIS)))
    place = data.draw(st.integers(0, len(rows) - 1))
    field = data.draw(st.sampled_from([name for name in Written._fields if name != "seq"]))
    other: st.SearchStrategy[Any] = {
        "version": st.integers() | _texts | st.binary(max_size=4),
        "authenticated": st.booleans() | st.integers(0, 3),
    }.get(field, _texts | st.binary(max_size=4))
    value = data.draw(other.filter(lambda new: new != getattr(rows[place], field)))
    rows[place] = rows[place]._replace(**{field: value})
    audit = verify(lambda after, limit: rows[after : after + limit])
    assert audit.broken
    assert (audit.events, audit.broken.seq) == (place, place + 1)


@pytest.mark.parametrize("change", [{"actor": b"x"}, {"authenticated": 2}, {"version": "3"}, {"version": True}])
def test_what_a_column_cannot_hold_is_told(change: dict[str, Any]) -> None:
    row = written(chained(1, a.happened(), GENESIS))
    with pytest.raises(Corrupt, match="event 1 cannot be read"):
        written_hash(row._replace(**change))


def test_the_walk_goes_on_from_what_is_known_and_tells_how_far_it_is() -> None:
    events = [chained(1, a.happened(), GENESIS)]
    events.append(chained(2, a.happened(version=2), events[0].hash))
    rows = [written(event) for event in events]
    told: list[int] = []
    known = verify(lambda after, limit: rows[after : after + limit][: 1 - after])
    audit = verify(lambda after, limit: rows[after : after + limit], known, told.append)
    assert (known.events, audit.events, audit.head, told) == (1, 2, events[1].hash, [2])
