"""Production after Staging: nothing comes in that had not its time there, whoever asks; and the policy that sends versions on."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lockgate.boundary.acknowledgements import Acknowledgement, PackageState, Readiness
from lockgate.boundary.observations import Block, Cell
from lockgate.boundary.routes import LabelEvent, RouteTable
from lockgate.domain.contests import Contest
from lockgate.domain.events import Action, Happened
from lockgate.domain.learning import Learned, LearningState, Online
from lockgate.domain.models import ModelVersion, RequestState, Stage, TransitionRequest
from lockgate.domain.people import Actor
from lockgate.domain.projects import After, ApprovalPolicy, Deployment, Environment, ProjectRecord
from lockgate.domain.rollouts import JudgePolicy, Phase, Plan, Rollout, Signal, Strategy
from lockgate.domain.runs import Run, RunStatus
from lockgate.entrypoints.reading.staged import staged_clause, staged_in
from lockgate.kernel.errors import LockgateError, Refused
from lockgate.kernel.machine import IllegalSignal
from lockgate.ports.state import (
    INBOX,
    LEARNINGS,
    PROJECTS,
    REQUESTS,
    ROLLOUTS,
    VERSIONS,
    WORKERS,
    Received,
    Worker,
)
from lockgate.stages.deliver.online.course import begun
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import VirtualClock
from lockgate.testing.state import MemoryState
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.decide_request import approve_request, cancel_request, reject_request
from lockgate.usecases.find_things import version_of
from lockgate.usecases.publish_routes import route_table
from lockgate.usecases.register_version import register_version
from lockgate.usecases.request_transition import request_transition
from lockgate.usecases.roll_back import roll_back
from lockgate.usecases.send_on import LAG, PATIENCE, send_on
from lockgate.usecases.start_rollout import start_rollout
from lockgate.usecases.steer_rollout import steer
from lockgate.usecases.world import World
from tests.journeys.full_disk import FullDisk

ADA, BEN, EVE = Actor("ada"), Actor("ben"), Actor("eve")
HOUR = 3600.0
REPLACE = Plan(Strategy.REPLACE)
CANARY = Plan(Strategy.CANARY, (0.1, 0.5))
ONLINE = Plan(Strategy.ONLINE, judge=JudgePolicy(metrics=("labels",), label_event=LabelEvent("true", 0.5)), online=Online())


@dataclass
class Site:
    world: World
    clock: VirtualClock
    deployment: Deployment = Deployment.MANUAL
    plan: Plan = REPLACE
    after: After | None = field(default_factory=lambda: After("staging", HOUR))
    sequence: int = 0
    need: int = 1  # approvals of a request into Staging
    lost: frozenset[int] = frozenset()  # versions that the worker cannot load
    own: dict[str, Deployment] = field(default_factory=dict)  # environment → its own word on whose go it needs

    @property
    def project(self) -> ProjectRecord:
        nobody = ApprovalPolicy(excluded=())
        production = Environment(self.plan, nobody, after=self.after, deployment=self.own.get("production"))
        staging = Environment(approvals=ApprovalPolicy(self.need, ()), deployment=self.own.get("staging"))
        return ProjectRecord("m", "/p", self.deployment, {"production": production, "staging": staging})

    def register(self, *, dirty: bool = False) -> ModelVersion:
        now = self.clock.now()
        run = Run(f"run-{now.timestamp()}", "m", RunStatus.RUNNING, now, "ada", "ada", "person", commit="c0ffee", dirty=dirty)
        digest = self.world.artifacts.put(f"package {now}".encode())
        self.clock.advance(1)
        version = register_version(
            self.world, run, ADA, digest=digest, evaluation="sha256:e", reference="sha256:r", project=self.project
        )
        self.settle()
        return version

    def settle(self, *blocks: Block) -> None:
        now = self.clock.unix()
        with self.world.state.write() as tx:
            versions = {one.digest: one.version for one in tx.find(VERSIONS)}
            failed, ready = PackageState(Readiness.FAILED, "a file is missing"), PackageState(Readiness.READY)
            packages = {digest: failed if number in self.lost else ready for digest, number in versions.items()}
            said = Acknowledgement("0", "w", route_table(tx).revision, now, packages)
            tx.put(WORKERS, Worker("w", now, said))
            for block in blocks:
                tx.add(INBOX, Received(block.worker, block.incarnation, block.sequence, block))
        advance_rollouts(self.world, Judges())

    def turn(self, seconds: float = 1.0) -> bool:
        """The controller's loops, once each."""
        self.clock.advance(seconds)
        self.settle()
        taken = send_on(self.world)
        self.settle()
        return taken

    def move(self, version: int, stage: Stage) -> None:
        request = request_transition(self.world, "m", version, stage, ADA)
        approve_request(self.world, request.id, BEN)
        self.settle()

    def asked(self, version: int, requests: int, failures: int) -> None:
        """Callers named the version in their requests."""
        self.settle(self.block(version, requests, failures))

    def block(self, version: int, requests: int, failures: int) -> Block:
        self.sequence += 1
        cell = Cell("m", version, self.table.revision, requests, {"error": failures} if failures else {}, {})
        now = self.clock.unix()
        return Block("0", "w", self.sequence, now, now, aside=(cell,))

    def waiting(self, *blocks: Block) -> None:
        """What the control plane took in while the controller was away."""
        with self.world.state.write() as tx:
            for block in blocks:
                tx.add(INBOX, Received(block.worker, block.incarnation, block.sequence, block))

    @property
    def table(self) -> RouteTable:
        with self.world.state.read() as tx:
            return route_table(tx)

    def stages(self) -> dict[int, Stage]:
        with self.world.state.read() as tx:
            return {one.version: one.stage for one in tx.find(VERSIONS)}

    def requests(self, state: RequestState | None = None) -> list[TransitionRequest]:
        with self.world.state.read() as tx:
            return [one for one in tx.find(REQUESTS) if state in (None, one.state)]

    def happened(self, *actions: Action) -> list[Happened]:
        with self.world.state.read() as tx:
            return [event.happened for event in tx.events() if event.happened.action in actions]

    def rollout(self) -> Rollout:
        with self.world.state.read() as tx:
            return tx.find(ROLLOUTS, newest_first=True)[0]


