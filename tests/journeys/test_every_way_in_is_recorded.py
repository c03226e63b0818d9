"""Nothing that people decide or that decides for them changes without an event in the same transaction.

The sample home's three weeks are played by the real use cases on a state that looks at each transaction as it commits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from lockgate.domain.models import Stage
from lockgate.domain.rollouts import Rollout, Signal
from lockgate.kernel.errors import Refused
from lockgate.ports import state as kinds
from lockgate.ports.state import Kind, Writer
from lockgate.testing import builders as a
from lockgate.testing.state import MemoryState
from lockgate.usecases.add_comment import add_comment
from lockgate.usecases.decide_request import approve_request, cancel_request, reject_request
from lockgate.usecases.request_transition import request_transition
from lockgate.usecases.roll_back import roll_back
from lockgate.usecases.steer_rollout import steer
from tests.samples import story as samples

DECIDED = {
    kinds.MODELS,
    kinds.VERSIONS,
    kinds.ALIASES,
    kinds.REQUESTS,
    kinds.POLICIES,
    kinds.BROKEN_GLASS,
    kinds.WAIVERS,
    kinds.USERS,
    kinds.COMMENTS,
    kinds.NOTES,
    kinds.HOLDS,
    kinds.LEARNINGS,
}


class WatchedState(MemoryState):
    """Fails a transaction that changes what is decided and records nothing."""

    @contextmanager
    def write(self) -> Iterator[Writer]:
        with super().write() as writer:
            watched: Any = _Watched(writer)
            yield watched
            assert watched.recorded or not watched.changed, f"changed without an event: {sorted(watched.changed)}"


class _Watched:
    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self.changed: set[str] = set()
        self.recorded = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def record(self, happened: Any) -> Any:
        self.recorded += 1
        return self._writer.record(happened)

    def add(self, kind: Kind[Any], item: Any) -> bool:
        self._note(kind, item)
        return self._writer.add(kind, item)

    def put(self, kind: Kind[Any], item: Any) -> None:
        self._note(kind, item)
        self._writer.put(kind, item)

    def add_all(self, kind: Kind[Any], items: Sequence[Any]) -> int:
        for item in items:
            self._note(kind, item)
        return self._writer.add_all(kind, items)

    def put_all(self, kind: Kind[Any], items: Sequence[Any]) -> None:
        for item in items:
            self._note(kind, item)
        self._writer.put_all(kind, items)

    def remove(self, kind: Kind[Any], *key: str | int) -> None:
        if kind in DECIDED and self._writer.get(kind, *key) is not None:
            self.changed.add(kind.name)
        self._writer.remove(kind, *key)

    def _note(self, kind: Kind[Any], item: Any) -> None:
        before = self._writer.get(kind, *kind.key_of(item))
        if kind in DECIDED and before != item:
            self.changed.add(kind.name)
        if isinstance(item, Rollout) and (before is None or (before.phase, before.step) != (item.phase, item.step)):
            self.changed.add(kind.name)


@pytest.fixture(autouse=True)
def _watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "MemoryState", WatchedState)


def test_three_weeks_of_use_cases_leave_nothing_unrecorded() -> None:
    told = samples.tell()
    with told.world.state.read() as tx:
        assert tx.count(kinds.VERSIONS) > 3
        assert tx.events(limit=1)


def test_what_people_do_by_hand_is_recorded() -> None:
    told = samples.tell()
    world, model = told.world, samples.MODEL
    under_way = told.rollout(4)
    for signal in (Signal.PAUSE, Signal.RESUME, Signal.ABORT):
        steer(world, under_way.id, signal, a.BEN)
    add_comment(world, model, 1, a.ANNA, "hm")
    first = request_transition(world, model, 3, Stage.STAGING, a.ANNA, "again")
    reject_request(world, first.id, a.BEN, "no")
    second = request_transition(world, model, 3, Stage.STAGING, a.ANNA, "again")
    cancel_request(world, second.id, a.ANNA)
    third = request_transition(world, model, 3, Stage.ARCHIVED, a.ANNA, "away with it")
    approve_request(world, third.id, a.BEN, "yes")
    roll_back(world, model, a.BEN, "odd")


def test_the_watch_itself_sees_what_is_not_recorded() -> None:
    state = WatchedState()
    with pytest.raises(AssertionError, match="versions"), state.write() as tx:
        tx.add(kinds.VERSIONS, a.version(1))
    with pytest.raises(Refused), state.write():
        raise Refused("what is undone need not be recorded")
