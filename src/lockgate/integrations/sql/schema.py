"""Which revision of the schema a database has, and how it comes to ours. A database that is up to date needs no Alembic."""

from __future__ import annotations

import time
from sqlite3 import OperationalError as SqliteError

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import OperationalError

from lockgate.integrations.sql.engines import Database
from lockgate.integrations.sql.tables import REVISIONS, VERSION_TABLE
from lockgate.kernel.errors import Conflict

HEAD = REVISIONS[-1]
_RETRY = 0.02  # seconds


def bring_up_to_date(database: Database) -> None:
    """Leave the database with our schema. Processes that do so at once take turns, and one of them does the work.

    Raises:
        Conflict: the schema is newer than this code, or not ours.
    """
    with database.readers.connect() as connection:
        if revision(connection, database.place) == HEAD:
            return
    if database.dialect == "sqlite":
        _use_write_ahead_log(database)
    with database.writers.connect() as connection:
        connection.exec_driver_sql(database.begin_write)
        if revision(connection, database.place) != HEAD:
            _migrate(connection)
        connection.commit()


def revision(connection: Connection, place: str) -> str | None:
    """The schema's revision; None in an empty database.

    Raises:
        Conflict: it is none that this code knows.
    """
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()  # noqa: S608 - a constant
    if found is not None and found not in REVISIONS:
        raise Conflict(
            f"{place}: schema {found} found, {HEAD} is the newest that this lockgate knows",
            hint="Upgrade lockgate to the version that last wrote this database.",
        )
    return found


def _migrate(connection: Connection) -> None:
    from lockgate.integrations.sql import migrate  # noqa: PLC0415 - Alembic takes longer to load than a start may take

    migrate.upgrade(connection, HEAD)


def _use_write_ahead_log(database: Database) -> None:
    """Switch a new file to WAL, which lasts. SQLite does not wait its turn for this one, so we do."""
    deadline = time.monotonic() + database.patience
    while True:
        try:
            with database.writers.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        except OperationalError as error:
            if not _busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(_RETRY)
        else:
            return


def _busy(error: OperationalError) -> bool:
    return isinstance(error.orig, SqliteError) and error.orig.sqlite_errorname.startswith("SQLITE_BUSY")
