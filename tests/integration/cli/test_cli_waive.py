"""`lockgate waive` and `lockgate waivers`: who may, what is said, and what is left behind."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lockgate.domain.policy import Policy, WaiverRule
from lockgate.domain.runs import RunStatus
from lockgate.domain.verdicts import GateVerdict
from lockgate.entrypoints.cli import DONE, FAILED, SAID_NO, USAGE
from lockgate.ports.state import MODELS, POLICIES, RUNS, VERSIONS, WAIVERS
from lockgate.stages.decide.waiving import waive
from lockgate.testing import builders
from lockgate.testing.builders import gate_result
from lockgate.testing.company import policy_record, waiver
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world
from tests.integration.cli.command import CommandLine

pytestmark = pytest.mark.integration

FAILED_GATE = gate_result(verdict=GateVerdict.FAIL, detail="auc is 0.6")
ASKED = ("waive", builders.MODEL, "quality", "--why", "the label is late", "--for", "2d")


@pytest.fixture
def lockgate(elsewhere: CommandLine) -> CommandLine:
    """A home with a refused run."""
    world = open_world(Home(elsewhere.home))
    with world.state.write() as tx:
        tx.put(RUNS, builders.run(status=RunStatus.REFUSED, gates=(FAILED_GATE,), error="gate quality"))
    return elsewhere


def allow(lockgate: CommandLine) -> None:
    with open_world(Home(lockgate.home)).state.write() as tx:
        policy = Policy(roles={"risk": ("olga",)}, waivers=WaiverRule(roles=("risk",), longest=7 * 86400.0))
        tx.put(POLICIES, policy_record(policy=policy))


def test_without_a_rule_nobody_may_and_it_is_said_how_to_allow_it(lockgate: CommandLine) -> None:
    said = lockgate(*ASKED, "--as", "olga")
    assert said.code == SAID_NO
    assert "the policy has no rule for it" in said.err
    assert "lockgate policy set FILE" in said.err


def test_a_waiver_is_granted_listed_and_withdrawn(lockgate: CommandLine) -> None:
    allow(lockgate)
    assert lockgate("waivers").out == "Waivers: none: every gate must pass\n"
    said = lockgate(*ASKED, "--rule", "auc >= 0.65", "--as", "olga")
    assert said.code == DONE
    waiver_id = said.out.partition(":")[0]
    assert f"{waiver_id}: gate quality (auc >= 0.65) of flight-delay is waived until" in said.out
    assert f"lockgate waivers withdraw {waiver_id} --why REASON" in said.out

    (listed,) = lockgate("waivers", "--model", builders.MODEL, "--json").json
    assert (listed["id"], listed["by"], listed["version"], listed["why"]) == (waiver_id, "olga", 0, "the label is late")
    assert lockgate("waivers", "--model", "fares", "--json").json == []
    assert lockgate("waivers", "withdraw", waiver_id, "--why", "no", "--as", "anna").code == SAID_NO
    said = lockgate("waivers", "withdraw", waiver_id, "--why", "mended", "--as", "olga")
    assert (said.code, said.out) == (
        DONE, f"{waiver_id} is withdrawn: gate quality (auc >= 0.65) of flight-delay counts as it was measured\n",
    )  # fmt: skip
    assert "withdrawn" in lockgate("waivers").out
    assert [event["happened"]["action"] for event in lockgate("audit", "log", "--json").json] == [
        "gate:waiver:granted",
        "gate:waiver:withdrawn",
    ]


def test_what_makes_no_sense_is_refused(lockgate: CommandLine) -> None:
    allow(lockgate)
    assert lockgate(*ASKED[:-1], "soon", "--as", "olga").code == USAGE
    long = lockgate(*ASKED[:-1], "31d", "--as", "olga")
    assert (long.code, "a lifetime of 31d found, more than nothing and at most 1w expected" in long.err) == (FAILED, True)
    assert "a lifetime of 0s found" in lockgate(*ASKED[:-1], "0s", "--as", "olga").err
    assert lockgate(*ASKED[:-1], "99999999d", "--as", "olga").code == FAILED
    assert lockgate(*ASKED[:-1], "999999999w", "--as", "olga").code == USAGE, "beyond what a time can be"
    assert lockgate("waive", builders.MODEL, "quality", "--for", "2d", "--as", "olga").code == USAGE, "without a reason"


def test_a_run_says_which_gate_was_waived_by_whom_and_what_it_measured(lockgate: CommandLine) -> None:
    now = waiver().granted_at
    gates = waive([FAILED_GATE], [waiver(until=now + timedelta(days=2))], 1, now)
    with open_world(Home(lockgate.home)).state.write() as tx:
        tx.put(RUNS, builders.run(id="run-2", status=RunStatus.REGISTERED, version=1, gates=gates))
        tx.put(MODELS, builders.registered_model(latest_version=1))
        tx.put(VERSIONS, builders.version(gates=(gate_result(), *gates)))
        tx.put(WAIVERS, waiver(until=now + timedelta(days=20_000)))
    assert "1/2, 1 waived" in lockgate("versions", builders.MODEL).out
    with open_world(Home(lockgate.home)).state.write() as tx:
        tx.put(WAIVERS, waiver(until=now + timedelta(days=2)))
    ended = lockgate("versions", builders.MODEL).out
    assert "1/2" in ended
    assert "waived" not in ended, "a waiver that ended is no pass"
    out = lockgate("runs", "show", "run-2").out
    assert "WAIVED auc >= 0.65: FAIL, auc is 0.6" in out
    assert "waived by ben until" in out
    assert "(waiver-1): known, mended next week" in out
