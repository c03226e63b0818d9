"""After the promotion: the version before keeps its share, late labels decide, and whatever ends it ends it cleanly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from lockgate.boundary.acknowledgements import Acknowledgement, PackageState, Readiness
from lockgate.boundary.histogram import bucket
from lockgate.boundary.observations import Block, Cell, Feedback, UnitOutcome
from lockgate.boundary.routes import LabelEvent, Revision, Role, Route
from lockgate.boundary.selector import choose, unit_key
from lockgate.domain.events import Action, Happened
from lockgate.domain.holds import Hold, HoldEnd, HoldRow, HoldState
from lockgate.domain.models import CHAMPION, ModelVersion, RegisteredModel, Stage
from lockgate.domain.people import CONTROLLER, Actor
from lockgate.domain.projects import Deployment, Environment, ProjectRecord
from lockgate.domain.rollouts import JudgePolicy, Phase, Plan, Rollout, Signal, Strategy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.kernel.errors import Conflict, NotFound
from lockgate.ports.state import (
    ALIASES,
    HOLD_ROWS,
    HOLDS,
    INBOX,
    MODELS,
    PROJECTS,
    ROLLOUTS,
    VERSIONS,
    WORKERS,
    Received,
    Worker,
)
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import VirtualClock
from lockgate.testing.state import MemoryState
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.apply_stage import apply_stage
from lockgate.usecases.find_holds import hold_by
from lockgate.usecases.find_things import rollout_by, version_of
from lockgate.usecases.publish_routes import publish_routes, route_table
from lockgate.usecases.release_hold import release_hold
from lockgate.usecases.replay_hold import replay_hold
from lockgate.usecases.roll_back import roll_back
from lockgate.usecases.start_rollout import open_rollout
from lockgate.usecases.steer_rollout import steer
from lockgate.usecases.world import World
from tests.journeys.full_disk import FullDisk

ADA = Actor("ada")
DAY = 86400.0
POLICY = JudgePolicy(metrics=("errors", "labels"), label_event=LabelEvent("missed", 0.5), requests_per_unit=1)
PLAN = Plan(Strategy.CANARY, (0.5,), "header:x-user", POLICY, hold_back=0.05, held=7 * DAY)


@dataclass
class Site:
    """A home whose version 2 was promoted over version 1 by a canary, and a data plane in the small."""

    world: World
    clock: VirtualClock
    rollout: Rollout
    judges: Judges = field(default_factory=Judges)
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(3))
    sequence: int = 0
    asked: int = 0
    lost: frozenset[str] = frozenset()  # digests that the worker has no package of

    @property
    def route(self) -> Route:
        with self.world.state.read() as tx:
            found = route_table(tx).route("m")
        assert found is not None
        return found

    @property
    def hold(self) -> Hold:
        with self.world.state.read() as tx:
            return hold_by(tx, self.rollout.id)

    @property
    def rows(self) -> list[HoldRow]:
        with self.world.state.read() as tx:
            return tx.find(HOLD_ROWS, hold=self.hold.id)

    def arms(self) -> list[tuple[int, Role, float]]:
        return [(arm.version, arm.role, arm.weight) for arm in self.route.arms]

    def events(self, *actions: Action) -> list[Happened]:
        with self.world.state.read() as tx:
            return [event.happened for event in tx.events() if event.happened.action in actions]

    def acknowledge(self) -> None:
        now = self.clock.unix()
        with self.world.state.write() as tx:
            table = route_table(tx)
            states = {
                digest: PackageState(Readiness.FAILED, "a file is missing")
                if digest in self.lost
                else PackageState(Readiness.READY)
                for digest in table.digests()
            }
            tx.put(WORKERS, Worker("w", now, Acknowledgement("0", "w", table.revision, now, states)))

    def tick(self, *blocks: Block, seconds: float = 0.2) -> None:
        self.clock.advance(seconds)
        self.acknowledge()
        with self.world.state.write() as tx:
            for block in blocks:
                tx.add(INBOX, Received(block.worker, block.incarnation, block.sequence, block))
        advance_rollouts(self.world, self.judges)

    def block(self, cells: Iterable[Cell] = (), labels: Iterable[Feedback] = ()) -> Block:
        self.sequence += 1
        return Block("0", "w", self.sequence, self.clock.unix(), self.clock.unix(), tuple(cells), tuple(labels))

    def predictions(self, users: int) -> list[Feedback]:
        """Of so many new users, by the routes in force; their labels are still to come."""
        with self.world.state.read() as tx:
            revision = route_table(tx).revision
        made = []
        for _ in range(users):
            self.asked += 1
            key = unit_key(self.route.salt, f"user {self.asked}")
            arm = self.route.arms[choose(key, [one.weight for one in self.route.arms])]
            at = self.clock.unix()
            made.append(Feedback(f"p{self.asked}", "m", arm.version, revision, key, 0.1, 0.0, at, at))
        return made

    def labelled(self, predictions: Iterable[Feedback], missing: dict[int, float]) -> Block:
        """missing: by version, the share of predictions that turn out to have missed the event."""
        return self.block(labels=[self._label(one, missing[one.version]) for one in predictions])

    def _label(self, prediction: Feedback, missing: float) -> Feedback:
        truth = float(self.random.random() < missing)
        fields = {name: getattr(prediction, name) for name in prediction.__struct_fields__}
        return Feedback(**{**fields, "label": truth, "at": self.clock.unix()})

    def answered(self, users: int, failing: dict[int, float]) -> Block:
        """So many new users, one request each, by the routes in force."""
        found: dict[int, list[UnitOutcome]] = {}
        for one in (predictions := self.predictions(users)):
            found.setdefault(one.version, []).append(UnitOutcome(one.key, int(self.random.random() < failing[one.version])))
        revision = predictions[0].revision
        return self.block(cells=[_cell(version, revision, units) for version, units in found.items()])


def _cell(version: int, revision: Revision, units: list[UnitOutcome]) -> Cell:
    failed = sum(unit.bits & 1 for unit in units)
    latency = {bucket(0.01): len(units)}
    return Cell("m", version, revision, len(units), {"error": failed} if failed else {}, latency, units=tuple(units))


def on_trial(plan: Plan = PLAN) -> Site:
    """The canary has its share."""
    clock = VirtualClock()
    world = World(MemoryState(), MemoryArtifacts(), clock)
    now = clock.now()
    with world.state.write() as tx:
        tx.put(MODELS, RegisteredModel("m", now, 3))
        tx.put(PROJECTS, ProjectRecord("m", "/p", Deployment.MANUAL, {"production": Environment(plan)}))
        for number in (1, 2, 3):
            stage = Stage.PRODUCTION if number == 1 else Stage.NONE
            tx.put(VERSIONS, ModelVersion("m", number, f"sha256:{number}", "run", "ada", now, dirty=False, stage=stage))
        rollout = replace(open_rollout(tx, version_of(tx, "m", 2), "production", ADA, now), salt="salt")
        tx.put(ROLLOUTS, rollout)
        publish_routes(tx, "m")
    site = Site(world, clock, rollout)
    site.tick()
    return site


def promoted(plan: Plan = PLAN) -> Site:
    site = on_trial(plan)
    steer(site.world, site.rollout.id, Signal.PROMOTE, ADA)
    site.tick()
    return site


# What begins


def test_a_promotion_leaves_the_version_before_its_share_for_its_time() -> None:
    site = promoted()
    assert site.arms() == [(2, Role.CHAMPION, 0.95), (1, Role.HELD_BACK, 0.05)]
    assert (site.route.salt, site.route.unit, site.route.rollout) == ("salt", "header:x-user", site.hold.id)
    assert (site.hold.until - site.hold.since).total_seconds() == 7 * DAY
    with site.world.state.read() as tx:
        assert {one.version: one.stage for one in tx.find(VERSIONS)} == {
            1: Stage.ARCHIVED,
            2: Stage.PRODUCTION,
            3: Stage.NONE,
        }
        alias = tx.get(ALIASES, "m", CHAMPION)
    assert alias is not None
    assert alias.version == 2
    (begun,) = site.events(Action.HOLD_BEGUN)
    assert (begun.subject, begun.version, begun.details["share"], begun.details["baseline"]) == (site.hold.id, 2, 0.05, 1)


def test_a_judge_that_promotes_leaves_it_behind_too_and_its_evidence_is_not_used_twice() -> None:
    site = on_trial(replace(PLAN, judge=replace(POLICY, metrics=("errors",))))
    for _ in range(60):
        site.tick(site.answered(100, {1: 0.02, 2: 0.02}))
        with site.world.state.read() as tx:
            if rollout_by(tx, site.rollout.id).phase is Phase.PROMOTED:
                break
    assert site.hold.state is HoldState.HELD
    assert (site.hold.rows, site.hold.promoted.completed) == (0, 0), "the block that proved it is the rollout's"
    site.tick(site.answered(100, {1: 1.0, 2: 0.0}))
    assert site.hold.promoted.completed + site.hold.before.completed == 100


def test_a_shadow_that_is_promoted_leaves_it_behind_too() -> None:
    """Nobody met the shadow, so there is nobody who could go back; what both said before is the rollout's own evidence."""
    site = promoted(replace(PLAN, strategy=Strategy.SHADOW, steps=()))
    assert site.arms() == [(2, Role.CHAMPION, 0.95), (1, Role.HELD_BACK, 0.05)]
    assert [step.weight for step in site.hold.ramp] == [0.95]
    assert site.hold.judge.metrics == ("errors", "labels")


