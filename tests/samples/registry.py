"""A registry with versions and a policy, and people who do things in it."""

from __future__ import annotations

from lockgate.boundary.acknowledgements import Acknowledgement, PackageState, Readiness
from lockgate.domain.events import Action, Event
from lockgate.domain.models import ModelVersion, Stage, TransitionRequest
from lockgate.domain.people import Actor
from lockgate.domain.policy import CURRENT, Policy, PolicyRecord, StageRule
from lockgate.domain.projects import ApprovalPolicy, Environment
from lockgate.domain.rollouts import Plan
from lockgate.ports.state import MODELS, POLICIES, PROJECTS, REQUESTS, ROUTES, RUNS, VERSIONS, WORKERS, State, Worker
from lockgate.stages.decide.audit import verify
from lockgate.testing import builders as a
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import VirtualClock
from lockgate.testing.state import MemoryState
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.decide_request import approve_request
from lockgate.usecases.request_transition import request_transition
from lockgate.usecases.world import World

ADA, BEN, CARL, OLGA = Actor("ada"), Actor("ben"), Actor("carl"), Actor("olga")
LOOSE = ApprovalPolicy(excluded=())  # a project that leaves everything to the platform

FREE = Policy(stages={stage.value: StageRule() for stage in Stage})
POLICY_FILE = """\
roles: {approvers: [ben, carl], release-managers: [olga]}
stages:
  Production: {need: 2, from: [approvers], not: [requester, author]}
break_glass: {from: [release-managers], for: 1h}
"""


def registry(versions: int = 1, state: State | None = None, approvals: ApprovalPolicy = LOOSE) -> World:
    """A model with versions that nobody has moved yet, of a project without a canary."""
    world = World(state or MemoryState(), MemoryArtifacts(), VirtualClock())
    environment = Environment(Plan(), approvals)
    with world.state.write() as tx:
        tx.put(PROJECTS, a.project(environments={"staging": environment, "production": environment}))
        tx.put(MODELS, a.registered_model(latest_version=versions))
        for number in range(1, versions + 1):
            tx.put(VERSIONS, a.version(number, gates=(a.gate_result(),)))
            tx.put(RUNS, a.run(id=f"run-{number}", data={"flights": a.digest("flights")}))
    return world


def clock_of(world: World) -> VirtualClock:
    assert isinstance(world.clock, VirtualClock)
    return world.clock


def rule_by(world: World, policy: Policy, digest: str = "policy") -> None:
    """Let the policy be in force, without a word about it."""
    with world.state.write() as tx:
        tx.put(POLICIES, PolicyRecord(policy, "", a.digest(digest), "olga", world.clock.now(), CURRENT))


def settle(world: World) -> None:
    """A worker that can answer with every version, and a controller that moves what can move."""
    now = world.clock.now().timestamp()
    with world.state.write() as tx:
        published = tx.get(ROUTES, "current")
        packages = {one.digest: PackageState(Readiness.READY) for one in tx.find(VERSIONS)}
        if published is not None:
            tx.put(WORKERS, Worker("w", now, Acknowledgement("0", "w", published.table.revision, now, packages)))
    advance_rollouts(world, Judges())


def stages(world: World) -> dict[int, Stage]:
    with world.state.read() as tx:
        return {one.version: one.stage for one in tx.find(VERSIONS)}


def version(world: World, number: int = 1) -> ModelVersion:
    with world.state.read() as tx:
        found = tx.get(VERSIONS, a.MODEL, number)
    assert found is not None
    return found


def ask(world: World, who: Actor = ADA, number: int = 1, stage: Stage = Stage.PRODUCTION) -> TransitionRequest:
    return request_transition(world, a.MODEL, number, stage, who)


def found(world: World, request: TransitionRequest) -> TransitionRequest:
    with world.state.read() as tx:
        kept = tx.get(REQUESTS, request.id)
    assert kept is not None
    return kept


def events(world: World, *actions: Action) -> list[Event]:
    with world.state.read() as tx:
        assert verify(lambda after, limit: tx.written(after=after, limit=limit)).broken is None
        return [event for event in tx.events() if event.happened.action in actions]


def approve(world: World, request: TransitionRequest, *people: Actor) -> TransitionRequest:
    for person in people:
        request = approve_request(world, request.id, person)
    return request
