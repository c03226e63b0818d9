"""The schema: migrations and tables say the same, other revisions are told apart, questions use indexes, people can read it."""

# ruff: noqa: S608 - the table's name is ours

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from lockgate.integrations.sql import migrate
from lockgate.integrations.sql.state import SqlState
from lockgate.integrations.sql.tables import REVISIONS, VERSION_TABLE, metadata
from lockgate.kernel.errors import Conflict
from lockgate.ports.state import LABELS, VERSIONS
from lockgate.stages.decide.audit import verify
from lockgate.testing import builders as a


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "home" / "state.db"
    SqlState.open(path).close()
    return path


@pytest.fixture
def state(path: Path) -> Iterator[SqlState]:
    state = SqlState.open(path)
    yield state
    state.close()


def test_migrations_and_tables_say_the_same(path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_every_revision_has_its_script_and_the_last_is_ours() -> None:
    assert migrate.revisions() == REVISIONS


@pytest.mark.parametrize("found", ["0999", "e0d2ab9c61f0"])
def test_a_newer_schema_is_not_touched(path: Path, found: str) -> None:
    _do(path, f"UPDATE {VERSION_TABLE} SET version_num = '{found}'")
    with pytest.raises(Conflict, match=f"schema {found} found, {REVISIONS[-1]} is the newest") as error:
        SqlState.open(path)
    assert error.value.hint
    assert "Upgrade lockgate" in error.value.hint
    assert _do(path, f"SELECT version_num FROM {VERSION_TABLE}") == [(found,)]


def test_what_is_up_to_date_opens_without_alembic(path: Path) -> None:
    program = (
        "import sys; from lockgate.integrations.sql.state import SqlState; SqlState.open(sys.argv[1]).close();"
        "print([name for name in ('alembic', 'mako', 'psycopg', 'sqlalchemy.orm') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_database_that_is_shared_keeps_the_tables_of_others(tmp_path: Path) -> None:
    path = tmp_path / "shared.db"
    _do(path, "CREATE TABLE alembic_version (version_num TEXT)")
    _do(path, "INSERT INTO alembic_version VALUES ('another program')")
    SqlState.open(path).close()
    assert _do(path, "SELECT * FROM alembic_version") == [("another program",)]


def test_threads_that_open_new_databases_at_once_do_not_mix_them_up(tmp_path: Path) -> None:
    paths = [tmp_path / f"{n % 3}.db" for n in range(6)]
    threads = [Thread(target=lambda path=path: SqlState.open(path).close()) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for path in paths:
        assert _do(path, f"SELECT version_num FROM {VERSION_TABLE}") == [(REVISIONS[-1],)]


def test_a_file_is_in_wal_mode_and_commits_are_flushed(path: Path, state: SqlState) -> None:
    assert _do(path, "PRAGMA journal_mode") == [("wal",)]
    with state.read() as reader:
        connection = reader._connection  # type: ignore[attr-defined]
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_a_person_can_read_it(path: Path, state: SqlState) -> None:
    with state.write() as writer:
        writer.add(VERSIONS, a.version(3, author="Zoë"))
        writer.record(a.happened(details={"why": "“très bien”"}))
    assert _do(path, "SELECT model, version, stage, body ->> 'author' FROM versions") == [("flight-delay", 3, "None", "Zoë")]
    assert _do(path, "SELECT seq, action, actor, authenticated, details FROM events") == [
        (1, "model:version:registered", "anna", 0, '{"why":"“très bien”"}'),
    ]


@pytest.mark.parametrize(
    ("question", "index"),
    [
        ("body FROM versions WHERE model = ? AND version = ?", "sqlite_autoindex_versions_1"),
        ("body FROM versions WHERE model = ? ORDER BY ordinal DESC LIMIT 20", "ix_versions_model"),
        ("body FROM labels WHERE model = ? AND version = ? ORDER BY ordinal DESC LIMIT 20", "ix_labels_model_version"),
        ("body FROM jobs WHERE state = ? ORDER BY ordinal LIMIT 1", "ix_jobs_state"),
        ("count(*) FROM labels WHERE model = ? AND version = ?", "ix_labels_model_version"),
        ("body FROM journal WHERE rollout = ? ORDER BY ordinal", "ix_journal_rollout"),
        ("* FROM events WHERE seq > ? AND subject = ? ORDER BY seq DESC LIMIT 5", "ix_events_subject"),
        ("seq FROM events WHERE seq > ? AND seq < ? AND action = ? ORDER BY seq DESC LIMIT 5", "ix_events_action"),
        ("* FROM events WHERE seq > ? AND seq < ? AND actor = ? ORDER BY seq LIMIT 5", "ix_events_actor"),
    ],
)
def test_questions_use_an_index_and_need_no_sorting(path: Path, question: str, index: str) -> None:
    plan = str(_do(path, f"EXPLAIN QUERY PLAN SELECT {question.replace('?', '1')}"))
    assert index in plan
    assert "B-TREE" not in plan


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE events SET actor = 'mallory' WHERE seq = 4",
        "UPDATE events SET model = 'another' WHERE seq = 4",
        "UPDATE events SET authenticated = 1 WHERE seq = 4",
        "UPDATE events SET details = '{\"n\":5}' WHERE seq = 4",
        "UPDATE events SET details = 'no JSON' WHERE seq = 4",
        "UPDATE events SET at = 'yesterday' WHERE seq = 4",
        "UPDATE events SET action = 'nothing:at:all' WHERE seq = 4",
        "UPDATE events SET hash = prev_hash WHERE seq = 4",
        "UPDATE events SET prev_hash = hash WHERE seq = 4",
        "DELETE FROM events WHERE seq = 4",
        "UPDATE events SET seq = 100 WHERE seq = 4",
    ],
)
def test_tampering_with_the_log_is_found_and_named(path: Path, state: SqlState, tampering: str) -> None:
    with state.write() as writer:
        for n in range(9):
            writer.record(a.happened(details={"n": n}))
    _do(path, tampering)
    with state.read() as reader:
        audit = verify(lambda after, limit: reader.written(after=after, limit=limit))
    assert audit.events == 3
    assert audit.broken
    assert audit.broken.seq == 4


def test_bodies_of_a_newer_lockgate_are_read_as_far_as_we_know_them(path: Path, state: SqlState) -> None:
    with state.write() as writer:
        writer.add(LABELS, a.label())
    _do(path, "UPDATE labels SET body = json_insert(body, '$.invented_later', 1)")
    with state.read() as reader:
        assert reader.find(LABELS) == [a.label()]


def _do(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement).fetchall()
