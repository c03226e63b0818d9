"""A home that an earlier lockgate made is brought up to date, and keeps what it has."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from lockgate.integrations.sql import engines, migrate
from lockgate.integrations.sql.state import SqlState
from lockgate.integrations.sql.tables import REVISIONS, VERSION_TABLE, metadata
from lockgate.ports.state import KINDS, VERSIONS
from lockgate.testing import builders as a
from lockgate.testing.checks.state import EXAMPLES


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_a_home_of_an_earlier_schema_is_brought_up_to_date(tmp_path: Path, revision: str) -> None:
    path = tmp_path / "state.db"
    _made_by(revision, path)
    state = SqlState.open(path)
    with state.write() as writer:
        assert writer.find(VERSIONS) == [a.version(1)]
        for kind in KINDS:
            writer.put(kind, EXAMPLES[kind])
    with state.read() as reader:
        assert all(reader.get(kind, *kind.key_of(EXAMPLES[kind])) == EXAMPLES[kind] for kind in KINDS)
        connection = reader._connection  # type: ignore[attr-defined]
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
    state.close()


def _made_by(revision: str, path: Path) -> None:
    """A database of that schema with one version in it."""
    database = engines.connect(path, 5.0)
    with database.writers.connect() as connection:
        connection.exec_driver_sql(database.begin_write)
        migrate.upgrade(connection, revision)
        connection.commit()
    database.close()
    state = SqlState(engines.connect(path, 5.0))  # as it is: not brought up to date
    with state.write() as writer:
        writer.add(VERSIONS, a.version(1))
    state.close()
