"""Alembic, run on a connection that holds the write lock: one transaction, so that a migration is whole or not there."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

MIGRATIONS = Path(__file__).parent / "migrations"
_one_at_a_time = Lock()  # Alembic keeps its context in module variables: threads with different databases would mix them up


def upgrade(connection: Connection, revision: str) -> None:
    with _one_at_a_time:
        command.upgrade(_config(connection), revision)


def revisions() -> tuple[str, ...]:
    """Those that there are scripts for, oldest first."""
    scripts = ScriptDirectory(str(MIGRATIONS)).walk_revisions()
    return tuple(script.revision for script in reversed(list(scripts)))


def _config(connection: Connection) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