def site(deployment: Deployment = Deployment.MANUAL, plan: Plan = REPLACE, seconds: float = HOUR) -> Site:
    clock = VirtualClock()
    return Site(World(MemoryState(), MemoryArtifacts(), clock), clock, deployment, plan, After("staging", seconds))


# People ask


def test_what_is_not_in_staging_is_refused_with_the_next_step() -> None:
    here = site()
    here.register()
    with pytest.raises(Refused, match="m 1 stands in None, Staging expected for 1h before it comes into Production") as told:
        request_transition(here.world, "m", 1, Stage.PRODUCTION, ADA)
    assert told.value.hint == "lockgate request m 1 --to Staging"
    assert here.requests() == []


def test_what_has_not_had_its_time_is_refused_until_it_has() -> None:
    here = site()
    here.register()
    here.move(1, Stage.STAGING)
    here.clock.advance(HOUR - 1)
    with pytest.raises(Refused, match=r"m 1 has stood in Staging since 2026-.*, 1h there expected") as told:
        request_transition(here.world, "m", 1, Stage.PRODUCTION, ADA)
    assert str(told.value.hint).endswith("lockgate request m 1 --to Production")
    here.clock.advance(1)
    here.move(1, Stage.PRODUCTION)
    assert here.stages() == {1: Stage.PRODUCTION}


def test_its_time_begins_anew_when_it_was_taken_out() -> None:
    here = site()
    for _ in range(2):
        here.register()
    here.move(1, Stage.STAGING)
    here.clock.advance(HOUR)
    here.move(2, Stage.STAGING)
    assert here.stages() == {1: Stage.ARCHIVED, 2: Stage.STAGING}
    with pytest.raises(Refused, match="m 1 stands in Archived"):
        request_transition(here.world, "m", 1, Stage.PRODUCTION, ADA)
    here.move(1, Stage.STAGING)
    with pytest.raises(Refused, match="has stood in Staging since"):
        request_transition(here.world, "m", 1, Stage.PRODUCTION, ADA)


def test_what_people_took_out_of_staging_does_not_stand_there() -> None:
    here = site()
    here.register()
    here.move(1, Stage.STAGING)
    here.clock.advance(HOUR)
    here.move(1, Stage.ARCHIVED)
    with pytest.raises(Refused, match="m 1 stands in Archived"):
        request_transition(here.world, "m", 1, Stage.PRODUCTION, ADA)


