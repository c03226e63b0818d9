"""The verbs for users and their tokens, and who the command line is with a token in its environment."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.cli.command import CommandLine, Said

EVERYWHERE = "0.0.0.0"  # noqa: S104 - it does not start there


@pytest.fixture
def here(elsewhere: CommandLine) -> CommandLine:
    return elsewhere


def token(here: CommandLine, name: str, *options: str) -> str:
    said = here("user", "token", name, *options)
    assert said.code == 0, said.err
    return said.out.strip()


def with_token(here: CommandLine, text: str, *words: str) -> Said:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("LOCKGATE_TOKEN", text)
        return here(*words)


def last_event(here: CommandLine) -> tuple[str, str, bool]:
    """Its action, its actor, and whether that name was checked."""
    event = here("audit", "log", "--json").json[-1]
    happened = event.get("happened", event)
    return happened["action"], happened["actor"], happened["authenticated"]


def test_the_first_user_is_told_what_it_means(here: CommandLine) -> None:
    first = here("user", "add", "anna", "--group", "release")
    assert first.code == 0
    assert "answers nobody whom it does not know" in first.out
    assert "No policy names roles" in first.out
    second = here("user", "add", "ben")
    assert "answers nobody" not in second.out


def test_a_user_is_told_the_roles_that_the_policy_gives(here: CommandLine) -> None:
    (here.folder / "policy.yaml").write_text("roles:\n  approvers: [group:release]\n  others: [dora]\n")
    assert here("policy", "set", "policy.yaml").code == 0
    assert "By the policy: approvers." in here("user", "add", "anna", "--group", "release").out
    assert "gives no role" in here("user", "add", "ben").out


def test_a_token_is_shown_once_and_kept_as_a_hash(here: CommandLine) -> None:
    here("user", "add", "anna")
    said = here("user", "token", "anna", "--scope", "read", "--for", "dashboard", "--expires", "30d")
    text = said.out.strip()
    assert re.fullmatch(r"lgu_[0-9a-f]{12}_[0-9a-f]{64}", text)
    assert "the only time" in said.err
    [anna] = here("user", "list", "--json").json
    [kept] = anna["tokens"]
    assert (kept["name"], kept["scopes"], kept["good"]) == ("dashboard", ["read"], True)
    everywhere = b"".join(path.read_bytes() for path in here.home.rglob("*") if path.is_file())
    assert text[17:].encode() not in everywhere


@pytest.mark.parametrize("expires", ["0s", "367d", "soon", "9" * 9 + "w"])
def test_a_lifetime_that_makes_no_sense(here: CommandLine, expires: str) -> None:
    here("user", "add", "anna")
    assert here("user", "token", "anna", "--expires", expires).code in (1, 2)
    assert "a lifetime of 900d found" in here("user", "token", "anna", "--expires", "900d").err
    assert here("user", "list", "--json").json[0]["tokens"] == []


def test_who_acts_is_who_the_token_says_and_it_is_recorded(here: CommandLine) -> None:
    here("user", "add", "anna")
    admin = token(here, "anna", "--scope", "admin")
    assert last_event(here)[2] is False
    assert with_token(here, admin, "user", "add", "ben").code == 0
    assert last_event(here) == ("access:user:set", "anna", True)
    assert with_token(here, admin, "user", "add", "carl", "--as", "anna").code == 0
    contradicts = with_token(here, admin, "user", "add", "dora", "--as", "ben")
    assert contradicts.code == 2
    assert "anna's" in contradicts.err


def test_a_token_without_the_scope_does_nothing(here: CommandLine) -> None:
    here("user", "add", "anna")
    usual = token(here, "anna")
    refused = with_token(here, usual, "user", "add", "ben")
    assert refused.code == 3
    assert "'admin'" in refused.err
    assert with_token(here, usual, "token", "create", "--name", "ci", "--scope", "infer").code == 3
    writes = token(here, "anna", "--scope", "write")
    assert "'decide'" in with_token(here, writes, "approve", "request-1").err
    assert "'decide'" not in with_token(here, usual, "approve", "request-1").err
    assert [one["name"] for one in with_token(here, usual, "user", "list", "--json").json] == ["anna"], "reading needs no actor"


def test_a_token_that_ended_is_no_reason_to_act_as_somebody_else(here: CommandLine) -> None:
    here("user", "add", "anna")
    text = token(here, "anna", "--scope", "admin")
    assert here("user", "revoke", text.split("_")[1]).code == 0
    refused = with_token(here, text, "user", "add", "ben", "--as", "ben")
    assert refused.code == 3
    assert text[17:] not in refused.err
    assert with_token(here, "nonsense", "user", "add", "ben").code == 3


def test_a_name_still_acts_on_a_home_with_users(here: CommandLine) -> None:
    here("user", "add", "anna")
    assert here("user", "groups", "anna", "release", "--as", "olga").code == 0
    assert last_event(here) == ("access:user:set", "olga", False)


def test_disable_and_enable(here: CommandLine) -> None:
    here("user", "add", "anna")
    assert here("user", "disable", "anna").code == 0
    assert here("user", "list", "--json").json[0]["disabled_at"]
    assert here("user", "disable", "anna").code == 1
    assert here("user", "token", "anna").code == 1
    assert here("user", "enable", "anna").code == 0
    assert here("user", "disable", "nobody").code == 1


def test_names_that_nobody_has(here: CommandLine) -> None:
    for name in ("policy", "learner", "group:release"):
        assert here("user", "add", name).code == 1
        assert here("user", "add", "anna", "--as", name).code == 2


def test_a_control_plane_for_everybody_does_not_start(here: CommandLine, tmp_path: Path) -> None:
    said = here("up", "--host", EVERYWHERE, "--data-host", "127.0.0.1")
    assert said.code == 1
    assert "users: " in said.err
    assert "tls: " in said.err
    assert "lockgate user add" in said.err
    assert here("up", "--url", "https://lock.example/path").code == 1
    here("user", "add", "anna")
    still = here("up", "--host", EVERYWHERE, "--data-host", "127.0.0.1")
    assert "users: " not in still.err
    assert "tls: " in still.err
