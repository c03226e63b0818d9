"""Every database that state may live in, each fresh and empty: as a URL, so that other processes may open it too."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from lockgate.integrations.sql.state import SqlState

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of ours: copying it is quicker than migrating each."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    SqlState.open(path).close()
    return path


@pytest.fixture
def sqlite_database(sqlite_template: Path, tmp_path: Path) -> str:
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'state.db')}"


@pytest.fixture(scope="session")
def new_postgres_database(postgres: str) -> Callable[[str], str]:
    """Makes a database on our server, as a copy of another."""

    def make(template: str) -> str:
        name = f"lockgate_{next(_numbers)}"
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return make_url(postgres).set(database=name).render_as_string()

    return make


@pytest.fixture(scope="session")
def postgres_template(new_postgres_database: Callable[[str], str]) -> str:
    url = new_postgres_database("template1")
    SqlState.open(url).close()
    return str(make_url(url).database)


@pytest.fixture
def postgres_database(new_postgres_database: Callable[[str], str], postgres_template: str) -> str:
    return new_postgres_database(postgres_template)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.integration)])
def database(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_database"))


@pytest.fixture
def sql_state(database: str) -> Iterator[SqlState]:
    state = SqlState.open(database)
    yield state
    state.close()