def test_a_yes_is_looked_at_when_it_is_said() -> None:
    """Between the request and the yes the version may have left Staging."""
    here = site()
    for _ in range(2):
        here.register()
    here.move(1, Stage.STAGING)
    here.clock.advance(HOUR)
    request = request_transition(here.world, "m", 1, Stage.PRODUCTION, ADA)
    here.move(2, Stage.STAGING)
    with pytest.raises(Refused, match="m 1 stands in Archived"):
        approve_request(here.world, request.id, BEN)
    assert [one.state for one in here.requests() if one.id == request.id] == [RequestState.OPEN]
    reject_request(here.world, request.id, BEN)


def test_without_a_time_it_need_only_stand_there() -> None:
    here = site(seconds=0.0)
    here.register()
    with pytest.raises(Refused, match="m 1 stands in None, Staging expected before it comes into Production"):
        request_transition(here.world, "m", 1, Stage.PRODUCTION, ADA)
    here.move(1, Stage.STAGING)
    here.move(1, Stage.PRODUCTION)
    assert here.stages() == {1: Stage.PRODUCTION}


def test_staging_is_empty_afterwards_and_the_package_was_loaded_all_along() -> None:
    here = site(plan=CANARY)
    for version in (1, 2):
        here.register()
        here.move(version, Stage.STAGING)
        here.clock.advance(HOUR)
        loaded: list[bool] = []
        with here.world.state.read() as tx:
            digest = version_of(tx, "m", version).digest
        request = request_transition(here.world, "m", version, Stage.PRODUCTION, ADA)
        loaded.append(digest in here.table.digests())
        approve_request(here.world, request.id, BEN)
        loaded.append(digest in here.table.digests())
        here.settle()
        loaded.append(digest in here.table.digests())
        if here.rollout().phase is Phase.PROGRESSING:
            assert here.stages()[version] is Stage.STAGING, "on trial it stays where it is"
            steer(here.world, here.rollout().id, Signal.PROMOTE, ADA)
            loaded.append(digest in here.table.digests())
        assert all(loaded)
    assert here.stages() == {1: Stage.ARCHIVED, 2: Stage.PRODUCTION}


def test_what_was_sent_home_is_in_staging_still() -> None:
    here = site(plan=CANARY)
    for version in (1, 2):
        here.register()
        here.move(version, Stage.STAGING)
        here.clock.advance(HOUR)
        here.move(version, Stage.PRODUCTION)
    steer(here.world, here.rollout().id, Signal.ABORT, ADA)
    assert here.stages() == {1: Stage.PRODUCTION, 2: Stage.STAGING}
    here.move(2, Stage.PRODUCTION)
    assert here.rollout().phase is Phase.PROGRESSING, "and may be tried again"


def test_a_roll_back_need_not_have_stood_there() -> None:
    here = site()
    for version in (1, 2):
        here.register()
        here.move(version, Stage.STAGING)
        here.clock.advance(HOUR)
        here.move(version, Stage.PRODUCTION)
    roll_back(here.world, "m", ADA)
    assert here.stages() == {1: Stage.PRODUCTION, 2: Stage.ARCHIVED}


def with_checkpoint(plan: Plan, state: LearningState = LearningState.OPEN, course: str = "course-1") -> Site:
    """Version 1 in Production, and 2 that it learned to be."""
    here = site(plan=plan)
    here.register()
    here.move(1, Stage.STAGING)
    here.clock.advance(HOUR)
    here.move(1, Stage.PRODUCTION)
    checkpoint = here.register()
    with here.world.state.write() as tx:
        tx.put(VERSIONS, replace(checkpoint, learned=Learned("course-1", 1, 0, 10, "sha256:l")))
        tx.put(LEARNINGS, replace(begun("m", course, 1, 0), state=state))
    return here


def test_a_checkpoint_of_the_course_that_goes_on_need_not_have_stood_there() -> None:
    here = with_checkpoint(ONLINE)
    here.move(2, Stage.PRODUCTION)
    assert (here.rollout().version, here.rollout().strategy) == (2, Strategy.ONLINE)
    assert here.stages() == {1: Stage.PRODUCTION, 2: Stage.NONE}, "lessons decide"