@pytest.mark.parametrize("plan", [replace(PLAN, hold_back=0.0), Plan(Strategy.REPLACE), Plan(Strategy.BLUE_GREEN)])
def test_where_nothing_is_asked_for_or_compared_nothing_is_held_back(plan: Plan) -> None:
    site = on_trial(plan)
    with site.world.state.read() as tx:
        ended = rollout_by(tx, site.rollout.id).phase is Phase.PROMOTED
    if not ended:
        steer(site.world, site.rollout.id, Signal.PROMOTE, ADA)
    assert site.arms() == [(2, Role.CHAMPION, 1.0), (1, Role.RETAINED, 0.0)]
    with site.world.state.read() as tx, pytest.raises(NotFound, match="no version is held back"):
        hold_by(tx, site.rollout.id)


# What it finds


def test_labels_that_come_three_days_later_roll_back_with_their_figures() -> None:
    site = promoted()
    predictions = site.predictions(20_000)
    site.tick(site.answered(2_000, {1: 0.01, 2: 0.01}))
    site.tick(seconds=3 * DAY)
    for start in range(0, len(predictions), 500):
        site.tick(site.labelled(predictions[start : start + 500], {1: 0.1, 2: 0.4}))
        if site.hold.state is HoldState.ENDED:
            break
    assert (site.hold.end, site.hold.rows) == (HoldEnd.HARM, 2)
    assert site.arms() == [(1, Role.CHAMPION, 1.0), (2, Role.RETAINED, 0.0)]
    (back,) = site.events(Action.ROLLED_BACK)
    assert (back.actor, back.authenticated, back.version) == (CONTROLLER.name, CONTROLLER.authenticated, 1)
    reason = back.details["reason"]
    assert reason.startswith("harm after the promotion of version 2: labels 4")
    assert f"({site.hold.promoted.happened} of {site.hold.promoted.labelled}) against" in reason
    assert [one.details["why"] for one in site.events(Action.HOLD_ENDED)] == ["harm"]
    with site.world.state.read() as tx:
        rollout = tx.find(ROLLOUTS, newest_first=True)[0]
    assert (rollout.back, rollout.phase, rollout.started_by) == (True, Phase.PROMOTED, CONTROLLER.name)
    assert rollout.outcome is not None
    assert rollout.outcome.detail == reason


