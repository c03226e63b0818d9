"""What only PostgreSQL does: its schema, its locks, its absence. The contract itself is in tests/contracts."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, make_url

from lockgate.integrations.sql.state import SqlState
from lockgate.integrations.sql.tables import VERSION_TABLE, metadata
from lockgate.kernel.errors import Unavailable
from lockgate.ports.state import VERSIONS
from lockgate.testing import builders as a

pytestmark = pytest.mark.integration


@pytest.fixture
def url(postgres: str) -> str:
    """A database with nothing in it."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS alone WITH (FORCE)")
        connection.execute("CREATE DATABASE alone")
    return make_url(postgres).set(database="alone").render_as_string()


def test_migrations_and_tables_say_the_same(url: str) -> None:
    SqlState.open(url).close()
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_a_writer_that_waits_in_vain_says_so(url: str) -> None:
    one, other = SqlState.open(url), SqlState.open(url, patience=0.1)
    with one.write() as writer:
        writer.add(VERSIONS, a.version(1))
        with pytest.raises(Unavailable, match="lock timeout"), other.write():
            pass
    with other.write() as writer:
        assert writer.count(VERSIONS) == 1
    one.close()
    other.close()


def test_a_lost_connection_undoes_the_transaction_and_the_next_one_works(url: str) -> None:
    state = SqlState.open(url)
    with pytest.raises(Unavailable, match="terminat"), state.write() as writer:  # noqa: PT012 - the connection breaks within
        writer.add(VERSIONS, a.version(1))
        _cut_all_connections(url)
        writer.add(VERSIONS, a.version(2))
    with state.write() as writer:
        assert writer.find(VERSIONS) == []
        writer.add(VERSIONS, a.version(3))
    _cut_all_connections(url)
    with state.read() as reader:
        assert reader.find(VERSIONS) == [a.version(3)]
    state.close()


def test_the_short_name_of_the_scheme_will_do(url: str) -> None:
    state = SqlState.open(url.replace("postgresql://", "postgres://"))
    with state.write() as writer:
        writer.add(VERSIONS, a.version(3))
    with state.read() as reader:
        assert reader.find(VERSIONS) == [a.version(3)]
    state.close()


def test_a_server_that_is_not_there_says_so_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="connection") as error:
        SqlState.open(f"postgresql://somebody:secret@/name?host={tmp_path}")
    assert error.value.hint
    assert "secret" not in error.value.message


def _cut_all_connections(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'alone' AND pid <> pg_backend_pid()"
        )