@pytest.mark.parametrize(
    ("plan", "state", "course"),
    [
        (ONLINE, LearningState.OPEN, "course-2"),
        (ONLINE, LearningState.STOPPED, "course-1"),
        (REPLACE, LearningState.OPEN, "course-1"),
        (CANARY, LearningState.OPEN, "course-1"),
    ],
)
def test_any_other_checkpoint_is_a_version_like_others(plan: Plan, state: LearningState, course: str) -> None:
    """Nothing would judge it by lessons."""
    here = with_checkpoint(plan, state, course)
    with pytest.raises(Refused, match="m 2 stands in None, Staging expected for 1h"):
        request_transition(here.world, "m", 2, Stage.PRODUCTION, ADA)


def test_a_course_that_ends_before_the_yes_proves_nothing() -> None:
    here = with_checkpoint(ONLINE)
    request = request_transition(here.world, "m", 2, Stage.PRODUCTION, ADA)
    with here.world.state.write() as tx:
        tx.put(LEARNINGS, begun("m", "course-2", 1, 10))
    with pytest.raises(Refused, match="m 2 stands in None"):
        approve_request(here.world, request.id, BEN)


def test_a_checkpoint_with_nothing_to_compare_it_with_must_have_stood_there() -> None:
    here = with_checkpoint(ONLINE)
    here.move(1, Stage.ARCHIVED)
    with pytest.raises(Refused, match="m 2 stands in None"):
        request_transition(here.world, "m", 2, Stage.PRODUCTION, ADA)


# The policy


def test_the_policy_sends_a_version_through_staging_into_production() -> None:
    here = site(Deployment.AUTOMATIC)
    here.register()
    assert here.stages() == {1: Stage.STAGING}
    assert not here.turn(HOUR - 2)
    here.asked(1, 400, 1)
    assert here.turn(2)
    assert here.stages() == {1: Stage.PRODUCTION}
    assert not here.turn()
    assert [(one.to_stage, one.requester, one.comment) for one in here.requests(RequestState.APPROVED)] == [
        (Stage.STAGING, "policy", "deployment: automatic; all gates passed"),
        (Stage.PRODUCTION, "policy", "deployment: automatic; it had its time in Staging: it answered 400 requests, 1 failed"),
    ]


def test_that_nobody_asked_it_anything_is_allowed_and_told() -> None:
    here = site(Deployment.AUTOMATIC)
    here.register()
    here.turn(HOUR)
    assert here.stages() == {1: Stage.PRODUCTION}
    assert here.requests()[-1].comment == "deployment: automatic; it had its time in Staging: nobody asked it anything"


def test_what_fails_in_staging_is_left_to_a_person_and_said_once() -> None:
    here = site(Deployment.AUTOMATIC)
    here.register()
    here.asked(1, 200, 1)
    here.asked(1, 100, 3)
    for _ in range(4):
        here.turn(HOUR)
    (told,) = here.happened(Action.POLICY_WITHHELD)
    assert (told.actor, told.subject, told.version) == ("policy", "m/1", 1)
    assert told.details == {"to": "Production", "why": "in Staging it answered 300 requests, 4 failed: at most 1% expected"}
    assert here.stages() == {1: Stage.STAGING}
    here.move(1, Stage.PRODUCTION)
    assert here.stages() == {1: Stage.PRODUCTION}, "a person may"


def test_what_nobody_has_read_is_waited_for() -> None:
    """The controller was away: its loops race each other when it is back."""
    here = site(Deployment.AUTOMATIC)
    here.register()
    here.waiting(here.block(1, 100, 50))
    here.clock.advance(HOUR)
    with here.world.state.write() as tx:
        (worker,) = tx.find(WORKERS)
        tx.put(WORKERS, replace(worker, seen_at=here.clock.unix()))
    assert not send_on(here.world)
    here.settle()
    assert send_on(here.world)
    assert here.stages() == {1: Stage.STAGING}
    assert len(here.happened(Action.POLICY_WITHHELD)) == 1


@pytest.mark.parametrize(("seconds", "taken"), [(LAG + 1, False), (LAG - 1, True)])
def test_the_inbox_may_lag_a_little(seconds: float, *, taken: bool) -> None:
    here = site(Deployment.AUTOMATIC)
    here.register()
    here.clock.advance(3 * HOUR)
    late = here.block(1, 100, 0)
    here.clock.advance(seconds)
    here.settle()
    here.waiting(late)
    assert send_on(here.world) is taken


