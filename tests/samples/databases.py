"""Fresh databases of ours, as copies of one that was migrated once."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from lockgate.integrations.sql.state import SqlState


def sqlite_databases(folder: Path) -> Callable[[], str]:
    """Makes a new one in the folder each time; what comes is its URL."""
    template, numbers = folder / "template.db", itertools.count(1)
    SqlState.open(template).close()
    return lambda: f"sqlite:///{shutil.copy(template, folder / f'state-{next(numbers)}.db')}"


def postgres_databases(server: str, name: str) -> Callable[[], str]:
    """Makes a new one on the server each time. name: no other test's."""
    numbers = itertools.count(1)

    def make(template: str) -> str:
        made = f"{name}_{next(numbers)}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {made} TEMPLATE {template}")
        return make_url(server).set(database=made).render_as_string()

    template = make("template1")
    SqlState.open(template).close()
    return lambda: make(str(make_url(template).database))
