"""The verbs for callers' keys: shown once, kept as a hash, taken back, and all of it in the audit log."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lockgate.boundary.keys import decode
from tests.integration.cli.command import CommandLine

LABELS = ("token", "create", "--name", "labels", "--scope", "feedback")


@pytest.fixture
def here(elsewhere: CommandLine) -> CommandLine:
    return elsewhere


def file_of(here: CommandLine) -> Path:
    return here.home / "secrets" / "keys.json"


def test_a_key_is_shown_once_and_kept_as_a_hash(here: CommandLine) -> None:
    said = here(
        "token", "create", "--name", "ci", "--scope", "infer", "--scope", "feedback", "--rate", "100/s", "--expires", "30d"
    )
    assert said.code == 0
    text = said.out.strip()
    assert re.fullmatch(r"lgk_[0-9a-f]{12}_[0-9a-f]{64}", text)
    assert "the first one" in said.err
    assert "note" not in said.err
    [key] = decode(file_of(here).read_bytes()).values()
    assert key.opens(text)
    assert (key.name, sorted(key.scopes), key.models) == ("ci", ["feedback", "infer"], ())
    assert key.rate is not None
    assert (key.rate.per_second, key.rate.burst) == (100.0, 100)
    assert key.expires_at is not None
    assert (key.expires_at - key.created_at).days == 30
    assert file_of(here).stat().st_mode & 0o777 == 0o600
    everywhere = b"".join(path.read_bytes() for path in here.home.rglob("*") if path.is_file())
    assert text[17:].encode() not in everywhere


def test_the_second_key_changes_nothing_for_others_and_says_so(here: CommandLine) -> None:
    here(*LABELS)
    assert "the first one" not in here(*LABELS).err
    assert len(here("token", "list", "--json").json) == 2


def test_a_key_for_a_model_that_is_not_there_yet(here: CommandLine) -> None:
    said = here(
        "token", "create", "--name", "ci", "--scope", "infer", "--model", "delays", "--rate", "30/m", "--burst", "7", "--json"
    )
    assert "there is no model 'delays' yet" in said.err
    assert said.json["models"] == ["delays"]
    assert said.json["rate"] == {"per_second": 0.5, "burst": 7}
    assert said.json["key"].startswith(f"lgk_{said.json['id']}_")


def test_lists_tell_no_secret(here: CommandLine) -> None:
    text = here("token", "create", "--name", "ci", "--scope", "infer").out.strip()
    [listed] = here("token", "list", "--json").json
    assert listed["good"] is True
    [key] = decode(file_of(here).read_bytes()).values()
    for said in (here("token", "list").out, here("token", "list", "--json").out):
        assert listed["id"] in said
        assert not any(secret in said for secret in (text, text[17:], key.hash, key.hash.removeprefix("sha256:")))


def test_a_key_is_revoked_once(here: CommandLine) -> None:
    made = here("token", "create", "--name", "ci", "--scope", "infer", "--json").json
    other = here(*LABELS, "--json").json
    revoked = here("token", "revoke", made["id"], "--as", "Ada", "--json")
    assert revoked.json["good"] is False
    assert {one["id"]: one["good"] for one in here("token", "list", "--json").json} == {made["id"]: False, other["id"]: True}
    again = here("token", "revoke", made["id"])
    assert (again.code, "was revoked at" in again.err) == (1, True)
    happened = [one["happened"] for one in here("audit", "log", "--json").json]
    assert [(one["action"], one["subject"]) for one in happened] == [
        ("access:token:created", made["id"]),
        ("access:token:created", other["id"]),
        ("access:token:revoked", made["id"]),
    ]
    assert happened[0]["details"] == {"name": "ci", "scopes": ["infer"], "models": [], "rate": None, "expires_at": None}
    assert (happened[2]["actor"], happened[2]["details"]) == ("Ada", {"name": "ci"})
    assert here("audit", "verify").code == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["create", "--name", "x"], "--scope"),
        (["create", "--scope", "infer"], "--name"),
        (["create", "--name", "x", "--scope", "everything"], "'everything' is not one of"),
        (["create", "--name", "x", "--scope", "infer", "--rate", "fast"], "such as 100/s"),
        (["create", "--name", "x", "--scope", "infer", "--rate", "0/s"], "such as 100/s"),
        (["create", "--name", "x", "--scope", "infer", "--burst", "3"], "give that too"),
        (["create", "--name", "x", "--scope", "infer", "--expires", "soon"], "such as 30m"),
        (["create", "--name", "x", "--scope", "infer", "--expires", "9999w"], "at most ten years"),
        (["revoke"], "ID"),
    ],
)
def test_wrong_usage_is_2_and_makes_no_key(here: CommandLine, words: list[str], expected: str) -> None:
    said = here("token", *words)
    assert said.code == 2
    assert expected in said.err
    assert not here.home.exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["create", "--name", "x", "--scope", "metrics", "--model", "delays"], "concerns every model"),
        (["create", "--name", "x", "--scope", "infer", "--model", ""], "an empty name"),
        (["create", "--name", " ", "--scope", "infer"], "printable characters expected"),
        (["create", "--name", "a\nb", "--scope", "infer"], "printable characters expected"),
        (["revoke", "0123456789ab"], "there is no key"),
    ],
)
def test_what_makes_no_sense_is_refused(here: CommandLine, words: list[str], expected: str) -> None:
    here(*LABELS)
    before = file_of(here).read_bytes()
    said = here("token", *words)
    assert (said.code, expected in said.err) == (1, True)
    assert file_of(here).read_bytes() == before


def test_a_file_that_cannot_be_understood_is_not_written_over(here: CommandLine) -> None:
    here(*LABELS)
    file_of(here).write_text("{")
    said = here(*LABELS)
    assert (said.code, "this is no file of keys" in said.err) == (1, True)
    assert file_of(here).read_text() == "{"
    assert len(here("audit", "log", "--json").json) == 1, "what was not done is no event"


@pytest.mark.parametrize("words", [["token", "list"], ["token", "revoke", "0123456789ab"]], ids=" ".join)
def test_looking_where_nothing_is_makes_nothing(here: CommandLine, words: list[str]) -> None:
    said = here(*words)
    assert said.code == 1
    assert f"there is no home at {here.home}" in said.err
    assert not here.home.exists()


def test_up_says_at_once_what_is_missing_beyond_this_machine(here: CommandLine) -> None:
    said = here("up", "--data-host", "0.0.0.0")  # noqa: S104 - it does not come to that
    assert said.code == 1
    assert all(part in said.err for part in ("has 2 faults", "keys: ", "tls: ", "lockgate token create"))
    here(*LABELS)
    said = here("up", "--data-host", "0.0.0.0")  # noqa: S104
    assert (said.code, "has 1 fault:\n  tls: " in said.err) == (1, True)
    assert not (here.home / "up.json").exists()


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["--tls-cert", "text"], 2, "both a certificate and its key"),
        (["--tls-cert", "none", "--tls-key", "text"], 2, "'none' does not exist"),
        (["--tls-cert", "text", "--tls-key", "text"], 1, "cannot be used"),
    ],
)
def test_up_looks_at_its_tls_files_first(here: CommandLine, words: list[str], code: int, expected: str) -> None:
    (here.folder / "text").write_text("no certificate")
    said = here("up", *words)
    assert (said.code, expected in said.err) == (code, True), said.err
