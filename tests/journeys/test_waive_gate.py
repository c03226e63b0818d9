"""A gate that did not pass: who may waive it, for how long, what it opens, and when that ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lockgate.domain.events import Action, Event
from lockgate.domain.models import ModelVersion
from lockgate.domain.people import Actor
from lockgate.domain.policy import Policy, WaiverRule
from lockgate.domain.runs import Run, RunStatus
from lockgate.domain.verdicts import GateResult, GateVerdict
from lockgate.domain.waivers import Waiver
from lockgate.entrypoints.reading.gates import gates_now
from lockgate.kernel.errors import Conflict, Corrupt, InvalidInput, NotFound, Refused
from lockgate.ports.state import POLICIES, RUNS, VERSIONS, WAIVERS
from lockgate.stages.decide.waiving import effective, waive
from lockgate.testing import builders
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.builders import MODEL, gate_result
from lockgate.testing.clock import VirtualClock
from lockgate.testing.company import policy_record
from lockgate.testing.state import MemoryState
from lockgate.usecases.read_evidence import read_evidence
from lockgate.usecases.register_version import register_version
from lockgate.usecases.waive_gate import grant_waiver, waivers_of, withdraw_waiver
from lockgate.usecases.world import World

OLGA, ANNA = Actor("olga"), Actor("anna")
RISK = Policy(roles={"risk": ("olga", "group:model-risk")}, waivers=WaiverRule(roles=("risk",), longest=7 * 86400.0))
FAILED = gate_result(verdict=GateVerdict.FAIL, detail="auc is 0.6", measured={"point": 0.6})
WEEK = timedelta(days=7)


class Home:
    """A world with a policy and a run whose gate failed."""

    def __init__(self, policy: Policy | None = RISK) -> None:
        self.state, self.artifacts, self.clock = MemoryState(), MemoryArtifacts(), VirtualClock()
        self.world = World(self.state, self.artifacts, self.clock)
        with self.state.write() as tx:
            if policy is not None:
                tx.put(POLICIES, policy_record(policy=policy))
            tx.put(RUNS, builders.run(status=RunStatus.REFUSED, gates=(FAILED,)))

    def grant(self, actor: Actor = OLGA, *, days: float = 7.0, **fields: Any) -> Waiver:
        asked = {"model": MODEL, "gate": "quality", "why": "the label is late", **fields}
        return grant_waiver(self.world, actor, until=self.clock.now() + timedelta(days=days), **asked)

    def judged(self, *gates: GateResult, version: int = 1) -> Run:
        """A run as it is after its gates were judged for the version that comes next."""
        waived = waive(gates, waivers_of(self.world, MODEL), version, self.clock.now())
        return builders.run(id=f"run-{version}-{self.clock.now():%d%H}", gates=waived, data={"flights": builders.digest("data")})

    def register(self, run: Run) -> ModelVersion:
        digests = {name: builders.digest(name) for name in ("digest", "evaluation", "reference")}
        return register_version(self.world, run, ANNA, project=builders.project(), **digests)

    def events(self) -> list[Event]:
        with self.state.read() as tx:
            return tx.events()

    def versions(self) -> int:
        with self.state.read() as tx:
            found: int = tx.count(VERSIONS, model=MODEL)
        return found


def verdict_now(home: Home, version: ModelVersion) -> GateVerdict:
    with home.state.read() as tx:
        return effective(version.gates[0], tx.find(WAIVERS, model=MODEL), version.version, home.clock.now())


def test_a_gate_that_did_not_pass_registers_only_while_it_is_waived() -> None:
    home = Home()
    with pytest.raises(Refused, match="version 1 of flight-delay is not registered"):
        home.register(home.judged(FAILED))
    assert home.versions() == 0

    granted = home.grant()
    version = home.register(home.judged(FAILED))

    assert version.gates[0].verdict is GateVerdict.FAIL
    assert version.gates[0].waived is not None
    assert version.gates[0].waived.waiver == granted.id
    assert verdict_now(home, version) is GateVerdict.WAIVED


@pytest.mark.parametrize("verdict", [GateVerdict.INCONCLUSIVE, GateVerdict.ERROR, GateVerdict.FAIL])
def test_no_verdict_but_pass_registers_by_itself(verdict: GateVerdict) -> None:
    home = Home()
    with pytest.raises(Refused):
        home.register(home.judged(gate_result(), gate_result(verdict=verdict, rule="brier <= 0.2")))
    assert home.versions() == 0


def test_an_expired_waiver_is_no_pass_for_a_version_that_it_let_in_nor_for_the_next() -> None:
    home = Home()
    home.grant(days=2)
    version = home.register(home.judged(FAILED))
    home.clock.advance(2 * 86400)
    assert verdict_now(home, version) is GateVerdict.FAIL
    with pytest.raises(Refused):
        home.register(home.judged(FAILED, version=2))


def test_what_was_judged_as_waived_is_not_registered_once_the_waiver_is_gone() -> None:
    home = Home()
    granted = home.grant()
    judged = home.judged(FAILED)
    withdraw_waiver(home.world, OLGA, granted.id, why="the label came, and it is bad")
    with pytest.raises(Refused, match="the waivers are other ones by now"):
        home.register(judged)
    assert home.versions() == 0


def test_a_waiver_for_one_version_does_not_let_in_another_that_came_between() -> None:
    home = Home()
    home.grant(version=1)
    judged = home.judged(FAILED)
    home.register(home.judged(gate_result()))  # another run was faster, and is version 1
    with pytest.raises(Refused):
        home.register(judged)
    assert home.versions() == 1


def test_what_the_evidence_names_is_what_let_the_version_in() -> None:
    """Both waivers would do for version 1; only the one that the evidence does not name would do for version 2."""
    home = Home()
    home.grant(days=6)
    home.grant(days=7, version=1)
    judged = home.judged(FAILED)
    home.register(home.judged(gate_result()))
    with pytest.raises(Refused, match="the waivers are other ones by now"):
        home.register(judged)
    version = home.register(home.judged(FAILED, version=2))
    assert read_evidence(home.artifacts, version).gates == version.gates


def test_withdrawn_it_counts_no_more_and_the_page_says_what_was() -> None:
    home = Home()
    granted = home.grant()
    version = home.register(home.judged(FAILED))
    withdrawn = withdraw_waiver(home.world, OLGA, granted.id, why="mended")
    assert withdrawn.withdrawn_at == home.clock.now()
    assert verdict_now(home, version) is GateVerdict.FAIL
    with home.state.read() as tx:
        (standing,) = gates_now(tx, version, home.clock.now())
    assert (standing.verdict, standing.result.waived) == (GateVerdict.FAIL, None)
    assert standing.lapsed is not None
    assert standing.lapsed.by == "olga"
    with pytest.raises(Conflict, match="was withdrawn at"):
        withdraw_waiver(home.world, OLGA, granted.id, why="again")


def test_a_waiver_that_has_ended_cannot_be_withdrawn_and_one_that_never_was_is_not_found() -> None:
    home = Home()
    granted = home.grant(days=1)
    home.clock.advance(86400)
    with pytest.raises(Conflict, match="ended at"):
        withdraw_waiver(home.world, OLGA, granted.id, why="late")
    with pytest.raises(NotFound, match="no waiver 'waiver-0'"):
        withdraw_waiver(home.world, OLGA, "waiver-0", why="what")


def test_without_a_rule_in_the_policy_nobody_may_and_it_is_said_how_to_allow_it() -> None:
    for policy in (None, Policy(), Policy(waivers=WaiverRule(roles=()))):
        home = Home(policy)
        with pytest.raises(Refused, match="the policy has no rule for it") as refusal:
            home.grant()
        assert "waivers: {from:" in str(refusal.value.hint)
        assert waivers_of(home.world) == []


def test_only_people_of_the_role_may_grant_and_withdraw() -> None:
    home = Home()
    with pytest.raises(Refused, match="anna may not waive a gate: a role of risk is needed"):
        home.grant(ANNA)
    by_group = home.grant(Actor("dora", groups=("model-risk",)))
    with pytest.raises(Refused):
        withdraw_waiver(home.world, ANNA, by_group.id, why="no")
    assert waivers_of(home.world, MODEL) == [by_group]
    assert [event.happened.action for event in home.events()] == [Action.WAIVER_GRANTED]


def test_all_faults_are_named_at_once() -> None:
    home = Home()
    with pytest.raises(InvalidInput) as refusal:
        home.grant(gate="quallity", rule="auc >= 0.66", version=5, why=" ", days=8)
    said, lifetime = str(refusal.value), "a lifetime of 8d found, more than nothing and at most 1w"
    for fault in (
        "'quallity' found, one of quality,",
        "a version up to 1, the next",
        "0 characters found",
        lifetime,
    ):
        assert fault in said
    with pytest.raises(InvalidInput, match=r"a rule expected that a run has judged: 'auc >= 0\.65'"):
        home.grant(rule="auc >= 0.66")
    with pytest.raises(InvalidInput, match="until"):
        home.grant(days=0)
    with pytest.raises(NotFound, match="no model 'fares'"):
        home.grant(model="fares")
    assert waivers_of(home.world) == []


def test_the_rule_is_recognised_however_it_is_spaced() -> None:
    home = Home()
    assert home.grant(rule=" auc  >= 0.65 ").rule == "auc >= 0.65"


def test_both_events_say_who_what_until_when_and_why() -> None:
    home = Home()
    granted = home.grant(rule="auc >= 0.65")
    withdraw_waiver(home.world, OLGA, granted.id, why="mended")
    grant, withdrawal = (event.happened for event in home.events())
    assert (grant.action, grant.actor, grant.subject, grant.model) == (Action.WAIVER_GRANTED, "olga", granted.id, MODEL)
    until = granted.until.isoformat()
    about = {"waiver": granted.id, "gate": "quality", "rule": "auc >= 0.65"}
    assert grant.details == {**about, "until": until, "why": "the label is late"}
    assert (withdrawal.action, withdrawal.subject) == (Action.WAIVER_WITHDRAWN, granted.id)
    assert withdrawal.details == {**about, "granted_by": "olga", "why": "mended"}


def test_the_evidence_is_pinned_by_the_version_and_by_its_event() -> None:
    home = Home()
    granted = home.grant()
    version = home.register(home.judged(FAILED))
    registered = home.events()[-1].happened
    assert registered.action is Action.VERSION_REGISTERED
    assert registered.details["evidence"] == version.evidence

    found = read_evidence(home.artifacts, version)
    assert found.gates == version.gates
    assert (found.package, found.evaluation, found.reference) == (version.digest, version.evaluation, version.reference)
    assert (found.run, found.data, found.judged_at) == (version.run, {"flights": builders.digest("data")}, home.clock.now())
    assert found.gates[0].waived is not None
    assert found.gates[0].waived.waiver == granted.id


def test_tampered_evidence_is_named() -> None:
    home = Home()
    version = home.register(home.judged(gate_result()))
    assert version.evidence is not None
    document = home.artifacts.get(version.evidence)
    home.artifacts.damage(version.evidence, document.replace(b'"auc":0.7', b'"auc":0.9'))
    with pytest.raises(Corrupt, match=r"the gate evidence of flight-delay version 1 is damaged: artifact sha256:"):
        read_evidence(home.artifacts, version)


def test_a_version_from_before_has_no_evidence_and_says_so() -> None:
    with pytest.raises(NotFound, match="it was registered before evidence was kept"):
        read_evidence(MemoryArtifacts(), builders.version())
    with pytest.raises(NotFound, match="is gone"):
        read_evidence(MemoryArtifacts(), builders.version(evidence=builders.digest("gone")))
