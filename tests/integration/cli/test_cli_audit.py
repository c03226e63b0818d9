"""The audit log by hand: verified, signed, looked back in; and whoever tampers with the database is told where."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, make_url

from lockgate.domain.events import Action, Event, chained, written
from lockgate.domain.models import Stage
from lockgate.integrations.sql.state import SqlState
from lockgate.ports.state import MODELS, VERSIONS
from lockgate.testing import builders as a
from lockgate.testing.clock import START
from lockgate.usecases.apply_stage import apply_stage
from tests.integration.cli.command import CommandLine

Tamper = Callable[[str], None]
EVENTS = 12


@pytest.fixture
def place(tmp_path: Path) -> str:
    """Where the command line will find its state."""
    return f"sqlite:///{tmp_path / 'empty' / '.lockgate' / 'state.db'}"


def _tell(place: str) -> None:
    """Twelve things have happened, an hour apart."""
    state = SqlState.open(place)
    with state.write() as tx:
        tx.add(MODELS, a.registered_model(latest_version=2))
        for number in range(EVENTS):
            action = Action.COMMENT_ADDED if number % 3 else Action.FINDING_RECORDED
            at = START + number * timedelta(hours=1)
            tx.record(a.happened(action=action, actor=("anna", "ben")[number % 2], at=at, model=a.MODEL, details={"n": number}))
    state.close()


def _tamper(place: str, statement: str) -> None:
    url = make_url(place)
    engine = create_engine(url if url.get_backend_name() == "sqlite" else url.set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.fixture
def told(elsewhere: CommandLine, place: str) -> CommandLine:
    _tell(place)
    return elsewhere


@pytest.fixture
def tamper(place: str) -> Tamper:
    return partial(_tamper, place)


@pytest.mark.integration
def test_tampering_on_postgresql_is_named(postgres: str, tmp_path: Path) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS audit_by_hand WITH (FORCE)")
        connection.execute("CREATE DATABASE audit_by_hand")
    place = make_url(postgres).set(database="audit_by_hand").render_as_string()
    _tell(place)

    def lockgate(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "lockgate.entrypoints.cli", *arguments, "--home", str(tmp_path / "home")]
        return subprocess.run(
            command, check=False, capture_output=True, text=True, env={**os.environ, "LOCKGATE_DATABASE": place}
        )

    assert lockgate("audit", "checkpoint").returncode == 0
    assert "1 signed checkpoint agrees" in lockgate("audit", "verify").stdout
    _tamper(place, "UPDATE events SET details = '{\"n\":7}' WHERE seq = 7")
    found = lockgate("audit", "verify")
    assert (found.returncode, "broken at event 7: event 7 was altered" in found.stdout) == (1, True)
    _tamper(place, "UPDATE events SET details = '{\"n\":6}' WHERE seq = 7")
    _tamper(place, "DELETE FROM events WHERE seq > 9")
    assert "broken at event 10: the end of the log is missing" in lockgate("audit", "verify").stdout


def test_a_row_that_was_altered_is_named(told: CommandLine, tamper: Tamper) -> None:
    whole = told("audit", "verify")
    assert (whole.code, f"whole: {EVENTS} events" in whole.out) == (0, True)
    tamper("UPDATE events SET actor = 'mallory' WHERE seq = 7")
    found = told("audit", "verify")
    assert found.code == 1
    assert "broken at event 7: event 7 was altered" in found.out
    assert "Next: " in found.out
    assert told("audit", "verify", "--json").json["broken"]["seq"] == 7


def test_an_end_that_was_cut_off_is_missed_by_the_checkpoint_in_the_state_and_by_the_one_kept_elsewhere(
    told: CommandLine, tamper: Tamper, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.jsonl"
    made = told("audit", "checkpoint")
    kept.write_text(made.out)
    assert json.loads(made.out)["seq"] == EVENTS
    assert "1 signed checkpoint agrees, the last at event 12" in told("audit", "verify", "--against", str(kept)).out
    tamper("DELETE FROM events WHERE seq > 9")
    assert "broken at event 10: the end of the log is missing" in told("audit", "verify").out
    tamper("DELETE FROM checkpoints")
    assert told("audit", "verify").code == 0, "nothing here tells it any more"
    found = told("audit", "verify", "--against", str(kept))
    assert found.code == 1
    assert "event 12 was signed" in found.out


def test_a_log_that_was_hashed_anew_is_found(told: CommandLine, tamper: Tamper, place: str) -> None:
    told("audit", "checkpoint")
    state = SqlState.open(place)
    with state.read() as tx:
        events = tx.events()
    state.close()
    for event in _forged(events, 5):
        row = written(event)
        columns = f"actor = '{row.actor}', prev_hash = '{row.prev_hash}', hash = '{row.hash}'"
        tamper(f"UPDATE events SET {columns} WHERE seq = {row.seq}")  # noqa: S608 - tampering is what this does
    found = told("audit", "verify")
    assert found.code == 1
    assert "the log was hashed anew: event 12 has" in found.out
    refused = told("audit", "checkpoint")
    assert (refused.code, refused.out) == (1, "")


def _forged(events: list[Event], seq: int) -> list[Event]:
    made: list[Event] = events[: seq - 1]
    for event in events[seq - 1 :]:
        said = replace(event.happened, actor="mallory") if event.seq == seq else event.happened
        made.append(chained(event.seq, said, made[-1].hash))
    return made[seq - 1 :]


def test_another_homes_checkpoints_are_told_and_trusted_by_their_public_key(told: CommandLine, tmp_path: Path) -> None:
    key = told("audit", "key").out.strip()
    kept = tmp_path / "kept.jsonl"
    kept.write_text(told("audit", "checkpoint").out)
    (told.home / "secrets" / "audit.key").unlink()
    other = told("audit", "key").out.strip()
    assert (key.startswith("ed25519:"), other != key) == (True, True)
    assert "by a key that is not trusted here" in told("audit", "verify").out
    refused = told("audit", "verify", "--against", str(kept))
    assert (refused.code, "--key" in refused.err) == (1, True)
    assert "1 signed checkpoint agrees" in told("audit", "verify", "--against", str(kept), "--key", key).out
    bad = told("audit", "verify", "--key", "ed25519:AAAA")
    assert (bad.code, "32 bytes expected" in bad.err) == (1, True)


def test_a_file_that_holds_no_checkpoints_is_refused(told: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "kept.jsonl"
    for content in ("nothing", "[]", '{"seq": "one"}'):
        file.write_text(content)
        said = told("audit", "verify", "--against", str(file))
        assert said.code == 1
        assert "no checkpoints" in said.err


def test_the_log_is_filtered_and_paged(told: CommandLine) -> None:
    def seqs(*options: str) -> list[int]:
        return [one["seq"] for one in told("audit", "log", "--json", *options).json]

    assert seqs("--action", "watch:*") == [1, 4, 7, 10]
    assert seqs("--actor", "ben", "--before", "8", "-n", "2") == [4, 6]
    assert seqs("--since", "2026-01-05T11:00", "--until", "2026-01-05T13:00:00+00:00") == [3, 4, 5]
    assert seqs("--model", "another") == []
    assert "no action is like" in told("audit", "log", "--action", "nothing:*").err


def test_what_stood_where_at_a_time(told: CommandLine, place: str) -> None:
    state = SqlState.open(place)
    with state.write() as tx:
        for number in (1, 2):
            tx.add(VERSIONS, a.version(number))
            apply_stage(tx, a.version(number), Stage.PRODUCTION, a.BEN, START + timedelta(days=number))
    state.close()
    then = told("audit", "at", "2026-01-06T12:00", "--json").json
    assert [(one["version"], one["stage"]) for one in then["stages"]] == [(1, "Production")]
    later = told("audit", "at", "2026-01-08", "--model", a.MODEL).out
    assert "champion" in later
    assert "Archived" in later
    nobody = told("audit", "at", "2026-01-08", "--model", "another")
    assert (nobody.code, "there never was a model 'another'" in nobody.err) == (1, True)
    ahead = told("audit", "at", "2099-01-01")
    assert (ahead.code, "is in the future: this is how things stand now" in ahead.err) == (0, True)
