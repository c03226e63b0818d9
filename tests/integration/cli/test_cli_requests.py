"""`lockgate requests`, and what those who ask and those who decide are told of the others."""

from __future__ import annotations

import pytest

from lockgate.domain.access import User
from lockgate.domain.models import Stage
from lockgate.domain.projects import ApprovalPolicy, Environment
from lockgate.domain.rollouts import Plan
from lockgate.entrypoints.cli import DONE, FAILED
from lockgate.ports.state import MODELS, PROJECTS, RUNS, USERS, VERSIONS
from lockgate.testing import builders as a
from lockgate.testing.clock import START
from lockgate.usecases.find_rule import goal_from
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world
from tests.integration.cli.command import CommandLine
from tests.samples.registry import POLICY_FILE

pytestmark = pytest.mark.integration


@pytest.fixture
def here(elsewhere: CommandLine) -> CommandLine:
    """A version that nobody has moved, and a policy by which two of ben and carl let it in."""
    with open_world(Home(elsewhere.home)).state.write() as tx:
        environment = Environment(Plan(), ApprovalPolicy(excluded=()))
        tx.put(PROJECTS, a.project(environments={"staging": environment, "production": environment}))
        tx.put(MODELS, a.registered_model(latest_version=1))
        tx.put(RUNS, a.run())
        tx.put(VERSIONS, a.version(gates=(a.gate_result(),)))
    (elsewhere.folder / "policy.yaml").write_text(POLICY_FILE)
    assert elsewhere("policy", "set", "policy.yaml").code == DONE
    return elsewhere


def _ask(here: CommandLine) -> str:
    said = here("request", a.MODEL, "1", "--to", "Production", "--comment", "better on rain", "--as", "ada")
    request = said.out.partition(":")[0]
    assert "Next: 2 people (role approvers), and not ada must say: lockgate approve " + request in said.out
    return request


def test_open_requests_say_who_has_agreed_and_who_is_missing(here: CommandLine) -> None:
    assert here("requests").out == "Open requests: none\n"
    request = _ask(here)
    said = here("approve", request, "--as", "ben").out
    assert f"{request} has your word and needs that of 1 more (role approvers; not the requester or the author)" in said
    listed = here("requests", "--model", a.MODEL).out
    for part in (request, "Production", "ada", "1 of 2 (ben)", "better on rain"):
        assert part in listed
    [told] = here("requests", "--json").json
    assert (told["id"], told["approvals"]["have"], told["approvals"]["need"]) == (request, 1, 2)
    shown = here("requests", "show", request)
    assert "approve by ben" in shown.out
    assert "it needs the word of 1 more (role approvers" in shown.out
    assert f"{request} → Production, 1 of 2" in here("status").out


def test_names_that_are_not_there_are_said(here: CommandLine) -> None:
    assert (here("requests", "--model", "nope").code, here("requests", "show", "request-nope").code) == (FAILED, FAILED)


def test_setting_a_policy_says_which_approvals_are_void_and_the_same_again_voids_none(here: CommandLine) -> None:
    request = _ask(here)
    here("approve", request, "--as", "ben")
    again = here("policy", "set", "policy.yaml", "--as", "olga").out
    assert again.startswith("unchanged: ")
    assert "1 of 2 (ben)" in here("requests").out
    (here.folder / "policy.yaml").write_text(POLICY_FILE + "waivers: {from: [release-managers]}\n")
    said = here("policy", "set", "policy.yaml", "--as", "olga").out
    assert f"1 approval is void: of {request} ({a.MODEL} 1 → Production), by ben" in said
    assert "0 of 2" in here("requests").out
    actions = [event["happened"]["action"] for event in here("audit", "log", "--json").json]
    assert (actions.count("policy:rules:set"), actions.count("request:approval:voided")) == (2, 1)


def test_a_policy_that_asks_for_more_people_than_there_are_is_noted(here: CommandLine) -> None:
    assert here("policy", "check", "policy.yaml").err == "", "without users nothing is known of people"
    with open_world(Home(here.home)).state.write() as tx:
        for name in ("ben", "olga"):
            tx.put(USERS, User(name, START, ()))
    said = here("policy", "check", "policy.yaml")
    assert said.code == DONE
    assert "note: role 'approvers' names carl, which no user here is or is in" in said.err
    assert "note: nobody can let a version into Production: 2 different people of approvers must say yes" in said.err
    assert "and there is 1 user who may" in said.err


@pytest.mark.parametrize(
    ("edges", "goal"),
    [
        ("", Stage.PRODUCTION),
        ("edges: [any -> Staging, Staging -> Production]\n", Stage.STAGING),
        ("edges: [Staging -> Production, any -> Archived]\n", None),
    ],
)
def test_the_next_step_is_one_that_the_policy_lets_a_version_take(here: CommandLine, edges: str, goal: Stage | None) -> None:
    (here.folder / "policy.yaml").write_text(POLICY_FILE + edges)
    here("policy", "set", "policy.yaml")
    with open_world(Home(here.home)).state.read() as tx:
        assert goal_from(tx, Stage.NONE) is goal


def test_what_cannot_be_asked_or_decided_says_what_can(here: CommandLine) -> None:
    assert f"next: See what stands where: lockgate versions {a.MODEL}" in here("request", a.MODEL, "1", "--to", "None").err
    request = _ask(here)
    assert here("cancel", request, "--as", "ada").code == DONE
    said = here("approve", request, "--as", "ben").err
    assert f"lockgate requests show {request}. Ask again: lockgate request {a.MODEL} 1 --to Production" in said