def test_what_cannot_begin_is_left_to_a_person_and_lets_the_next_one_by(caplog: pytest.LogCaptureFixture) -> None:
    here = site(Deployment.AUTOMATIC)
    here.register()
    here.turn(HOUR)
    here.register()
    here.move(2, Stage.ARCHIVED)
    here.plan = Plan(Strategy.AB, contest=Contest(contenders=(2,)))
    here.register()
    for _ in range(4):
        here.turn(HOUR)
    (told,) = here.happened(Action.POLICY_WITHHELD)
    assert (told.version, told.details["why"]) == (
        3,
        "its rollout cannot begin: contender m 2 was neither approved for Production nor has it been there",
    )
    assert "not sent on" not in caplog.text
    assert (here.stages()[3], here.requests(RequestState.OPEN)) == (Stage.STAGING, []), "nothing of the attempt is left"
    here.plan = REPLACE
    here.register()
    here.turn()
    here.turn(HOUR)
    assert here.stages()[4] is Stage.PRODUCTION


def test_what_a_worker_cannot_load_is_left_to_a_person_after_a_while() -> None:
    here = site(Deployment.AUTOMATIC)
    here.register()
    here.lost = frozenset({1})
    here.turn(HOUR)
    assert not here.turn(PATIENCE - 1)
    assert here.turn(1)
    assert not here.turn(HOUR)
    (told,) = here.happened(Action.POLICY_WITHHELD)
    assert told.details == {"to": "Production", "why": "in Staging it cannot be loaded: worker 0: a file is missing"}
    here.register()
    assert here.turn(HOUR)
    assert here.stages() == {1: Stage.ARCHIVED, 2: Stage.PRODUCTION}


def test_a_worker_that_can_load_it_after_all_has_its_patience_anew() -> None:
    here = site(Deployment.AUTOMATIC, CANARY)
    for _ in range(3):  # the second keeps Production busy, the third waits for it
        here.register()
        here.turn(HOUR)
        here.turn()
    for _ in range(3):
        here.lost = frozenset({3})
        here.turn(PATIENCE / 2)
        here.lost = frozenset()
        here.turn(PATIENCE / 2)
    assert here.stages()[3] is Stage.STAGING
    assert here.happened(Action.POLICY_WITHHELD) == []


def test_a_worker_that_fails_and_is_started_again_and_fails_has_failed_all_the_time() -> None:
    here = site(Deployment.AUTOMATIC)
    here.register()
    here.lost = frozenset({1})
    here.turn(HOUR)
    here.clock.advance(PATIENCE)
    assert not send_on(here.world), "no worker is alive: nobody says that it cannot"
    assert here.turn()
    assert len(here.happened(Action.POLICY_WITHHELD)) == 1


def test_the_next_version_waits_until_the_one_before_had_its_time_and_the_newest_goes_first() -> None:
    here = site(Deployment.AUTOMATIC)
    for _ in range(3):
        here.register()
    assert here.stages() == {1: Stage.STAGING, 2: Stage.NONE, 3: Stage.NONE}
    assert [(one.version, one.state) for one in here.requests()] == [
        (1, RequestState.APPROVED),
        (2, RequestState.CANCELLED),
        (3, RequestState.OPEN),
    ]
    assert [one.details["why"] for one in here.happened(Action.REQUEST_CANCELLED)] == ["version 3 came after it"]
    here.turn(HOUR)
    here.turn()
    assert here.stages() == {1: Stage.PRODUCTION, 2: Stage.NONE, 3: Stage.STAGING}
    here.turn(HOUR)
    assert here.stages() == {1: Stage.ARCHIVED, 2: Stage.NONE, 3: Stage.PRODUCTION}


def test_a_version_that_waits_is_not_held_up_by_one_that_was_left_to_a_person() -> None:
    here = site(Deployment.AUTOMATIC)
    here.register()
    here.asked(1, 10, 5)
    here.register()
    for _ in range(2):
        here.turn(HOUR)
    assert here.stages() == {1: Stage.ARCHIVED, 2: Stage.STAGING}


