"""Several processes on one database: they take turns, and one that is killed leaves all of its last transaction or nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lockgate.integrations.sql.state import SqlState
from lockgate.ports.state import LEASES, VERSIONS, Lease
from lockgate.stages.decide.audit import verify
from lockgate.testing import builders as a

_PROGRAM = Path(__file__).parent / "state_process.py"
_SOON = 5.0  # seconds


@contextmanager
def _process(verb: str, url: str) -> Iterator[subprocess.Popen[str]]:
    """Loaded, and waiting for the word to begin."""
    command = [sys.executable, str(_PROGRAM), verb, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert _line(process) == "ready"
            yield process
        finally:
            process.kill()


def _begin(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def test_processes_take_turns(database: str, sql_state: SqlState) -> None:
    with _process("count", database) as one, _process("count", database) as other:
        _begin(one)
        _begin(other)
        assert (one.wait(), other.wait()) == (0, 0)
    with sql_state.read() as reader:
        assert reader.find(LEASES) == [Lease("counter", "", 100)]
        assert [event.happened.details["until"] for event in reader.events()] == list(range(100))
        assert verify(lambda after, limit: reader.written(after=after, limit=limit)).broken is None


def test_a_process_killed_within_a_transaction_leaves_nothing_of_it(database: str, sql_state: SqlState) -> None:
    with sql_state.write() as writer:
        writer.add(VERSIONS, a.version(1))
    with _process("hang", database) as process:
        _begin(process)
        assert _line(process) == "inside"
        with sql_state.read() as reader:  # its changes are made, and nobody sees them
            assert reader.find(VERSIONS) == [a.version(1)]
        process.kill()
        process.wait()
        killed = time.monotonic()
    with sql_state.write() as writer:  # nor does its lock outlive it
        assert writer.find(VERSIONS) == [a.version(1)]
        assert writer.record(a.happened()).seq == 1
    assert time.monotonic() - killed < _SOON


def test_what_was_committed_outlives_a_kill(database: str, sql_state: SqlState) -> None:
    with _process("commit", database) as process:
        _begin(process)
        while int(told := _line(process)) < 40:
            pass
        process.kill()
        rest = process.stdout.read().split() if process.stdout else []
    last = int(rest[-1] if rest else told)
    with sql_state.read() as reader:
        kept = [version.version for version in reader.find(VERSIONS)]
        audit = verify(lambda after, limit: reader.written(after=after, limit=limit))
    assert kept == list(range(1, len(kept) + 1))
    assert len(kept) in (last, last + 1)  # the last may have been committed and not told
    assert (audit.events, audit.broken) == (len(kept), None)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.integration)])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new' / 'state.db'}"
    make: Callable[[str], str] = request.getfixturevalue("new_postgres_database")
    return make("template1")


def test_processes_that_open_an_empty_database_at_once_all_find_it_ready(empty_database: str) -> None:
    with (
        _process("migrate", empty_database) as one,
        _process("migrate", empty_database) as two,
        _process("migrate", empty_database) as three,
    ):
        for process in (one, two, three):
            _begin(process)
        assert [process.wait() for process in (one, two, three)] == [0, 0, 0]
    state = SqlState.open(empty_database)
    with state.read() as reader:
        assert [event.seq for event in reader.events()] == [1, 2, 3]
    state.close()
