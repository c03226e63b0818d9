"""Request, approve, reject, cancel; what stands where follows from it, and every change has its event."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lockgate.boundary.acknowledgements import Acknowledgement, PackageState, Readiness
from lockgate.domain.events import Action
from lockgate.domain.models import CHAMPION, ModelVersion, RequestState, Stage
from lockgate.domain.people import Actor
from lockgate.domain.projects import Deployment, Environment, ProjectRecord
from lockgate.domain.rollouts import Margin, Phase, Plan, Signal, Strategy
from lockgate.domain.runs import Run, RunStatus
from lockgate.entrypoints.reading.live import Live, live_models
from lockgate.kernel.errors import Conflict, InvalidInput, LockgateError, NotFound, Refused
from lockgate.kernel.machine import IllegalSignal
from lockgate.ports.state import ALIASES, PROJECTS, REQUESTS, ROLLOUTS, ROUTES, VERSIONS, WORKERS, Worker
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import VirtualClock
from lockgate.testing.state import MemoryState
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.decide_request import approve_request, cancel_request, reject_request
from lockgate.usecases.look_back import look_back
from lockgate.usecases.publish_routes import desired_route
from lockgate.usecases.read_audit import verify_audit
from lockgate.usecases.register_version import register_version
from lockgate.usecases.request_transition import request_transition
from lockgate.usecases.roll_back import roll_back
from lockgate.usecases.start_rollout import start_rollout
from lockgate.usecases.steer_rollout import steer
from lockgate.usecases.world import World

ADA, BEN, EVE = Actor("ada"), Actor("ben"), Actor("eve")
CANARY = Plan(Strategy.CANARY, (0.1, 0.5))


def new_world() -> World:
    return World(MemoryState(), MemoryArtifacts(), VirtualClock())


def register(
    world: World, *, author: str = "ada", dirty: bool = False, deployment: Deployment = Deployment.MANUAL, plan: Plan = CANARY
) -> ModelVersion:
    now = world.clock.now()
    run = Run(f"run-{now.timestamp()}", "m", RunStatus.RUNNING, now, author, author, "person", commit="c0ffee", dirty=dirty)
    project = ProjectRecord("m", "/p", deployment, {"production": Environment(plan), "staging": Environment()})
    digest = world.artifacts.put(f"package {now}".encode())
    world.clock.advance(1)  # type: ignore[attr-defined]
    return register_version(
        world, run, Actor(author), digest=digest, evaluation="sha256:e", reference="sha256:r", project=project
    )


def workers_are_ready(world: World) -> None:
    """A worker that can answer with every version there is, by the routes in force."""
    now = world.clock.now().timestamp()
    with world.state.write() as tx:
        published = tx.get(ROUTES, "current")
        packages = {one.digest: PackageState(Readiness.READY) for one in tx.find(VERSIONS)}
        if published is not None:
            tx.put(WORKERS, Worker("w", now, Acknowledgement("0", "w", published.table.revision, now, packages)))


def settle(world: World) -> None:
    workers_are_ready(world)
    advance_rollouts(world, Judges())


def into_production(world: World, version: int) -> None:
    request = request_transition(world, "m", version, Stage.PRODUCTION, ADA)
    approve_request(world, request.id, BEN)
    settle(world)
    with world.state.read() as tx:
        rollout = tx.find(ROLLOUTS, newest_first=True)[0]
    if rollout.phase is Phase.PROGRESSING:
        steer(world, rollout.id, Signal.PROMOTE, BEN, "seen enough")


def live(world: World) -> Live:
    with world.state.read() as tx:
        return live_models(tx, ["m"])["m"]


def stages(world: World) -> dict[int, Stage]:
    with world.state.read() as tx:
        return {one.version: one.stage for one in tx.find(VERSIONS)}


def actions(world: World) -> list[Action]:
    with world.state.read() as tx:
        return [event.happened.action for event in tx.events()]


def test_the_first_version_comes_in_by_replace_once_a_worker_can_answer() -> None:
    world = new_world()
    register(world)
    request = request_transition(world, "m", 1, Stage.PRODUCTION, ADA, "please")
    assert approve_request(world, request.id, BEN).state is RequestState.APPROVED
    advance_rollouts(world, Judges())
    assert stages(world) == {1: Stage.NONE}, "nobody can answer with it yet"
    settle(world)
    assert stages(world) == {1: Stage.PRODUCTION}
    assert live(world).version == 1


def test_the_second_version_is_a_canary_and_archives_the_first_when_promoted() -> None:
    world = new_world()
    register(world)
    into_production(world, 1)
    register(world)
    request = request_transition(world, "m", 2, Stage.PRODUCTION, ADA)
    approve_request(world, request.id, BEN)
    settle(world)
    told = live(world)
    assert (told.version, told.share, told.on_trial, told.trial_share) == (1, 0.9, 2, 0.1)
    with world.state.read() as tx:
        rollout = tx.find(ROLLOUTS, phase="progressing")[0]
    steer(world, rollout.id, Signal.PROMOTE, BEN)
    assert stages(world) == {1: Stage.ARCHIVED, 2: Stage.PRODUCTION}
    assert actions(world)[-4:] == [Action.ROLLOUT_PROMOTED, Action.STAGE_ARCHIVED, Action.STAGE_APPLIED, Action.ALIAS_SET]


def test_an_abort_leaves_stage_and_alias_as_they_were() -> None:
    world = new_world()
    register(world)
    into_production(world, 1)
    register(world)
    approve_request(world, request_transition(world, "m", 2, Stage.PRODUCTION, ADA).id, BEN)
    settle(world)
    roll_back(world, "m", ADA, "a bad feeling")
    assert stages(world) == {1: Stage.PRODUCTION, 2: Stage.NONE}
    with world.state.read() as tx:
        alias, published = tx.get(ALIASES, "m", CHAMPION), tx.get(ROUTES, "current")
        assert alias is not None
        assert alias.version == 1
        assert published is not None
        assert [(arm.version, arm.weight) for arm in published.table.routes[0].arms] == [(1, 1.0)]


def test_rolling_back_needs_no_load_and_no_waiting() -> None:
    world = new_world()
    register(world)
    into_production(world, 1)
    register(world)
    into_production(world, 2)
    with world.state.write() as tx:
        tx.remove(WORKERS, "w")  # no worker need be asked: the retained version is loaded
    rollout = roll_back(world, "m", ADA)
    assert (rollout.version, rollout.phase) == (1, Phase.PROMOTED)
    assert stages(world) == {1: Stage.PRODUCTION, 2: Stage.ARCHIVED}
    with pytest.raises(Refused, match="by a roll-back from 2"):
        roll_back(world, "m", ADA)
    with pytest.raises(Refused, match="version 1 of m is not kept warm"):
        roll_back(world, "m", ADA, to=1)
    assert stages(world) == {1: Stage.PRODUCTION, 2: Stage.ARCHIVED}, "the same command twice does not undo itself"
    roll_back(world, "m", ADA, to=2)
    assert stages(world) == {1: Stage.ARCHIVED, 2: Stage.PRODUCTION}, "but forth again, if that is said"


def test_there_is_nothing_to_roll_back_to_before_the_second_version() -> None:
    world = new_world()
    register(world)
    into_production(world, 1)
    with pytest.raises(NotFound, match="no earlier version"):
        roll_back(world, "m", ADA)


def test_four_eyes() -> None:
    world = new_world()
    register(world, author="eve")
    request = request_transition(world, "m", 1, Stage.PRODUCTION, ADA)
    with pytest.raises(Refused, match="ada is the requester"):
        approve_request(world, request.id, ADA)
    with pytest.raises(Refused, match="eve is the author"):
        approve_request(world, request.id, EVE)
    approve_request(world, request.id, BEN)
    with pytest.raises(Conflict, match="approved"):
        approve_request(world, request.id, Actor("dan"))


def test_a_request_is_rejected_by_one_and_cancelled_by_its_requester_only() -> None:
    world = new_world()
    register(world)
    rejected = request_transition(world, "m", 1, Stage.STAGING, ADA)
    assert reject_request(world, rejected.id, BEN, "not yet").state is RequestState.REJECTED
    again = request_transition(world, "m", 1, Stage.STAGING, ADA)
    with pytest.raises(Refused, match="ada's"):
        cancel_request(world, again.id, BEN)
    assert cancel_request(world, again.id, ADA).state is RequestState.CANCELLED
    assert stages(world) == {1: Stage.NONE}


def test_asking_twice_or_for_what_is_not_there_is_refused() -> None:
    world = new_world()
    register(world)
    request_transition(world, "m", 1, Stage.STAGING, ADA)
    with pytest.raises(Conflict, match="already asks"):
        request_transition(world, "m", 1, Stage.STAGING, ADA)
    assert request_transition(world, "m", 1, Stage.STAGING, BEN).requester == "ben", "somebody else may ask for the same"
    with pytest.raises(NotFound, match="no version 9; its latest is 1"):
        request_transition(world, "m", 9, Stage.STAGING, ADA)
    with pytest.raises(NotFound, match="models here: m"):
        request_transition(world, "n", 1, Stage.STAGING, ADA)
    with pytest.raises(Conflict, match="already is in None"):
        request_transition(world, "m", 1, Stage.NONE, ADA)


def test_what_was_built_from_uncommitted_changes_does_not_reach_production() -> None:
    world = new_world()
    register(world, dirty=True)
    with pytest.raises(Refused, match="uncommitted"):
        request_transition(world, "m", 1, Stage.PRODUCTION, ADA)
    approve_request(world, request_transition(world, "m", 1, Stage.STAGING, ADA).id, BEN)


def test_production_is_entered_by_request_only() -> None:
    world = new_world()
    register(world)
    with pytest.raises(Refused, match="approved request"):
        start_rollout(world, "m", 1, "production", ADA)
    assert start_rollout(world, "m", 1, "staging", ADA).phase is Phase.PREPARING


def test_automatic_deployment_asks_and_approves_as_the_policy_and_says_so() -> None:
    world = new_world()
    register(world, deployment=Deployment.AUTOMATIC)
    settle(world)
    assert stages(world) == {1: Stage.PRODUCTION}
    with world.state.read() as tx:
        approvals = [one.happened for one in tx.events() if one.happened.action is Action.REQUEST_APPROVED]
    assert [(one.actor, one.authenticated) for one in approvals] == [("policy", True)]


def test_automatic_deployment_waits_where_production_is_busy_or_the_build_is_dirty() -> None:
    world = new_world()
    register(world)
    into_production(world, 1)
    register(world, deployment=Deployment.AUTOMATIC)
    settle(world)
    register(world, deployment=Deployment.AUTOMATIC)
    register(world, deployment=Deployment.AUTOMATIC, dirty=True)
    with world.state.read() as tx:
        assert [one.version for one in tx.find(REQUESTS, state="approved")] == [1, 2]


def test_switching_to_automatic_is_an_event_of_its_own() -> None:
    world = new_world()
    for deployment in (Deployment.MANUAL, Deployment.MANUAL, Deployment.AUTOMATIC):
        register(world, deployment=deployment, dirty=True)
    with world.state.read() as tx:
        said = [one.happened.details for one in tx.events() if one.happened.action is Action.DEPLOYMENT_SET]
    assert said == [{"from": None, "to": "manual"}, {"from": "manual", "to": "automatic"}]


def test_a_version_that_cannot_be_loaded_ends_its_rollout_with_the_reason() -> None:
    world = new_world()
    version = register(world)
    approve_request(world, request_transition(world, "m", 1, Stage.PRODUCTION, ADA).id, BEN)
    now = world.clock.now().timestamp()
    with world.state.write() as tx:
        failed = {version.digest: PackageState(Readiness.FAILED, "golden row 3 differs")}
        published = tx.get(ROUTES, "current")
        assert published is not None
        tx.put(WORKERS, Worker("w", now, Acknowledgement("0", "w", published.table.revision, now, failed)))
    advance_rollouts(world, Judges())
    with world.state.read() as tx:
        rollout = tx.find(ROLLOUTS)[0]
    assert rollout.phase is Phase.ABORTED
    assert rollout.outcome is not None
    assert "golden row 3 differs" in rollout.outcome.detail
    assert stages(world) == {1: Stage.NONE}


def test_an_approval_is_bound_to_the_bytes_it_was_given_for() -> None:
    world = new_world()
    version = register(world)
    request = request_transition(world, "m", 1, Stage.STAGING, ADA)
    with world.state.write() as tx:
        tx.put(VERSIONS, replace(version, digest="sha256:other"))
    with pytest.raises(Conflict, match="speaks of"):
        approve_request(world, request.id, BEN)
    with world.state.read() as tx:
        assert tx.find(REQUESTS)[0].state is RequestState.OPEN, "the whole transaction was undone"


def test_a_version_comes_into_one_environment_at_a_time() -> None:
    """Else the rollout into Staging that ends last would take the champion out of Production."""
    world = new_world()
    register(world)
    into_production(world, 1)
    register(world)
    into_staging = start_rollout(world, "m", 2, "staging", ADA)
    with pytest.raises(Conflict, match="into staging"):
        request_transition(world, "m", 2, Stage.PRODUCTION, ADA)
    steer(world, into_staging.id, Signal.ABORT, ADA)
    approve_request(world, request_transition(world, "m", 2, Stage.PRODUCTION, ADA).id, BEN)
    with pytest.raises(Conflict, match="into production"):
        start_rollout(world, "m", 2, "staging", ADA)


def test_rolling_back_ends_what_would_take_the_version_away_again() -> None:
    world = new_world()
    register(world)
    into_production(world, 1)
    register(world)
    into_production(world, 2)
    start_rollout(world, "m", 1, "staging", ADA)
    roll_back(world, "m", BEN)
    settle(world)
    assert stages(world) == {1: Stage.PRODUCTION, 2: Stage.ARCHIVED}


def test_any_number_of_versions_may_pass_through_staging_before_a_roll_back() -> None:
    world = new_world()
    for version in (1, 2):
        register(world)
        into_production(world, version)
    for version in range(3, 25):
        register(world)
        start_rollout(world, "m", version, "staging", ADA)
        settle(world)
    assert roll_back(world, "m", ADA).version == 1


def test_a_rollout_into_staging_has_nothing_to_be_judged_by_and_replaces() -> None:
    world = new_world()
    for version in (1, 2):
        register(world)
        with world.state.write() as tx:
            tx.put(PROJECTS, ProjectRecord("m", "/p", Deployment.MANUAL, {"staging": Environment(CANARY)}))
        start_rollout(world, "m", version, "staging", ADA)
        settle(world)
    assert stages(world) == {1: Stage.ARCHIVED, 2: Stage.STAGING}


def test_a_judge_that_could_never_say_anything_opens_no_rollout() -> None:
    world = new_world()
    register(world)
    into_production(world, 1)
    never = replace(CANARY.judge, margins={**CANARY.judge.margins, "errors": Margin(1.5, 0.5)})
    register(world, plan=replace(CANARY, judge=never))
    request = request_transition(world, "m", 2, Stage.PRODUCTION, ADA)
    with pytest.raises(InvalidInput, match=r"margins\.errors"):
        approve_request(world, request.id, BEN)
    assert actions(world)[-1] is Action.REQUEST_CREATED


class Workflow(RuleBasedStateMachine):
    """Random people do random things; what must always hold, holds."""

    @initialize()
    def begin(self) -> None:
        self.world = new_world()
        register(self.world)
        register(self.world)
        register(self.world)

    people = st.sampled_from([ADA, BEN, EVE])
    versions = st.integers(1, 3)

    def attempt(self, action: object, *arguments: object) -> None:
        self.world.clock.advance(1)  # type: ignore[attr-defined]
        with suppress(LockgateError, IllegalSignal):  # refused: the invariants say that nothing changed by it
            action(self.world, *arguments)  # type: ignore[operator]

    def open_request(self, pick: int) -> str:
        with self.world.state.read() as tx:
            found = tx.find(REQUESTS, state="open") or tx.find(REQUESTS)
        return found[pick % len(found)].id if found else "none"

    @rule(person=people, version=versions, stage=st.sampled_from(Stage))
    def ask(self, person: Actor, version: int, stage: Stage) -> None:
        self.attempt(request_transition, "m", version, stage, person)

    @rule(person=people, pick=st.integers(0, 9), act=st.sampled_from([approve_request, reject_request, cancel_request]))
    def decide(self, person: Actor, pick: int, act: object) -> None:
        self.attempt(act, self.open_request(pick), person)

    @rule(
        person=people, signal=st.sampled_from([Signal.PROMOTE, Signal.ABORT, Signal.PAUSE, Signal.RESUME]), pick=st.integers(0, 9)
    )
    def hand(self, person: Actor, signal: Signal, pick: int) -> None:
        with self.world.state.read() as tx:
            found = tx.find(ROLLOUTS)
        if found:
            self.attempt(steer, found[-1 - pick % len(found)].id, signal, person)

    @rule(version=versions, stage=st.sampled_from(Stage))
    def move(self, version: int, stage: Stage) -> None:
        """The whole way at once, so that walks reach far."""
        self.attempt(request_transition, "m", version, stage, EVE)
        self.attempt(approve_request, self.open_request(-1), BEN)
        settle(self.world)

    @rule()
    def tick(self) -> None:
        settle(self.world)

    @rule(person=people)
    def back(self, person: Actor) -> None:
        self.attempt(roll_back, "m", person)

    @invariant()
    def at_most_one_in_production_and_the_alias_names_it(self) -> None:
        champions = [version for version, stage in stages(self.world).items() if stage is Stage.PRODUCTION]
        assert len(champions) <= 1
        with self.world.state.read() as tx:
            alias = tx.get(ALIASES, "m", CHAMPION)
        assert ([alias.version] if alias else []) == champions

    @invariant()
    def the_routes_are_what_stands(self) -> None:
        with self.world.state.read() as tx:
            published = tx.get(ROUTES, "current")
            desired = desired_route(tx, "m")
        served = published.table.route("m") if published else None
        assert served == desired
        live = any(stage is Stage.PRODUCTION for stage in stages(self.world).values())
        assert sum(arm.weight for arm in served.arms) == (1.0 if live else 0.0) if served else not live

    @invariant()
    def the_audit_log_is_whole_and_agrees(self) -> None:
        assert verify_audit(self.world).broken is None
        said = {one.version: one.stage for one in look_back(self.world, self.world.clock.now()).stages}
        assert said == {version: stage for version, stage in stages(self.world).items() if version in said}
        assert all(version in said for version, stage in stages(self.world).items() if stage is not Stage.NONE)


TestWorkflow = Workflow.TestCase
TestWorkflow.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