def test_the_policy_asks_once_and_does_not_argue() -> None:
    """A canary that was sent home, or a request that somebody rejected, is not begun again."""
    here = site(Deployment.AUTOMATIC, CANARY)
    for _ in range(2):
        here.register()
        here.turn(HOUR)
    steer(here.world, here.rollout().id, Signal.ABORT, ADA)
    for _ in range(3):
        assert not here.turn(HOUR)
    assert here.stages() == {1: Stage.PRODUCTION, 2: Stage.STAGING}


def test_what_people_brought_into_staging_is_theirs() -> None:
    here = site()
    here.register()
    here.move(1, Stage.STAGING)
    here.deployment = Deployment.AUTOMATIC
    with here.world.state.write() as tx:
        tx.put(PROJECTS, here.project)
    for _ in range(3):
        assert not here.turn(HOUR)
    assert here.stages() == {1: Stage.STAGING}


def test_the_policy_waits_for_every_worker_and_for_a_production_that_is_busy() -> None:
    here = site(Deployment.AUTOMATIC, CANARY)
    here.register()
    here.lost = frozenset({1})
    assert not here.turn(HOUR)
    here.lost = frozenset()
    assert here.turn()
    here.register()
    here.turn(HOUR)
    here.register()
    here.turn()
    here.turn(HOUR)
    assert here.stages() == {1: Stage.PRODUCTION, 2: Stage.ARCHIVED, 3: Stage.STAGING}
    assert (here.rollout().version, here.requests(RequestState.OPEN)) == (3, [])
    with here.world.state.read() as tx:
        busy = tx.find(ROLLOUTS, phase=Phase.PROGRESSING.value)
    steer(here.world, busy[0].id, Signal.PROMOTE, ADA)
    assert here.turn()
    assert here.rollout().version == 3
    assert here.rollout().environment == "production"


def test_a_dirty_build_and_a_project_that_became_manual_are_people_s() -> None:
    here = site(Deployment.AUTOMATIC)
    here.register(dirty=True)
    assert here.requests() == []
    here.register()
    here.deployment = Deployment.MANUAL
    with here.world.state.write() as tx:
        tx.put(PROJECTS, here.project)
    assert not here.turn(HOUR)
    assert here.stages() == {1: Stage.NONE, 2: Stage.STAGING}


def test_an_older_version_does_not_come_after_a_newer_one() -> None:
    here = site(Deployment.AUTOMATIC)
    here.register()
    here.register()
    here.after = None
    with here.world.state.write() as tx:
        tx.put(PROJECTS, here.project)
    cancel_request(here.world, here.requests(RequestState.OPEN)[0].id, Actor("policy"))
    here.move(2, Stage.PRODUCTION)
    here.after = After("staging", HOUR)
    with here.world.state.write() as tx:
        tx.put(PROJECTS, here.project)
    assert not here.turn(2 * HOUR)
    assert here.stages() == {1: Stage.STAGING, 2: Stage.PRODUCTION}


def test_what_waits_and_was_moved_by_people_meanwhile_is_not_sent_anywhere() -> None:
    here = site(Deployment.AUTOMATIC)
    here.register()
    here.register()
    here.move(2, Stage.ARCHIVED)
    here.turn(HOUR)
    here.turn()
    assert here.stages() == {1: Stage.PRODUCTION, 2: Stage.ARCHIVED}
    assert [one.details["why"] for one in here.happened(Action.REQUEST_CANCELLED)] == ["it is in Archived already"]


def test_where_two_must_say_yes_the_policy_says_its_own_once(caplog: pytest.LogCaptureFixture) -> None:
    here = site(Deployment.AUTOMATIC)
    here.need = 2
    here.register()
    assert not here.turn(HOUR)
    (request,) = here.requests()
    assert [one.by for one in request.decisions] == ["policy"]
    assert "not sent on" not in caplog.text
    approve_request(here.world, request.id, BEN)
    here.settle()
    assert here.stages() == {1: Stage.STAGING}


def test_two_controllers_take_a_step_once() -> None:
    here = site(Deployment.AUTOMATIC)
    here.register()
    here.clock.advance(HOUR)
    here.settle()
    assert send_on(here.world)
    assert not send_on(here.world)
    assert [one.to_stage for one in here.requests()] == [Stage.STAGING, Stage.PRODUCTION]


