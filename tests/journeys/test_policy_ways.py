"""Under a policy: moves and gates, breaking the glass, moving directly, automatic deployment, aliases by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lockgate.domain.events import Action
from lockgate.domain.models import RequestState, Stage
from lockgate.domain.people import POLICY, Actor
from lockgate.domain.policy import BreakGlassRule, Edge, Policy, StageRule
from lockgate.domain.projects import After, Deployment, Environment
from lockgate.domain.verdicts import GateVerdict
from lockgate.kernel.errors import Conflict, Invalid, InvalidInput, NotFound, Refused
from lockgate.ports.state import ALIASES, BROKEN_GLASS, PROJECTS, REQUESTS, VERSIONS, WAIVERS
from lockgate.testing import builders as a
from lockgate.testing import company
from lockgate.usecases.break_glass import break_glass, mend_glass
from lockgate.usecases.decide_request import reject_request
from lockgate.usecases.expire_requests import expire_requests
from lockgate.usecases.roll_back import roll_back
from lockgate.usecases.send_on import send_on, send_on_its_way
from lockgate.usecases.set_alias import remove_alias, set_alias
from lockgate.usecases.set_policy import set_policy
from lockgate.usecases.start_rollout import start_rollout
from lockgate.usecases.transition_directly import transition_directly
from lockgate.usecases.world import World
from tests.samples.registry import (
    ADA,
    BEN,
    FREE,
    OLGA,
    POLICY_FILE,
    approve,
    ask,
    clock_of,
    events,
    registry,
    rule_by,
    settle,
    stages,
    version,
)

PAUL = Actor("paul")
GATED = Policy(stages={Stage.PRODUCTION.value: StageRule(gates=("quality", "fairness"))})


@pytest.fixture
def world() -> World:
    """Production needs two of the approvers, neither requester nor author; release managers may break the glass."""
    world = registry(2)
    set_policy(world, POLICY_FILE, OLGA)
    return world


# Moves and gates


def test_moves_that_the_policy_lacks_are_refused_when_asked_for_and_when_carried_out(world: World) -> None:
    steps = Policy(edges=(Edge(Stage.NONE, Stage.STAGING), Edge(Stage.STAGING, Stage.PRODUCTION)), stages=FREE.stages)
    rule_by(world, FREE)
    request = ask(world)
    rule_by(world, steps, "steps")
    with pytest.raises(Refused, match="no move from None to Production; from None one may go to: Staging"):
        approve(world, request, BEN)
    with pytest.raises(Refused, match="no move from None to Archived"):
        ask(world, stage=Stage.ARCHIVED)
    transition_directly(world, a.MODEL, 1, Stage.STAGING, ADA)
    settle(world)
    assert approve(world, request, BEN).state is RequestState.APPROVED, "the way is open now"


def test_a_rollout_of_ones_own_needs_a_request_where_the_policy_has_a_rule(world: World) -> None:
    rule_by(world, Policy(edges=(Edge(Stage.STAGING, Stage.PRODUCTION),)))
    with pytest.raises(Refused, match="no move from None to Staging"):
        start_rollout(world, a.MODEL, 1, "staging", ADA)
    rule_by(world, FREE)
    with pytest.raises(Refused, match="the policy has a rule for Staging"):
        start_rollout(world, a.MODEL, 1, "staging", ADA)


def test_required_gates_must_have_been_asked_and_passed_or_be_waived_now(world: World) -> None:
    rule_by(world, GATED)
    request = ask(world)
    with pytest.raises(Refused, match="requires gate 'fairness', which it was not judged by"):
        approve(world, request, BEN)
    unfair = a.gate_result(gate="fairness", rule="gap <= 0.1", verdict=GateVerdict.FAIL)
    with world.state.write() as tx:
        tx.put(VERSIONS, replace(version(world), gates=(a.gate_result(), unfair)))
    with pytest.raises(Refused, match=r"gate 'fairness' \(gap <= 0.1\) said FAIL and no waiver holds"):
        approve(world, request, BEN)
    with world.state.write() as tx:
        tx.put(WAIVERS, company.waiver(gate="fairness"))
    assert approve(world, request, BEN).state is RequestState.APPROVED


def test_a_waiver_that_is_over_is_no_pass_also_where_the_policy_requires_nothing(world: World) -> None:
    rule_by(world, FREE)
    with world.state.write() as tx:
        tx.put(VERSIONS, replace(version(world), gates=(a.gate_result(verdict=GateVerdict.FAIL),)))
        tx.put(WAIVERS, company.waiver())
    request = ask(world)
    clock_of(world).advance(8 * 86400)
    with pytest.raises(Refused, match="no waiver holds"):
        approve(world, request, BEN)
    assert reject_request(world, request.id, BEN).state is RequestState.REJECTED, "no gate stands before a no"


# Break-glass


def test_breaking_the_glass_lets_one_person_through_past_quorum_and_gates(world: World) -> None:
    with world.state.write() as tx:
        tx.put(VERSIONS, replace(version(world), gates=(a.gate_result(verdict=GateVerdict.FAIL),)))
    request = ask(world, OLGA)
    glass = break_glass(world, OLGA, "the champion does harm")
    assert approve(world, request, OLGA).state is RequestState.APPROVED
    [said] = events(world, Action.REQUEST_APPROVED)
    assert said.happened.details["break_glass"] == glass.id
    settle(world)
    assert stages(world)[1] is Stage.PRODUCTION


def test_the_glass_is_for_those_who_may_for_a_time_and_for_one_model_if_so_said(world: World) -> None:
    with pytest.raises(Refused, match="ben has none of the roles that may break the glass: release-managers"):
        break_glass(world, BEN, "in a hurry")
    with pytest.raises(Invalid, match="a reason of"):
        break_glass(world, OLGA, "  ")
    with pytest.raises(NotFound, match="no model 'other'"):
        break_glass(world, OLGA, "why", "other")
    request = ask(world)
    glass = break_glass(world, OLGA, "why")
    with pytest.raises(Conflict, match="stands open for olga until"):
        break_glass(world, OLGA, "again")
    clock_of(world).advance(3600)
    with pytest.raises(Refused, match="olga has none of the roles"):
        approve(world, request, OLGA)
    with pytest.raises(Conflict, match="was over at"):
        mend_glass(world, glass.id, OLGA)
    mended = break_glass(world, OLGA, "why")
    mend_glass(world, mended.id, BEN)
    with pytest.raises(Refused, match="olga has none of the roles"):
        approve(world, request, OLGA)
    assert [one.happened.action for one in events(world, Action.GLASS_BROKEN, Action.GLASS_MENDED)] == [
        Action.GLASS_BROKEN,
        Action.GLASS_BROKEN,
        Action.GLASS_MENDED,
    ]


def test_the_glass_does_not_open_for_another_model_another_person_or_a_role_that_was_taken(world: World) -> None:
    set_policy(world, POLICY_FILE.replace("[olga]", "[olga, paul]"), OLGA)
    request = ask(world)
    with world.state.write() as tx:
        tx.put(BROKEN_GLASS, company.broken_glass(by="olga", model="other"))
    with pytest.raises(Refused, match="none of the roles"):
        approve(world, request, OLGA)
    break_glass(world, OLGA, "why", a.MODEL)
    with pytest.raises(Refused, match="none of the roles"):
        approve(world, request, PAUL)
    assert approve(world, request, BEN).state is RequestState.OPEN, "ben's is one of two, as ever"
    set_policy(world, POLICY_FILE.replace("[olga]", "[paul]"), OLGA)
    with pytest.raises(Refused, match="none of the roles"):
        approve(world, request, OLGA)


def test_the_glass_vouches_for_nobodys_name(world: World) -> None:
    sure = StageRule(need=2, authenticated=True)
    rule_by(world, Policy(stages={"Production": sure}, roles={"r": ("olga",)}, break_glass=BreakGlassRule(("r",))))
    request = ask(world)
    break_glass(world, OLGA, "why")
    with pytest.raises(Refused, match="nobody has checked"):
        approve(world, request, OLGA)
    assert approve(world, request, Actor("olga", authenticated=True)).state is RequestState.APPROVED


def test_without_a_rule_nobody_breaks_the_glass() -> None:
    with pytest.raises(Refused, match="the policy lets nobody break the glass"):
        break_glass(registry(), OLGA, "why")


# Moving directly


def test_who_may_do_both_moves_directly_and_who_may_not_is_told_what_is_missing(world: World) -> None:
    with pytest.raises(Refused, match="alone: 2 different people must say yes; whoever asks may not decide; one of the"):
        transition_directly(world, a.MODEL, 1, Stage.PRODUCTION, ADA)
    assert events(world, Action.REQUEST_CREATED) == []
    break_glass(world, OLGA, "why")
    moved = transition_directly(world, a.MODEL, 1, Stage.PRODUCTION, OLGA, "now")
    assert (moved.state, moved.requester, [one.by for one in moved.decisions]) == (RequestState.APPROVED, "olga", ["olga"])
    settle(world)
    assert stages(world)[1] is Stage.PRODUCTION


def test_a_direct_move_takes_the_own_open_request_and_says_who_is_in_the_way(world: World) -> None:
    rule_by(world, FREE)
    request = ask(world, ADA)
    assert transition_directly(world, a.MODEL, 1, Stage.PRODUCTION, ADA).id == request.id
    settle(world)
    with pytest.raises(Conflict, match="Production holds one version of a model, and flight-delay 1 is in it"):
        transition_directly(world, a.MODEL, 2, Stage.PRODUCTION, ADA, archive_existing=False)
    with pytest.raises(Conflict, match="is not what was seen"):
        transition_directly(world, a.MODEL, 2, Stage.PRODUCTION, ADA, if_digest=version(world, 1).digest)
    transition_directly(world, a.MODEL, 2, Stage.PRODUCTION, ADA, if_digest=version(world, 2).digest)
    settle(world)
    assert stages(world) == {1: Stage.ARCHIVED, 2: Stage.PRODUCTION}
    transition_directly(world, a.MODEL, 2, Stage.ARCHIVED, BEN)
    assert stages(world)[2] is Stage.ARCHIVED


# Automatic deployment


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        (Policy(stages={"Production": StageRule(need=2)}), "wants the word of 2 people"),
        (Policy(stages={"Production": StageRule(roles=("approvers",))}), "wants the word of people: approvers"),
        (Policy(stages={"Production": StageRule(excluded=("requester",))}), "wants the word of somebody else than asks"),
        (Policy(stages={"Production": StageRule(gates=("fairness",))}), "requires gate 'fairness'"),
        (Policy(edges=(Edge(Stage.STAGING, Stage.PRODUCTION),)), "no move from None to Production"),
    ],
)
def test_where_the_platform_asks_for_people_the_policy_asks_and_withholds(policy: Policy, why: str) -> None:
    world = registry()
    rule_by(world, policy)
    with world.state.write() as tx:
        send_on_its_way(tx, version(world), world.clock.now())
    [withheld] = events(world, Action.POLICY_WITHHELD)
    assert why in withheld.happened.details["why"]
    with world.state.read() as tx:
        [request] = tx.find(REQUESTS)
    assert (request.state, request.requester, request.decisions) == (RequestState.OPEN, POLICY.name, ())


def test_where_one_yes_by_anybody_is_enough_the_policy_gives_it() -> None:
    world = registry()
    rule_by(world, Policy(stages={"Production": StageRule(excluded=("author",), authenticated=True)}))
    with world.state.write() as tx:
        send_on_its_way(tx, version(world), world.clock.now())
    assert events(world, Action.POLICY_WITHHELD) == []
    settle(world)
    assert stages(world)[1] is Stage.PRODUCTION


def test_in_a_row_the_policy_waits_for_people_where_they_are_asked_and_goes_on_when_they_are_not_any_more() -> None:
    world = registry()
    with world.state.write() as tx:
        environments = {"staging": Environment(), "production": Environment(after=After("staging"))}
        tx.put(PROJECTS, a.project(deployment=Deployment.AUTOMATIC, environments=environments))
    rule_by(world, Policy(roles={"r": ("ben",)}, stages={"Staging": StageRule(roles=("r",))}))
    with world.state.write() as tx:
        send_on_its_way(tx, version(world), world.clock.now())
    assert [one.happened.details["to"] for one in events(world, Action.POLICY_WITHHELD)] == ["Staging"]
    clock_of(world).advance(30 * 86400)
    assert [send_on(world), send_on(world), expire_requests(world)] == [False, False, 0]
    rule_by(world, Policy(), "loose")
    assert send_on(world), "its request has waited, and the policy may answer it now"
    settle(world)
    assert stages(world)[1] is Stage.STAGING


# Aliases


def test_a_name_says_a_version_until_it_is_taken_away(world: World) -> None:
    set_alias(world, a.MODEL, "challenger", 1, ADA)
    set_alias(world, a.MODEL, "challenger", 1, ADA)
    set_alias(world, a.MODEL, "challenger", 2, BEN)
    assert remove_alias(world, a.MODEL, "challenger", ADA).version == 2
    said = [(one.happened.action, one.happened.version, one.happened.details) for one in events(world, *ALIAS_EVENTS)]
    assert said == [
        (Action.ALIAS_SET, 1, {"alias": "challenger", "before": None}),
        (Action.ALIAS_SET, 2, {"alias": "challenger", "before": 1}),
        (Action.ALIAS_REMOVED, 2, {"alias": "challenger", "before": 2}),
    ]
    with pytest.raises(NotFound, match="no alias 'challenger'; its aliases: none"):
        remove_alias(world, a.MODEL, "challenger", ADA)


ALIAS_EVENTS = (Action.ALIAS_SET, Action.ALIAS_REMOVED)


@pytest.mark.parametrize(
    ("alias", "kind", "told"),
    [
        ("champion", Refused, "says what stands in Production"),
        ("champion:AA", Refused, "says what stands in Production"),
        ("7", Invalid, "would be read as a version"),
        ("v7", Invalid, "would be read as a version"),
        ("a/b", Invalid, "letters, digits"),
        ("", Invalid, "letters, digits"),
    ],
)
def test_what_follows_from_production_or_is_no_name_is_not_set_by_hand(
    world: World, alias: str, kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind, match=told):
        set_alias(world, a.MODEL, alias, 1, ADA)
    with pytest.raises(kind, match=told):
        remove_alias(world, a.MODEL, alias, ADA)
    with world.state.read() as tx:
        assert tx.find(ALIASES) == []


def test_an_alias_belongs_to_roles_if_the_policy_says_so(world: World) -> None:
    set_policy(world, POLICY_FILE + 'aliases: {"team-*": [approvers], champion: [release-managers]}\n', OLGA)
    with pytest.raises(Refused, match="ada has none of the roles that may move alias 'team-x': approvers"):
        set_alias(world, a.MODEL, "team-x", 1, ADA)
    set_alias(world, a.MODEL, "team-x", 1, BEN)
    with pytest.raises(Refused, match="ben has none of the roles that may move alias 'champion'"):
        roll_back(world, a.MODEL, BEN)
    with pytest.raises(NotFound, match="no earlier version"):
        roll_back(world, a.MODEL, OLGA)


def test_a_policy_with_faults_is_not_set(world: World) -> None:
    with pytest.raises(InvalidInput, match=r"(?s)role 'approvrs' is given to nobody.*did you mean 'approvers'.*unknown key"):
        set_policy(world, POLICY_FILE.replace("from: [approvers]", "from: [approvrs]") + "alias: {}\n", OLGA)
    assert len(events(world, Action.POLICY_SET)) == 1
