"""State in memory, with the real thing's transactions: what tests run on instead of a mock.

Committed collections are never changed: a writer copies those that it touches and publishes its copies when it commits. So
readers need no lock and see what was committed when they began, and a writer that fails leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from threading import Lock, get_ident
from typing import Any, TypeVar

from lockgate.domain.events import GENESIS, Action, Event, Happened, Written, chained, written
from lockgate.kernel.errors import Conflict
from lockgate.ports import rows
from lockgate.ports.state import Kind, Reader, Writer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Row:
    columns: dict[str, str | int]
    body: bytes


_Collection = dict[tuple[Any, ...], _Row]  # by key, in the order of insertion


@dataclass(frozen=True, slots=True)
class _Committed:
    collections: dict[str, _Collection] = field(default_factory=dict)
    events: tuple[Event, ...] = ()


class MemoryState:
    """A ports.state.State."""

    def __init__(self) -> None:
        self._committed = _Committed()
        self._turn = Lock()
        self._writer: int | None = None  # the thread that writes

    @contextmanager
    def read(self) -> Iterator[Reader]:
        yield _MemoryReader(self._committed)

    @contextmanager
    def write(self) -> Iterator[Writer]:
        if self._writer == get_ident():
            raise Conflict("this thread is writing already", hint="Pass the open transaction on instead of opening another.")
        with self._turn:
            self._writer = get_ident()
            try:
                writer = _MemoryWriter(self._committed)
                yield writer
                self._committed = writer.result()
            finally:
                self._writer = None


class _MemoryReader:
    def __init__(self, committed: _Committed) -> None:
        self._collections = dict(committed.collections)
        self._events: Sequence[Event] = committed.events

    def get(self, kind: Kind[T], *key: str | int) -> T | None:
        row = self._collection(kind).get(_key(kind, key))
        return rows.item(kind, row.body) if row else None

    def find(
        self,
        kind: Kind[T],
        /,
        *,
        newest_first: bool = False,
        limit: int | None = None,
        offset: int = 0,
        **equal: str | int,
    ) -> list[T]:
        found = self._matching(kind, newest_first=newest_first, equal=equal)
        return [rows.item(kind, row.body) for row in islice(found, offset, None if limit is None else offset + limit)]

    def count(self, kind: Kind[T], /, **equal: str | int) -> int:
        return sum(1 for _ in self._matching(kind, newest_first=False, equal=equal))

    def events(
        self,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        subject: str | None = None,
        model: str | None = None,
        actor: str | None = None,
        actions: Sequence[Action] = (),
    ) -> list[Event]:
        between = self._events[max(after, 0) : None if before is None else max(before - 1, 0)]
        found = (
            event
            for event in (reversed(between) if newest_first else between)
            if subject in (None, event.happened.subject)
            and model in (None, event.happened.model)
            and actor in (None, event.happened.actor)
            and (not actions or event.happened.action in actions)
        )
        return list(islice(found, limit))

    def written(self, *, after: int = 0, limit: int) -> Sequence[Written]:
        return [written(event) for event in self._events[max(after, 0) :][:limit]]

    def _collection(self, kind: Kind[Any]) -> _Collection:
        return self._collections.get(kind.name, {})

    def _matching(self, kind: Kind[Any], *, newest_first: bool, equal: dict[str, str | int]) -> Iterator[_Row]:
        wanted = {name: rows.plain(kind, name, value) for name, value in equal.items()}.items()
        collection = self._collection(kind)
        for row in reversed(collection.values()) if newest_first else collection.values():
            if wanted <= row.columns.items():
                yield row


class _MemoryWriter(_MemoryReader):
    def __init__(self, committed: _Committed) -> None:
        super().__init__(committed)
        self._events: list[Event] = list(committed.events)
        self._own: set[str] = set()  # collections that are this transaction's own copies

    def result(self) -> _Committed:
        return _Committed(self._collections, tuple(self._events))

    def add(self, kind: Kind[T], item: T) -> bool:
        collection = self._own_collection(kind)
        key = _key(kind, kind.key_of(item))
        row = _row(kind, item)
        return collection.setdefault(key, row) is row

    def add_all(self, kind: Kind[T], items: Sequence[T]) -> int:
        return sum(self.add(kind, item) for item in items)

    def put(self, kind: Kind[T], item: T) -> None:
        self._own_collection(kind)[_key(kind, kind.key_of(item))] = _row(kind, item)

    def put_all(self, kind: Kind[T], items: Sequence[T]) -> None:
        for item in items:
            self.put(kind, item)

    def remove(self, kind: Kind[T], *key: str | int) -> None:
        self._own_collection(kind).pop(_key(kind, key), None)

    def record(self, happened: Happened) -> Event:
        prev_hash = self._events[-1].hash if self._events else GENESIS
        event = chained(len(self._events) + 1, rows.settled(happened), prev_hash)
        self._events.append(event)
        return event

    def _own_collection(self, kind: Kind[Any]) -> _Collection:
        if kind.name not in self._own:
            self._collections[kind.name] = dict(self._collection(kind))
            self._own.add(kind.name)
        return self._collections[kind.name]


def _key(kind: Kind[Any], values: tuple[str | int, ...]) -> tuple[str | int, ...]:
    return tuple(rows.key(kind, values).values())


def _row(kind: Kind[T], item: T) -> _Row:
    return _Row(rows.columns(kind, item), rows.body(kind, item))
