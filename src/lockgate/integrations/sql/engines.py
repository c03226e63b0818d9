"""The two databases, and what differs between them: how to connect, how writers take turns, how readers get a snapshot.

SQLite runs in WAL mode: readers never wait for a writer, nor a writer for readers. `BEGIN IMMEDIATE` takes the one write lock at
once, for all processes. With synchronous=FULL every commit is flushed to the disk (0.2 ms more on the machine that this was
measured on): what was acknowledged outlives a power failure too. A revision of the route table must: workers that keep it on
their own disks refuse to go back.

PostgreSQL has no such lock of its own, so writers take one advisory lock for the length of their transaction. Every statement
after it sees all that was committed before (READ COMMITTED); readers run REPEATABLE READ, which is a snapshot.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from lockgate.kernel.errors import Invalid, MissingExtra

_ADVISORY_LOCK = 0x10C46A7E  # one number for every lockgate database: "lockgate", as far as hexadecimal digits can spell it
_CONNECTIONS = 8  # kept open; as many again may come and go
_LOG_SIZE = 64 << 20  # bytes; what a long reader made SQLite's log grow beyond is given back
_SCHEMES = ("sqlite", "postgresql", "postgres")


@dataclass(frozen=True, slots=True)
class Database:
    """`begin_*`: the first statement of each kind of transaction. `place`: for people, without the password."""

    place: str
    readers: Engine
    writers: Engine
    begin_read: str | None
    begin_write: str
    patience: float  # seconds that a writer waits for its turn

    @property
    def dialect(self) -> str:
        return self.writers.dialect.name

    def close(self) -> None:
        self.writers.dispose()


def connect(where: str | Path, patience: float) -> Database:
    """The database at a URL or path. Nothing is opened yet.

    Raises:
        Invalid: neither SQLite nor PostgreSQL. MissingExtra: PostgreSQL's driver is not installed.
    """
    url = _url(where)
    return _sqlite(url, patience) if url.get_backend_name() == "sqlite" else _postgresql(url, patience)


def _url(where: str | Path) -> URL:
    text = str(where)
    if "://" not in text:
        return URL.create("sqlite", database=str(Path(text).absolute()))
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:  # the latter for a port that is no number
        raise Invalid(f"database URL cannot be read: {error}", hint=_HINT) from error
    if url.get_backend_name() not in _SCHEMES:
        raise Invalid(f"database {url.render_as_string()!r} found, SQLite or PostgreSQL expected", hint=_HINT)
    return url


_HINT = "Give a path, sqlite:////folder/state.db, or postgresql://user:password@host/name."


def _sqlite(url: URL, patience: float) -> Database:
    if not url.database or url.database == ":memory:":
        raise Invalid("SQLite without a file found, a file expected", hint="In tests, use lockgate.testing.state.MemoryState.")
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        connect_args={"timeout": patience, "isolation_level": None},  # None: we say BEGIN ourselves
        pool_size=_CONNECTIONS,
        max_overflow=_CONNECTIONS,
        pool_timeout=patience,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    return Database(url.database, engine, engine, "BEGIN", "BEGIN IMMEDIATE", patience)


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA journal_size_limit={_LOG_SIZE}")


def _postgresql(url: URL, patience: float) -> Database:
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            connect_args={
                "connect_timeout": max(2, round(patience)),
                "application_name": "lockgate",
                "options": f"-c lock_timeout={round(patience * 1000)}",
            },
            pool_size=_CONNECTIONS,
            max_overflow=_CONNECTIONS,
            pool_timeout=patience,
            pool_pre_ping=True,  # a restart of the server costs nobody a transaction
        )
    except ImportError as error:
        raise MissingExtra(
            f"PostgreSQL needs psycopg, which is not installed: {error}",
            hint="pip install 'lockgate[postgres]'",
        ) from error
    readers = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return Database(url.render_as_string(), readers, engine, None, f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})", patience)
