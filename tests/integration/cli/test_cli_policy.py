"""The verbs of deciding in company: policy, break-glass, alias, and what a request needs under them."""

from __future__ import annotations

import re

import pytest

from tests.integration.cli.command import CommandLine
from tests.samples.registry import POLICY_FILE


@pytest.fixture
def here(elsewhere: CommandLine) -> CommandLine:
    (elsewhere.folder / "policy.yaml").write_text(POLICY_FILE)
    return elsewhere


def test_a_policy_is_checked_set_and_shown(here: CommandLine) -> None:
    assert here("policy", "set", "policy.yaml", "--as", "olga").code == 0
    shown = here("policy", "show")
    assert "set by olga at" in shown.out
    assert POLICY_FILE in shown.out
    assert here("policy", "show", "--json").json["policy"]["stages"]["Production"]["need"] == 2
    (here.folder / "policy.yaml").write_text("roles: {}\nbreak_glas: {}\n")
    wrong = here("policy", "check", "policy.yaml")
    assert (wrong.code, here("policy", "set", "policy.yaml").code) == (1, 1)
    assert "policy.yaml:2: break_glas: unknown key" in wrong.err
    assert "did you mean 'break_glass'?" in wrong.err
    assert POLICY_FILE in here("policy", "show").out, "what has faults is not set"


def test_checking_needs_no_home_and_makes_none(here: CommandLine) -> None:
    said = here("policy", "check", "policy.yaml")
    assert (said.code, said.out) == (0, "policy.yaml has no faults\n")
    assert here("policy", "check", "nowhere.yaml").code == 1
    assert not here.home.exists()


def test_breaking_the_glass_is_for_those_who_may(here: CommandLine) -> None:
    here("policy", "set", "policy.yaml")
    refused = here("break-glass", "open", "--why", "harm", "--as", "ben")
    assert refused.code == 3
    assert "ben has none of the roles that may break the glass: release-managers" in refused.err
    opened = here("break-glass", "open", "--why", "harm", "--as", "olga")
    [glass] = re.findall(r"^(glass-\w+) stands open for olga until", opened.out, re.MULTILINE)
    assert "open until" in here("break-glass", "list").out
    assert here("break-glass", "close", glass, "--as", "ben").out == f"{glass} is closed\n"
    assert "was over at" in here("break-glass", "list").out
    assert here("break-glass", "close", glass).code == 1


def test_names_of_versions(lockgate: CommandLine) -> None:
    run = lockgate("run", "--json").json
    model, number = run["model"], str(run["version"])
    assert lockgate("alias", "set", model, "challenger", number).out == f"challenger of {model} is version {number}\n"
    assert f"it was version {number}" in lockgate("alias", "remove", model, "challenger").out
    assert lockgate("alias", "remove", model, "challenger").code == 1
    refused = lockgate("alias", "set", model, "champion", number)
    assert refused.code == 3
    assert f"lockgate request {model} VERSION --to Production" in refused.err
    assert run["author_email"] == "ada@example.org", "by which a user is known as the author"


def test_a_yes_under_break_glass_is_marked_in_the_log(lockgate: CommandLine) -> None:
    run = lockgate("run", "--json").json
    (lockgate.folder / "policy.yaml").write_text(POLICY_FILE)
    assert lockgate("policy", "set", "policy.yaml").code == 0
    asked = lockgate("request", run["model"], str(run["version"]), "--to", "Archived", "--as", "ben", "--json").json
    assert lockgate("break-glass", "open", "--why", "harm", "--as", "olga").code == 0
    assert lockgate("approve", asked["id"], "--as", "olga").code == 0
    (line,) = [one for one in lockgate("audit", "log").out.splitlines() if "request:transition:approved" in one]
    assert "(break-glass)" in line