def test_a_step_that_fails_in_its_midst_leaves_no_trace_and_is_taken_later() -> None:
    here = site(Deployment.AUTOMATIC)
    here.register()
    here.clock.advance(HOUR)
    here.settle()
    before = here.requests(), len(here.happened(*Action))
    with pytest.raises(OSError, match="the disk is full"):
        send_on(replace(here.world, state=FullDisk(here.world.state, ROLLOUTS)))
    assert (here.requests(), len(here.happened(*Action))) == before
    assert here.turn()
    assert here.stages() == {1: Stage.PRODUCTION}


# What is told


def test_what_stands_in_staging_is_told_with_when_it_may_go_on() -> None:
    here = site()
    here.register()
    here.move(1, Stage.STAGING)
    here.asked(1, 5, 2)
    with here.world.state.read() as tx:
        told = staged_in(tx, "m")
    assert told is not None
    assert (told.version, told.requests, told.failures) == (1, 5, 2)
    assert told.possible_at == told.since + timedelta(hours=1)
    assert staged_clause(told).startswith("version 1 is in Staging since 2026-")
    assert "Production possible at" in staged_clause(told)


# Whatever people and signals do


class InARow(RuleBasedStateMachine):
    """Random people, signals, ticks and times; the invariant reads the events alone."""

    @initialize(deployment=st.sampled_from(Deployment), plan=st.sampled_from([REPLACE, CANARY]))
    def begin(self, deployment: Deployment, plan: Plan) -> None:
        self.here = site(deployment, plan)
        for _ in range(3):
            self.here.register()

    people = st.sampled_from([ADA, BEN, EVE])
    versions = st.integers(1, 3)

    def attempt(self, action: object, *arguments: object) -> None:
        self.here.clock.advance(1)
        with suppress(LockgateError, IllegalSignal):  # refused: the invariant says that nothing came in by it
            action(self.here.world, *arguments)  # type: ignore[operator]

    @rule(version=versions, stage=st.sampled_from(Stage), person=people)
    def ask(self, version: int, stage: Stage, person: Actor) -> None:
        self.attempt(request_transition, "m", version, stage, person)

    @rule(pick=st.integers(0, 9), act=st.sampled_from([approve_request, approve_request, cancel_request, reject_request]))
    def decide(self, pick: int, act: object) -> None:
        found = self.here.requests(RequestState.OPEN)
        if found:
            self.attempt(act, found[pick % len(found)].id, EVE)

    @rule(version=versions, stage=st.sampled_from([Stage.STAGING, Stage.PRODUCTION, Stage.ARCHIVED]))
    def move(self, version: int, stage: Stage) -> None:
        """The whole way at once, so that walks reach far."""
        with suppress(LockgateError):
            self.here.move(version, stage)

    @rule(signal=st.sampled_from([Signal.PROMOTE, Signal.ABORT, Signal.PAUSE, Signal.RESUME]), pick=st.integers(0, 9))
    def hand(self, signal: Signal, pick: int) -> None:
        with self.here.world.state.read() as tx:
            found = tx.find(ROLLOUTS)
        if found:
            self.attempt(steer, found[-1 - pick % len(found)].id, signal, ADA)

    @rule(version=versions, environment=st.sampled_from(["staging", "production"]))
    def start(self, version: int, environment: str) -> None:
        self.attempt(start_rollout, "m", version, environment, ADA)

    @rule(seconds=st.sampled_from([1.0, HOUR / 2, HOUR]))
    def turn(self, seconds: float) -> None:
        self.here.turn(seconds)

    @rule()
    def back(self) -> None:
        self.attempt(roll_back, "m", ADA)

    @invariant()
    def what_came_into_production_had_its_time_in_staging(self) -> None:
        with self.here.world.state.read() as tx:
            told = [event.happened for event in tx.events()]
            rollouts = {one.id: one for one in tx.find(ROLLOUTS)}
        since: dict[int, datetime] = {}
        for one in told:
            if one.action is Action.STAGE_APPLIED and one.details["to"] == "Staging":
                since[one.version] = one.at
            elif one.action in (Action.STAGE_APPLIED, Action.STAGE_ARCHIVED):
                since.pop(one.version, None)
            elif one.action is Action.ROLLOUT_STARTED and one.details["environment"] == "production":
                back = rollouts[one.subject].back
                assert back or one.at - since[one.version] >= timedelta(seconds=HOUR)


TestInARow = InARow.TestCase
TestInARow.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