def test_labels_of_predictions_that_the_canary_made_count_after_its_promotion_by_its_weight() -> None:
    """Half of the users met the canary, so these labels tell far more than those of 5 %."""
    site = on_trial()
    predictions = site.predictions(2_000)
    steer(site.world, site.rollout.id, Signal.PROMOTE, ADA)
    site.tick(seconds=3 * DAY)
    site.tick(site.labelled(predictions, {1: 0.1, 2: 0.4}))
    assert site.hold.end is HoldEnd.HARM
    assert [one.weight for row in site.rows for one in row.events] == [0.5]


def test_failures_that_begin_after_the_promotion_roll_back() -> None:
    site = promoted()
    for _ in range(40):
        site.tick(site.answered(500, {1: 0.01, 2: 0.5}))
        if site.hold.state is HoldState.ENDED:
            break
    assert site.hold.end is HoldEnd.HARM
    assert "errors" in site.hold.detail


@pytest.mark.parametrize("missing", [{1: 0.1, 2: 0.1}, {1: 0.1, 2: 0.02}, {1: 0.1, 2: 0.11}])
def test_what_is_no_worse_than_the_margin_stays(missing: dict[int, float]) -> None:
    site = promoted()
    predictions = site.predictions(20_000)
    site.tick(seconds=3 * DAY)
    for start in range(0, len(predictions), 2_000):
        site.tick(site.labelled(predictions[start : start + 2_000], missing))
    assert (site.hold.state, site.hold.promoted.labelled + site.hold.before.labelled) == (HoldState.HELD, 20_000)


