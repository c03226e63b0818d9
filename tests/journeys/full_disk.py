"""A state on a disk that is full: what a transaction has put before that is undone with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from lockgate.ports.state import Kind, State, Writer


class FullDisk:
    """A State that cannot keep items of one kind."""

    def __init__(self, state: State, kind: Kind[Any]) -> None:
        self._state = state
        self._kind = kind
        self.read = state.read

    @contextmanager
    def write(self) -> Iterator[Writer]:
        with self._state.write() as tx:
            yield cast("Writer", _Full(tx, self._kind))


class _Full:
    def __init__(self, tx: Writer, kind: Kind[Any]) -> None:
        self._tx = tx
        self._kind = kind

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    def put(self, kind: Kind[Any], item: object) -> None:
        if kind is self._kind:
            raise OSError("the disk is full")
        self._tx.put(kind, item)
