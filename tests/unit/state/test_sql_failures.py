"""What cannot be done is said in our words, with the place and the next step."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pytest

from lockgate.integrations.sql.state import SqlState
from lockgate.kernel.errors import Corrupt, Invalid, MissingExtra, Unavailable
from lockgate.ports.state import VERSIONS
from lockgate.testing import builders as a


def test_a_writer_that_waits_in_vain_says_so(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    one, other = SqlState.open(path), SqlState.open(path, patience=0.05)
    with one.write() as writer:
        writer.add(VERSIONS, a.version(1))
        with pytest.raises(Unavailable, match=r"state\.db: database is locked") as error, other.write():
            pass
        assert error.value.hint
    with other.write() as writer:
        assert writer.count(VERSIONS) == 1
    one.close()
    other.close()


def test_a_database_that_is_locked_while_it_is_made_says_so(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Unavailable, match="locked"):
        SqlState.open(path, patience=0.05)
    holder.close()


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_text("These are notes, and they are long enough to be taken for a header of something else.\n" * 20)
    with pytest.raises(Corrupt, match="file is not a database"):
        SqlState.open(path)


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="unable to open database file"):
        SqlState.open(tmp_path)


def test_a_damaged_body_says_so(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    state = SqlState.open(path)
    with state.write() as writer:
        writer.add(VERSIONS, a.version(1))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE versions SET body = '{\"model\": 1}'")
    connection.close()
    with state.read() as reader, pytest.raises(Corrupt, match="versions: what is stored is no ModelVersion: Expected `str`"):
        reader.get(VERSIONS, a.MODEL, 1)
    state.close()


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("mysql://somebody:secret@host/name", "mysql"),
        ("sqlite://", "without a file"),
        ("sqlite:///:memory:", "without a file"),
        ("postgresql://:port/[", "cannot be read"),
    ],
)
def test_another_database_is_refused(where: str, said: str) -> None:
    with pytest.raises(Invalid, match=said) as error:
        SqlState.open(where)
    assert "secret" not in error.value.message


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtra) as error:
        SqlState.open("postgresql://host/name")
    assert error.value.hint == "pip install 'lockgate[postgres]'"