def test_a_label_that_comes_twice_and_a_block_that_comes_twice_count_once() -> None:
    site = promoted()
    block = site.labelled(site.predictions(300), {1: 1.0, 2: 1.0})
    site.tick(block)
    site.tick(block)
    site.tick(replace_sequence(site, block))
    assert sum(count for row in site.rows for one in row.events for count, _ in one.counts.values()) == 300
    assert site.hold.promoted.labelled + site.hold.before.labelled == 300


def replace_sequence(site: Site, block: Block) -> Block:
    return site.block(labels=block.feedback)


# How it ends


def test_its_time_ends_it_without_any_traffic() -> None:
    site = promoted()
    site.tick(seconds=7 * DAY - 60)
    assert site.hold.state is HoldState.HELD
    site.tick(seconds=61)
    assert (site.hold.end, site.hold.ended_at) == (HoldEnd.PASSED, site.clock.now())
    assert site.arms() == [(2, Role.CHAMPION, 1.0), (1, Role.RETAINED, 0.0)]
    assert site.route.rollout is None


def test_the_next_rollout_into_production_ends_it() -> None:
    site = promoted()
    with site.world.state.write() as tx:
        third = open_rollout(tx, version_of(tx, "m", 3), "production", ADA, site.clock.now())
    assert (site.hold.end, third.id in site.hold.detail) == (HoldEnd.SUPERSEDED, True)
    assert site.arms() == [(3, Role.CANARY, 0.0), (2, Role.CHAMPION, 1.0), (1, Role.RETAINED, 0.0)]
    assert site.route.salt == third.salt


def test_a_rollout_into_staging_does_not() -> None:
    site = promoted()
    with site.world.state.write() as tx:
        open_rollout(tx, version_of(tx, "m", 3), "staging", ADA, site.clock.now())
    site.tick()
    assert site.hold.state is HoldState.HELD
    assert site.arms()[:2] == [(2, Role.CHAMPION, 0.95), (1, Role.HELD_BACK, 0.05)]


def test_a_persons_roll_back_ends_it() -> None:
    site = promoted()
    roll_back(site.world, "m", ADA, "a bad feeling")
    assert (site.hold.end, site.hold.detail) == (HoldEnd.ROLLED_BACK, "a bad feeling")
    assert site.arms() == [(1, Role.CHAMPION, 1.0), (2, Role.RETAINED, 0.0)]
    assert [one.actor for one in site.events(Action.HOLD_ENDED)] == ["ada"]


def test_a_person_can_end_it_ahead_of_time() -> None:
    site = promoted()
    assert release_hold(site.world, site.rollout.id, ADA, "seen enough").end is HoldEnd.RELEASED
    assert site.arms() == [(2, Role.CHAMPION, 1.0), (1, Role.RETAINED, 0.0)]
    with pytest.raises(Conflict, match="held back no longer: released"):
        release_hold(site.world, site.rollout.id, ADA)


def test_a_version_that_leaves_production_by_another_way_ends_it() -> None:
    site = promoted()
    with site.world.state.write() as tx:
        apply_stage(tx, version_of(tx, "m", 2), Stage.ARCHIVED, ADA, site.clock.now())
        publish_routes(tx, "m")
    site.tick()
    assert site.hold.end is HoldEnd.LEFT
    assert site.arms() == [(1, Role.RETAINED, 0.0)]


def test_a_held_back_package_that_is_lost_ends_it_after_a_while() -> None:
    site = promoted()
    site.lost = frozenset({"sha256:1"})
    site.tick()
    site.tick(seconds=30)
    assert site.hold.state is HoldState.HELD, "a process that died is started again"
    site.tick(seconds=31)
    assert (site.hold.end, site.hold.detail) == (HoldEnd.LOST, "version 1 cannot be loaded: worker 0: a file is missing")
    assert site.arms()[0] == (2, Role.CHAMPION, 1.0)


