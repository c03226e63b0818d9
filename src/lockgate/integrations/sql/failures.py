"""What a database says when it cannot, in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from lockgate.kernel.errors import Corrupt, LockgateError, Unavailable

_BUSY = ("SQLITE_BUSY", "LockNotAvailable")
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_FULL = ("SQLITE_FULL", "DiskFull")


@contextmanager
def told(place: str) -> Iterator[None]:
    """Turn the library's errors about the database at `place` into ours; errors of the program itself pass unchanged.

    Raises:
        Unavailable: the database is locked, unreachable, full, or may not be opened. Corrupt: it is damaged, or no database.
    """
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable(f"{place}: all connections are in use: {error}", hint="Close transactions sooner.") from error
    except DBAPIError as error:
        ours = _in_our_words(place, error)
        if ours is None:
            raise
        raise ours from error


def _in_our_words(place: str, error: DBAPIError) -> LockgateError | None:
    name = getattr(error.orig, "sqlite_errorname", type(error.orig).__name__)
    said = f"{place}: {str(error.orig).strip()}"
    if name.startswith(_BUSY):
        return Unavailable(f"{said}: another writer did not finish in time", hint="Try again; see which process holds it.")
    if name.startswith(_FULL):
        return Unavailable(said, hint="Make room on the disk; nothing of the transaction was kept.")
    if name.startswith(_DAMAGED):
        return Corrupt(said, hint="Restore the database from a backup.")
    if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
        return Unavailable(said, hint="Check that the database is there, runs, and may be read and written by this user.")
    return None
