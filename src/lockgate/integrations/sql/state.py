"""ports.state.State in a database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from threading import Lock, get_ident
from typing import Any, TypeVar, cast

import msgspec
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from lockgate.domain.events import GENESIS, Action, Event, Happened, Written, chained, written
from lockgate.integrations.sql import engines, schema, statements
from lockgate.integrations.sql.engines import Database
from lockgate.integrations.sql.failures import told
from lockgate.integrations.sql.statements import Statements
from lockgate.kernel.errors import Conflict, Corrupt, Unavailable
from lockgate.ports import rows
from lockgate.ports.state import Kind, Reader, Writer

T = TypeVar("T")

PATIENCE = 15.0  # seconds that a writer waits for its turn before it gives up
_BEYOND = (1 << 63) - 1  # no event has a higher number


class SqlState:
    """Safe for threads, and beside other processes on the same database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = Lock()  # threads of this process queue here, where waking up is prompt and fair
        self._writer: int | None = None  # the thread that writes

    @classmethod
    def open(cls, where: str | Path, *, patience: float = PATIENCE) -> SqlState:
        """The state at a path (SQLite) or URL (SQLite, PostgreSQL); an empty or older database is brought up to date.

        Raises:
            Unavailable: it cannot be reached, or is locked. Corrupt: it is damaged. Conflict: a newer lockgate wrote it.
            Invalid: the URL is none. MissingExtra: the driver is not installed.
        """
        database = engines.connect(where, patience)
        try:
            with told(database.place):
                schema.bring_up_to_date(database)
        except BaseException:
            database.close()
            raise
        return cls(database)

    def close(self) -> None:
        self._database.close()

    @contextmanager
    def read(self) -> Iterator[Reader]:
        with self._transaction(self._database.readers, self._database.begin_read) as connection:
            yield _SqlReader(connection)

    @contextmanager
    def write(self) -> Iterator[Writer]:
        with self._turns(), self._transaction(self._database.writers, self._database.begin_write) as connection:
            yield _SqlWriter(connection)
            connection.commit()

    @contextmanager
    def _turns(self) -> Iterator[None]:
        if self._writer == get_ident():
            raise Conflict("this thread is writing already", hint="Pass the open transaction on instead of opening another.")
        if not self._turn.acquire(timeout=self._database.patience):
            raise Unavailable(f"{self._database.place}: another thread has been writing for {self._database.patience:g} s")
        self._writer = get_ident()
        try:
            yield
        finally:
            self._writer = None
            self._turn.release()

    @contextmanager
    def _transaction(self, engine: Engine, begin: str | None) -> Iterator[Connection]:
        """A transaction that is undone at its end, unless it was committed before."""
        with told(self._database.place), engine.connect() as connection:
            if begin:
                connection.exec_driver_sql(begin)
            yield connection


class _SqlReader:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._dialect = connection.dialect.name

    def get(self, kind: Kind[T], *key: str | int) -> T | None:
        text = self._connection.execute(self._of(kind).get, rows.key(kind, key)).scalar()
        return None if text is None else rows.item(kind, text)

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
        parameters = _plain(kind, equal)
        found = self._of(kind).find(tuple(parameters), newest_first=newest_first, limited=limit is not None, offset=offset > 0)
        if limit is not None:
            parameters["limit"] = limit
        if offset > 0:
            parameters["offset"] = offset
        return [rows.item(kind, text) for text in self._connection.execute(found, parameters).scalars()]

    def count(self, kind: Kind[T], /, **equal: str | int) -> int:
        parameters = _plain(kind, equal)
        number: int = self._connection.execute(self._of(kind).count(tuple(parameters)), parameters).scalar_one()
        return number

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
        asked = {"subject": subject, "model": model, "actor": actor}
        by = {name: value for name, value in asked.items() if value is not None}
        of = {f"action_{n}": action.value for n, action in enumerate(dict.fromkeys(actions))}
        found = statements.events(by=tuple(by), actions=len(of), newest_first=newest_first, limited=limit is not None)
        page = {} if limit is None else {"limit": limit}
        between = {"after": after, "before": _BEYOND if before is None else before}
        return [_event(row) for row in self._connection.execute(found, {**between, **by, **of, **page})]

    def written(self, *, after: int = 0, limit: int) -> Sequence[Written]:
        try:
            rows_found = self._connection.exec_driver_sql(statements.WRITTEN.format(int(after), int(limit)))
        except OperationalError as error:  # the library could not turn a column's bytes into text
            if "decode" not in str(error.orig):
                raise
            raise Corrupt(f"an event behind {after} cannot be read: {error.orig}", hint="It was altered.") from error
        return cast("Sequence[Written]", rows_found.all())

    def _of(self, kind: Kind[Any]) -> Statements:
        return _statements(kind, self._dialect)


class _SqlWriter(_SqlReader):
    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._last: tuple[int, str] | None = None  # seq and hash of the last event

    def add(self, kind: Kind[T], item: T) -> bool:
        return self.add_all(kind, [item]) == 1

    def add_all(self, kind: Kind[T], items: Sequence[T]) -> int:
        if not items:
            return 0
        kept: int = self._connection.execute(self._of(kind).add, [_row(kind, item) for item in items]).rowcount
        return kept

    def put(self, kind: Kind[T], item: T) -> None:
        self.put_all(kind, [item])

    def put_all(self, kind: Kind[T], items: Sequence[T]) -> None:
        if items:
            self._connection.execute(self._of(kind).put, [_row(kind, item) for item in items])

    def remove(self, kind: Kind[T], *key: str | int) -> None:
        self._connection.execute(self._of(kind).remove, rows.key(kind, key))

    def record(self, happened: Happened) -> Event:
        if self._last is None:
            last = self._connection.execute(statements.LAST_EVENT).one_or_none()
            self._last = (last.seq, last.hash) if last else (0, GENESIS)
        seq, prev_hash = self._last
        event = chained(seq + 1, rows.settled(happened), prev_hash)
        self._connection.execute(statements.ADD_EVENT, written(event)._asdict())
        self._last = (event.seq, event.hash)
        return event


_ACTIONS = {action.value: action for action in Action}  # in a third of the time of Action(…)
_UNREADABLE = "It was altered, or a newer lockgate wrote it: upgrade, then run `lockgate audit verify`."


@cache
def _statements(kind: Kind[Any], dialect: str) -> Statements:
    return Statements(kind, dialect)


def _plain(kind: Kind[Any], equal: dict[str, str | int]) -> dict[str, str | int]:
    return {name: rows.plain(kind, name, value) for name, value in equal.items()}


def _row(kind: Kind[T], item: T) -> dict[str, str | int]:
    return {**rows.columns(kind, item), "body": rows.body(kind, item).decode()}


def _event(row: Sequence[Any]) -> Event:
    seq, at, action, actor, authenticated, subject, model, version, details, prev_hash, its_hash = row
    try:
        happened = Happened(
            _ACTIONS[action], actor, authenticated, datetime.fromisoformat(at), subject, model, version, rows.details(details)
        )
    except KeyError:
        raise Corrupt(f"event {seq} cannot be read: {action!r:.100} is no action", hint=_UNREADABLE) from None
    except (ValueError, msgspec.DecodeError) as error:
        raise Corrupt(f"event {seq} cannot be read: {error}", hint=_UNREADABLE) from error
    return Event(seq, happened, prev_hash, its_hash)