def test_a_held_back_package_that_comes_back_in_time_goes_on() -> None:
    site = promoted()
    for lost in (frozenset({"sha256:1"}), frozenset[str](), frozenset({"sha256:1"}), frozenset[str]()):
        site.lost = lost
        site.tick(seconds=40)
    site.tick()
    assert (site.hold.state, site.hold.missing_since) == (HoldState.HELD, None)


def test_what_cannot_be_compared_ends_it_and_holds_up_nobody() -> None:
    site = promoted()
    with site.world.state.read() as tx:
        revision = route_table(tx).revision
    torn = [Cell("m", 2, revision, 5, {}, {}, 1, exceeded) for exceeded in ((1,), (1, 1))]
    site.tick(site.block(cells=torn))
    assert site.hold.end is HoldEnd.UNJUDGED
    assert site.arms()[0] == (2, Role.CHAMPION, 1.0)


# What a restart loses: nothing


@pytest.mark.parametrize("forget_every", [1, 3])
def test_a_controller_that_is_killed_between_ticks_says_the_same(forget_every: int) -> None:
    def story(forget: int | None) -> Site:
        site = promoted()
        for turn in range(30):
            if forget and turn % forget == 0:
                site.judges = Judges()
            users = 60 if turn % 3 else 300
            predictions = site.predictions(users)
            site.tick(site.answered(users, {1: 0.05, 2: 0.07}), site.labelled(predictions, {1: 0.1, 2: 0.12}), seconds=17)
        return site

    whole, forgetful = story(None), story(forget_every)
    assert len(whole.rows) > 5
    assert [(row.events, row.verdict, row.evidence) for row in whole.rows] == [
        (row.events, row.verdict, row.evidence) for row in forgetful.rows
    ]
    assert replay_hold(whole.world, whole.rollout.id).same


def test_a_tick_that_fails_leaves_no_trace() -> None:
    """What was folded into the guard is forgotten with it, and folded again from the journal."""
    site = promoted()
    site.tick(site.answered(300, {1: 0.1, 2: 0.1}))
    before = site.rows
    site.clock.advance(0.2)
    block = site.answered(300, {1: 0.1, 2: 0.1})
    with site.world.state.write() as tx:
        tx.add(INBOX, Received(block.worker, block.incarnation, block.sequence, block))
    with pytest.raises(OSError, match="the disk is full"):
        advance_rollouts(replace(site.world, state=FullDisk(site.world.state, HOLD_ROWS)), site.judges)
    assert site.rows == before
    site.tick()
    assert replay_hold(site.world, site.rollout.id).same
    keys = [key for row in site.rows for one in row.events for key, _ in one.units]
    assert site.hold.promoted.failed + site.hold.before.failed == len(keys) == len(set(keys)) > 0


def test_controllers_that_take_turns_go_on_where_the_other_stopped() -> None:
    site, others = promoted(), Judges()
    for _ in range(6):
        site.tick(site.answered(300, {1: 0.1, 2: 0.1}))
        site.judges, others = others, site.judges
    assert replay_hold(site.world, site.rollout.id).same
    assert len(site.rows) == 1, "all within a minute"
    keys = [key for one in site.rows[0].events for key, _ in one.units]
    assert sum(count for one in site.rows[0].events for count, _ in one.counts.values()) == len(keys) == len(set(keys))


def test_a_changed_journal_is_found() -> None:
    site = promoted()
    for _ in range(4):
        site.tick(site.answered(300, {1: 0.1, 2: 0.1}), seconds=60)
    assert replay_hold(site.world, site.rollout.id).same
    with site.world.state.write() as tx:
        row = site.rows[1]
        events = tuple(
            replace(one, counts={name: (of + 5, own + 5) for name, (of, own) in one.counts.items()}) for one in row.events
        )
        tx.put(HOLD_ROWS, replace(row, events=events))
    replayed = replay_hold(site.world, site.rollout.id)
    assert (replayed.same, replayed.first_difference) == (False, 1)


def test_a_quiet_hold_writes_nothing() -> None:
    """It lasts for days: where nothing is observed no tick writes."""
    site = promoted()
    site.tick()
    assert advance_rollouts(site.world, site.judges) is False
    with site.world.state.read() as tx:
        assert tx.find(HOLDS)[0].looks == 0
    assert site.hold.state is HoldState.HELD
    assert {row.verdict for row in site.rows} <= {JudgeVerdict.WAIT}
