"""Ways by which somebody might come past the gates or past the others: each is closed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lockgate.domain.access import User
from lockgate.domain.models import RequestState, Stage
from lockgate.domain.people import Actor, fault_in_name
from lockgate.domain.policy import Policy, StageRule
from lockgate.domain.projects import ApprovalPolicy, Environment
from lockgate.domain.rollouts import Phase
from lockgate.domain.verdicts import GateVerdict
from lockgate.domain.waivers import Waiver
from lockgate.kernel.errors import Conflict, Refused
from lockgate.ports.state import PROJECTS, RUNS, USERS, VERSIONS, WAIVERS
from lockgate.testing import builders as a
from lockgate.usecases.decide_request import approve_request
from lockgate.usecases.find_nodes import COMPOSED
from lockgate.usecases.request_transition import request_transition
from lockgate.usecases.start_rollout import start_rollout
from lockgate.usecases.world import World
from tests.samples.registry import ADA, BEN, CARL, LOOSE, OLGA, approve, ask, clock_of, registry, rule_by

UNPASSED = a.gate_result(verdict=GateVerdict.FAIL)
TWO = Policy(stages={"Production": StageRule(need=2, excluded=("requester", "author"))})


def put_user(world: World, name: str, email: str = "") -> Actor:
    with world.state.write() as tx:
        tx.put(USERS, User(name, world.clock.now(), email=email))
    return Actor(name, authenticated=True)


def fail_gate(world: World, model: str = a.MODEL) -> None:
    with world.state.write() as tx:
        tx.put(VERSIONS, a.version(1, model=model, gates=(UNPASSED,)))


def waive(world: World, model: str = a.MODEL) -> None:
    now = clock_of(world).now()
    with world.state.write() as tx:
        tx.put(WAIVERS, Waiver("waiver-1", model, UNPASSED.gate, "olga", "known", now, now + timedelta(hours=1)))


# Straight into Staging


@pytest.mark.parametrize(
    ("approvals", "why"),
    [
        (ApprovalPolicy(need=2, excluded=()), "2 different people must say yes"),
        (ApprovalPolicy(excluded=(), roles=("approvers",)), "one of the roles approvers is needed"),
        (ApprovalPolicy(excluded=("requester",)), "whoever asks may not decide"),
        (ApprovalPolicy(said=True), "whoever asks may not decide"),
    ],
)
def test_what_the_project_file_does_not_leave_to_one_alone_is_asked_for(approvals: ApprovalPolicy, why: str) -> None:
    world = registry(approvals=approvals)
    with pytest.raises(Refused, match=why) as refusal:
        start_rollout(world, a.MODEL, 1, "staging", ADA)
    assert refusal.value.hint == f"lockgate request {a.MODEL} 1 --to Staging"


@pytest.mark.parametrize("approvals", [LOOSE, ApprovalPolicy()])
def test_where_nobody_else_is_asked_for_one_alone_may(approvals: ApprovalPolicy) -> None:
    assert start_rollout(registry(approvals=approvals), a.MODEL, 1, "staging", ADA).phase is Phase.PREPARING


def test_no_rollout_begins_past_a_gate_unless_a_waiver_holds_now() -> None:
    world = registry()
    fail_gate(world)
    waive(world)
    clock_of(world).advance(3600)
    with pytest.raises(Refused, match=r"gate 'quality' .* said FAIL and no waiver holds"):
        start_rollout(world, a.MODEL, 1, "staging", ADA)
    waive(world)
    assert start_rollout(world, a.MODEL, 1, "staging", ADA).phase is Phase.PREPARING


# As a node of a graph

GRAPH = "ensemble"


def with_graph(world: World) -> None:
    """A graph of version 1 within a graph, both by dora."""
    inner = a.gate_result(gate=COMPOSED[0], rule=COMPOSED[1])
    with world.state.write() as tx:
        tx.put(PROJECTS, a.project(model=GRAPH, environments={"production": Environment(approvals=LOOSE)}))
        for model, node in (("pair", f"{a.MODEL}@1"), (GRAPH, "pair@1")):
            tx.put(RUNS, a.run(id=f"run-{model}", model=model, author="dora", params={"graph": {}, "nodes": {node: "sha256:0"}}))
            tx.put(VERSIONS, a.version(1, model=model, run=f"run-{model}", author="dora", gates=(inner,)))


def ask_for_graph(world: World) -> str:
    return request_transition(world, GRAPH, 1, Stage.PRODUCTION, OLGA).id


def test_a_graph_may_come_in_only_while_the_waivers_of_its_nodes_hold() -> None:
    world = registry()
    with_graph(world)
    fail_gate(world)
    request = ask_for_graph(world)
    with pytest.raises(Refused, match=rf"node pair@1: node {a.MODEL}@1: gate 'quality' .* no waiver holds"):
        approve_request(world, request, BEN)
    waive(world)
    assert approve_request(world, request, BEN).state is RequestState.APPROVED


def test_nobody_can_say_what_the_gates_of_a_deleted_node_found() -> None:
    world = registry()
    with_graph(world)
    with world.state.write() as tx:
        tx.remove(VERSIONS, a.MODEL, 1)
    with pytest.raises(Refused, match="it was deleted"):
        approve_request(world, ask_for_graph(world), BEN)


def test_the_author_of_a_node_is_an_author_of_the_graph() -> None:
    world = registry()
    with_graph(world)
    with world.state.write() as tx:
        tx.put(RUNS, a.run(id="run-1", author_email="ben@example.org"))
    put_user(world, "ben", "BEN@example.org")
    rule_by(world, Policy(stages={"Production": StageRule(excluded=("author",))}))
    request = ask_for_graph(world)
    with pytest.raises(Refused, match="ben is the author"):
        approve_request(world, request, BEN)
    assert approve_request(world, request, CARL).state is RequestState.APPROVED


# Under another name


@pytest.mark.parametrize(
    ("asked", "decides"),
    [
        (("ann", "ann@corp.org"), ("ann@corp.org", "ann@corp.org")),
        (("ann", "ann@corp.org"), ("ANN@corp.org", "")),
        (("ann", ""), ("Ann", "")),
        (("Ren\u00e9", ""), ("Rene\u0301", "")),
        (("ann", "Ann@Corp.org"), ("second", "ann@corp.ORG")),
        (("straße", ""), ("STRASSE", "")),
    ],
)
def test_who_asked_does_not_decide_under_another_name(asked: tuple[str, str], decides: tuple[str, str]) -> None:
    world = registry()
    rule_by(world, Policy(stages={"Production": StageRule(excluded=("requester",))}))
    requester, decider = put_user(world, *asked), put_user(world, *decides)
    request = ask(world, requester)
    with pytest.raises(Refused, match="is the requester"):
        approve(world, request, decider)
    assert approve(world, request, BEN).state is RequestState.APPROVED


@pytest.mark.parametrize("name", ["carl@corp.org", "Carl@Corp.org"])
def test_who_wrote_it_does_not_decide_under_their_address(name: str) -> None:
    world = registry()
    rule_by(world, Policy(stages={"Production": StageRule(excluded=("author",))}))
    with world.state.write() as tx:
        tx.put(RUNS, a.run(id="run-1", author_email="carl@CORP.org"))
    request = ask(world)
    with pytest.raises(Refused, match="is the author"):
        approve(world, request, put_user(world, name))


def test_one_person_of_two_users_says_yes_once() -> None:
    world = registry()
    rule_by(world, TWO)
    one, two = put_user(world, "ben", "ben@corp.org"), put_user(world, "b.second", "Ben@corp.org")
    request = approve(world, ask(world), one)
    with pytest.raises(Conflict, match=r"b\.second has already decided"):
        approve(world, request, two)
    assert approve(world, request, CARL).state is RequestState.APPROVED


@pytest.mark.parametrize("name", ["anonymous", "Notifier", "policy"])
def test_nobody_is_called_as_lockgate_calls_itself(name: str) -> None:
    assert fault_in_name(name) is not None
