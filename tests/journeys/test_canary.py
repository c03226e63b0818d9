"""A canary from its first block to its end: what workers send becomes evidence, evidence becomes routes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import msgspec
import pytest

from lockgate.boundary.acknowledgements import Acknowledgement, PackageState, Readiness
from lockgate.boundary.histogram import bucket
from lockgate.boundary.observations import Block, Cell, Feedback, UnitOutcome
from lockgate.boundary.routes import LabelEvent, Revision, Role, Route
from lockgate.boundary.scores import step
from lockgate.boundary.selector import choose, unit_key
from lockgate.domain.models import ModelVersion, RegisteredModel, Stage
from lockgate.domain.people import CONTROLLER, Actor
from lockgate.domain.projects import Deployment, Environment, ProjectRecord
from lockgate.domain.rollouts import JudgePolicy, Phase, Plan, Predictions, Rollout, Segments, Signal, Strategy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.ports.state import INBOX, JOURNAL, LABELS, MODELS, PROJECTS, ROLLOUTS, ROUTES, VERSIONS, WORKERS, Received, Worker
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import VirtualClock
from lockgate.testing.state import MemoryState
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.find_things import rollout_by, version_of
from lockgate.usecases.publish_routes import publish_routes, route_table
from lockgate.usecases.replay_rollout import replay_rollout
from lockgate.usecases.start_rollout import open_rollout
from lockgate.usecases.steer_rollout import steer
from lockgate.usecases.world import World

ADA = Actor("ada")
POLICY = JudgePolicy(metrics=("errors", "latency"), requests_per_unit=1)


@dataclass
class Service:
    """A data plane in the small: answers by the routes in force, with the failure rates and latencies that it is told."""

    world: World
    failing: dict[int, float] = field(default_factory=dict)  # by version
    seconds: dict[int, float] = field(default_factory=dict)
    missing: dict[int, float] = field(default_factory=dict)  # share of labels that are missed events
    failing_in: dict[str, dict[int, float]] = field(default_factory=dict)  # by segment; a tenth of the requests is in each
    scoring: dict[int, float] = field(default_factory=dict)  # by version: scores are uniform to the power of this
    skew: float = 1.0  # the canary is met so many times as often as the table says
    random: random.Random = field(default_factory=lambda: random.Random(7))
    sequence: int = 0
    asked: int = 0

    def acknowledge(self) -> None:
        now = self.world.clock.now().timestamp()
        with self.world.state.write() as tx:
            published = tx.get(ROUTES, "current")
            assert published is not None
            packages = {digest: PackageState(Readiness.READY) for digest in published.table.digests()}
            tx.put(WORKERS, Worker("w", now, Acknowledgement("0", "w", published.table.revision, now, packages)))

    def answer(self, requests: int, units: Iterator[str] | None = None) -> Block:
        """One block of so many requests."""
        with self.world.state.read() as tx:
            published = tx.get(ROUTES, "current")
        assert published is not None
        route = published.table.routes[0]
        cells: dict[tuple[int, str], _Counting] = {}
        for _ in range(requests):
            self.asked += 1
            unit = next(units) if units else str(self.asked)
            key = unit_key(route.salt, unit)
            arm = route.arms[choose(key, self.weights(route))]
            segment = next((value for place, value in enumerate(self.failing_in) if self.asked % 10 == place), "")
            counting = cells.setdefault((arm.version, segment), _Counting(segment))
            counting.count(self, route, arm.version, key, sticky=units is not None)
        return self.block(
            tuple(one.cell(self, route, version, published.table.revision) for (version, _), one in cells.items()), ()
        )

    def weights(self, route: Route) -> list[float]:
        own = min(1.0, self.skew * route.canary.weight) if route.canary else 0.0
        return [own if arm.role is Role.CANARY else 1.0 - own for arm in route.arms if arm.weight]

    def block(self, cells: tuple[Cell, ...], feedback: tuple[Feedback, ...]) -> Block:
        now = self.world.clock.now().timestamp()
        made = Block("0", "w", self.sequence, now, now, cells, feedback)
        self.sequence += 1
        return made

    def label(self, labels: int) -> Block:
        """Labels for so many predictions of the routes in force."""
        with self.world.state.read() as tx:
            published = tx.get(ROUTES, "current")
        assert published is not None
        route, made = published.table.routes[0], []
        for _ in range(labels):
            self.asked += 1
            key = unit_key(route.salt, f"label {self.asked}")
            version = route.arms[choose(key, [one.weight for one in route.arms])].version
            late = self.random.random() < self.missing.get(version, 0.1)
            made.append(Feedback(f"p{self.asked}", "m", version, published.table.revision, key, 0.1, float(late), 0.0, 0.0))
        return self.block((), tuple(made))


@dataclass
class _Counting:
    segment: str = ""
    completed: int = 0
    failed: int = 0
    exceeded: list[int] = field(default_factory=lambda: [0, 0, 0])
    latency: dict[int, int] = field(default_factory=dict)
    units: list[UnitOutcome] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    def count(self, service: Service, route: Route, version: int, key: int, *, sticky: bool) -> None:
        failing = service.failing_in.get(self.segment, service.failing)
        failed = service.random.random() < failing.get(version, 0.0)
        seconds = service.seconds.get(version, 0.01) * service.random.uniform(0.5, 1.5)
        bits = int(failed)
        if route.thresholds:
            role = next(arm.role for arm in route.arms if arm.version == version)
            limits = route.thresholds.canary if role is Role.CANARY else route.thresholds.champion
            for index, limit in enumerate(limits):
                if seconds > limit:
                    self.exceeded[index] += 1
                    bits |= 2 << index
        self.completed += 1
        self.failed += failed
        self.latency[bucket(seconds)] = self.latency.get(bucket(seconds), 0) + 1
        if not failed and service.scoring:
            self.scores.append(service.random.random() ** service.scoring[version])
        if sticky:
            self.units.append(UnitOutcome(key, bits))

    def cell(self, service: Service, route: Route, version: int, revision: Revision) -> Cell:
        failures = {"error": self.failed} if self.failed else {}
        timed = (route.thresholds.id, tuple(self.exceeded)) if route.thresholds else (0, ())
        bins, scores, now = route.bins, Counter(map(step, self.scores)), service.world.clock.now().timestamp()
        binned = Counter(bins.place(score) for score in self.scores) if bins else {}
        return Cell(
            "m",
            version,
            revision,
            self.completed,
            failures,
            self.latency,
            *timed,
            tuple(self.units),
            last_at=now,
            segment=self.segment if route.segments and self.segment in route.segments.values else "",
            bins_id=bins.id if bins else 0,
            bins=tuple(binned.get(place, 0) for place in range(len(bins.edges) + 1)) if bins else (),
            scores={} if bins else dict(scores),
        )


def send(world: World, block: Block) -> None:
    with world.state.write() as tx:
        tx.add(INBOX, Received(block.worker, block.incarnation, block.sequence, block))


def begin(policy: JudgePolicy = POLICY, steps: tuple[float, ...] = (0.1, 0.5), unit: str = "request") -> tuple[World, Rollout]:
    """Version 1 in Production, version 2 as a canary that is ready."""
    world = World(MemoryState(), MemoryArtifacts(), VirtualClock())
    now = world.clock.now()
    plan = Plan(Strategy.CANARY, steps, unit, policy)
    with world.state.write() as tx:
        tx.put(MODELS, RegisteredModel("m", now, 2))
        tx.put(PROJECTS, ProjectRecord("m", "/p", Deployment.MANUAL, {"production": Environment(plan)}))
        tx.put(VERSIONS, ModelVersion("m", 1, "sha256:1", "run-1", "ada", now, dirty=False, stage=Stage.PRODUCTION))
        second = ModelVersion("m", 2, "sha256:2", "run-2", "ada", now, dirty=False)
        tx.put(VERSIONS, second)
        rollout = replace(open_rollout(tx, second, "production", ADA, now), salt="salt")  # who meets the canary is no chance here
        tx.put(ROLLOUTS, rollout)
        publish_routes(tx, "m")
    Service(world).acknowledge()
    advance_rollouts(world, Judges())
    return world, look(world, rollout)


def look(world: World, rollout: Rollout) -> Rollout:
    with world.state.read() as tx:
        return rollout_by(tx, rollout.id)


def run(world: World, rollout: Rollout, service: Service, blocks: int, size: int = 200, judges: Judges | None = None) -> Rollout:
    judges = judges or Judges()
    for _ in range(blocks):
        world.clock.advance(0.2)  # type: ignore[attr-defined]
        service.acknowledge()
        send(world, service.answer(size))
        advance_rollouts(world, judges)
        if look(world, rollout).ended_at:
            break
    return look(world, rollout)


def test_a_harmless_canary_climbs_its_steps_and_is_promoted() -> None:
    world, rollout = begin()
    assert (rollout.phase, rollout.step) == (Phase.PROGRESSING, 0)
    ended = run(world, rollout, Service(world), 400)
    assert (ended.phase, ended.verdict) == (Phase.PROMOTED, JudgeVerdict.SAFE)
    assert [step.weight for step in ended.ramp] == [0.0, 0.1, 0.5, 1.0]
    with world.state.read() as tx:
        assert [one.stage for one in tx.find(VERSIONS)] == [Stage.ARCHIVED, Stage.PRODUCTION]


def test_a_failing_canary_goes_home_and_the_report_says_on_what_evidence() -> None:
    world, rollout = begin()
    ended = run(world, rollout, Service(world, failing={1: 0.01, 2: 0.2}), 400)
    assert (ended.phase, ended.verdict) == (Phase.ABORTED, JudgeVerdict.HARM)
    assert ended.outcome is not None
    assert ended.outcome.metrics == ("errors",)
    assert 0 < ended.outcome.exposed_requests < 400
    assert ended.outcome.crossed_at == ended.ended_at
    Service(world).acknowledge()
    advance_rollouts(world, Judges())
    enforced = look(world, rollout).outcome
    assert enforced is not None
    assert enforced.enforced_at == world.clock.now()


def test_a_slow_canary_goes_home() -> None:
    world, rollout = begin()
    ended = run(world, rollout, Service(world, seconds={1: 0.01, 2: 0.05}), 400)
    assert ended.phase is Phase.ABORTED
    assert ended.outcome is not None
    assert ended.outcome.metrics == ("latency",)


def test_no_traffic_is_no_verdict() -> None:
    world, rollout = begin()
    for _ in range(100):
        world.clock.advance(3600)  # type: ignore[attr-defined]
        Service(world).acknowledge()
        advance_rollouts(world, Judges())
    still = look(world, rollout)
    assert (still.phase, still.step, still.verdict, still.rows) == (Phase.PROGRESSING, 0, JudgeVerdict.WAIT, 0)


def test_both_arms_failing_alike_is_no_harm_of_the_canary() -> None:
    world, rollout = begin(policy=replace(POLICY, metrics=("errors",), max_units=3000))
    ended = run(world, rollout, Service(world, failing={1: 1.0, 2: 1.0}), 60)
    assert ended.phase is not Phase.ABORTED


def test_too_much_exposure_without_proof_asks_a_person_who_may_grant_more() -> None:
    world, rollout = begin(policy=replace(POLICY, metrics=("errors",), max_units=100), steps=(0.1,))
    service = Service(world, failing={1: 0.02, 2: 0.02})
    held = run(world, rollout, service, 6)
    assert (held.phase, held.verdict) == (Phase.HOLDING, JudgeVerdict.INCONCLUSIVE)
    steer(world, rollout.id, Signal.RESUME, ADA)
    assert run(world, rollout, service, 1, 10).phase is Phase.PROGRESSING


def test_a_pause_stops_the_ramp_and_not_the_guard() -> None:
    world, rollout = begin()
    steer(world, rollout.id, Signal.PAUSE, ADA)
    assert run(world, rollout, Service(world), 100).phase is Phase.PAUSED
    assert run(world, rollout, Service(world, failing={2: 0.5}, sequence=1000), 100).phase is Phase.ABORTED


def test_labels_decide_too() -> None:
    policy = replace(POLICY, metrics=("errors", "labels"), label_event=LabelEvent("missed", 0.5))
    world, rollout = begin(policy)
    service = Service(world, missing={1: 0.1, 2: 0.4})
    judges = Judges()
    while not look(world, rollout).ended_at:
        send(world, service.answer(100))
        send(world, service.label(100))
        advance_rollouts(world, judges)
    outcome = look(world, rollout).outcome
    assert outcome is not None
    assert (outcome.verdict, outcome.metrics) == (JudgeVerdict.HARM, ("labels",))


def test_a_label_that_comes_twice_counts_once_and_the_latest_is_kept() -> None:
    policy = replace(POLICY, metrics=("labels",), label_event=LabelEvent("missed", 0.5))
    world, rollout = begin(policy)
    service = Service(world)
    block = service.label(50)
    revised = replace_labels(service, block)
    send(world, block)
    advance_rollouts(world, Judges())
    send(world, revised)
    advance_rollouts(world, Judges())
    with world.state.read() as tx:
        rows = tx.find(JOURNAL, rollout=rollout.id)
        assert sum(len(arm.labels) for row in rows for one in row.observations for arm in (one.canary, one.baseline)) == 50
        assert {label.label for label in tx.find(LABELS)} == {1.0}


def replace_labels(service: Service, block: Block) -> Block:
    return service.block((), tuple(msgspec.structs.replace(one, label=1.0) for one in block.feedback))


def test_a_block_that_comes_twice_counts_once() -> None:
    world, rollout = begin()
    block = Service(world).answer(100)
    for _ in range(3):
        send(world, block)
        advance_rollouts(world, Judges())
    with world.state.read() as tx:
        rows = tx.find(JOURNAL, rollout=rollout.id)
    assert sum(one.canary.completed + one.baseline.completed for row in rows for one in row.observations) == 100


def test_what_was_assigned_before_the_rollout_is_no_evidence() -> None:
    world, rollout = begin()
    stale = Cell("m", 1, Revision(0, 0), 1000, {"error": 1000}, {bucket(0.01): 1000})
    send(world, Service(world).block((stale,), ()))
    advance_rollouts(world, Judges())
    with world.state.read() as tx:
        assert tx.find(JOURNAL, rollout=rollout.id) == []


def test_a_rollout_that_cannot_be_judged_goes_home_and_holds_up_no_other() -> None:
    world, rollout = begin()
    with world.state.write() as tx:
        revision = route_table(tx).revision
        third = ModelVersion("m", 3, "sha256:3", "run-3", "ada", world.clock.now(), dirty=False)
        tx.put(VERSIONS, third)
        other = open_rollout(tx, third, "staging", ADA, world.clock.now())
    service = Service(world)
    service.acknowledge()
    send(world, service.block((Cell("m", 2, revision, 5, {}, {bucket(0.01): 5}, 1, (1,)),), ()))
    advance_rollouts(world, Judges())
    ended = look(world, rollout)
    assert ended.phase is Phase.ABORTED
    assert ended.outcome is not None
    assert "cannot be judged: the observation has 1 exceedances, expected 3" in ended.outcome.detail
    assert look(world, other).phase is Phase.PROMOTED
    with world.state.read() as tx:
        assert tx.count(INBOX) == 0


def test_the_end_of_a_long_rollout_is_followed_up_though_shorter_ones_came_later() -> None:
    world, rollout = begin()
    with world.state.write() as tx:
        for number in range(3):
            later = replace(rollout, id=f"rollout-{number}", model="n", phase=Phase.ABORTED, ended_at=world.clock.now())
            tx.put(ROLLOUTS, later)
    run(world, rollout, Service(world, failing={2: 0.5}), 400)
    Service(world).acknowledge()
    advance_rollouts(world, Judges())
    outcome = look(world, rollout).outcome
    assert outcome is not None
    assert outcome.enforced_at == world.clock.now()


def test_what_workers_said_of_an_earlier_rollout_of_the_version_does_not_end_the_next_one() -> None:
    world, rollout = begin()
    with world.state.write() as tx:
        now = world.clock.now()
        said = {"sha256:1": PackageState(Readiness.READY), "sha256:2": PackageState(Readiness.FAILED, "a file is missing")}
        tx.put(WORKERS, Worker("w", now.timestamp(), Acknowledgement("0", "w", route_table(tx).revision, 0.0, said)))
    advance_rollouts(world, Judges())
    assert look(world, rollout).phase is Phase.ABORTED
    with world.state.write() as tx:
        again = open_rollout(tx, version_of(tx, "m", 2), "production", ADA, now)
    advance_rollouts(world, Judges())
    assert look(world, again).phase is Phase.PREPARING
    Service(world).acknowledge()
    advance_rollouts(world, Judges())
    assert look(world, again).phase is Phase.PROGRESSING


def test_what_an_earlier_rollout_of_the_version_was_seen_to_do_is_no_evidence_for_the_next_one() -> None:
    policy = replace(POLICY, metrics=("errors", "labels"), label_event=LabelEvent("missed", 0.5))
    world, rollout = begin(policy)
    service = Service(world, failing={2: 1.0}, missing={2: 1.0})
    late = [service.answer(300), service.label(300)]
    steer(world, rollout.id, Signal.ABORT, ADA)
    with world.state.write() as tx:
        again = open_rollout(tx, version_of(tx, "m", 2), "production", ADA, world.clock.now())
    service.acknowledge()
    advance_rollouts(world, Judges())
    for block in late:
        send(world, block)
    advance_rollouts(world, Judges())
    assert (look(world, again).phase, look(world, again).rows) == (Phase.PROGRESSING, 0)


def test_judges_remember_only_what_is_under_way() -> None:
    world, rollout = begin()
    judges = Judges()
    run(world, rollout, Service(world, failing={2: 0.5}), 400, judges=judges)
    Service(world).acknowledge()
    advance_rollouts(world, judges)
    assert judges.states == {}


@pytest.mark.parametrize("forget_every", [1, 7])
def test_a_controller_that_forgets_everything_decides_the_same(forget_every: int) -> None:
    def story(forget: int | None) -> tuple[Rollout, list[JudgeVerdict]]:
        world, rollout = begin(unit="header:x-user")
        service, judges = Service(world, failing={1: 0.02, 2: 0.05}), Judges()
        users = (f"user {service.random.randrange(3000)}" for _ in iter(int, 1))
        for turn in range(60):
            world.clock.advance(0.2)  # type: ignore[attr-defined]
            send(world, service.answer(100, users))
            if forget and turn % forget == 0:
                judges = Judges()
            advance_rollouts(world, judges)
        with world.state.read() as tx:
            return look(world, rollout), [row.verdict for row in tx.find(JOURNAL, rollout=rollout.id)]

    whole, forgetful = story(None), story(forget_every)
    assert whole[1] == forgetful[1]
    assert whole[0].phase is forgetful[0].phase


def test_every_verdict_can_be_derived_again_and_a_changed_journal_is_found() -> None:
    world, rollout = begin()
    run(world, rollout, Service(world, failing={1: 0.01, 2: 0.05}), 50)
    assert replay_rollout(world, rollout.id).same
    with world.state.write() as tx:
        row = tx.find(JOURNAL, rollout=rollout.id)[3]
        one = row.observations[0]
        tx.put(JOURNAL, replace(row, observations=(replace(one, canary=replace(one.canary, failed=one.canary.failed + 9)),)))
    replayed = replay_rollout(world, rollout.id)
    assert (replayed.same, replayed.first_difference) == (False, 3)


# What the canary is held to beside the comparison


def told(world: World, rollout: Rollout, signal: Signal) -> str:
    """What the controller said when it gave the signal."""
    with world.state.read() as tx:
        events = [one.happened for one in tx.events(subject=rollout.id)]
    given = [one for one in events if one.details.get("signal") == signal.value and one.actor == CONTROLLER.name]
    assert len(given) == 1
    return str(given[0].details["detail"])


def test_both_arms_failing_above_the_limit_send_the_canary_home_by_its_objective() -> None:
    world, rollout = begin(policy=replace(POLICY, metrics=("errors",), objectives={"errors": 0.05}))
    ended = run(world, rollout, Service(world, failing={1: 0.3, 2: 0.3}), 60)
    assert ended.phase is Phase.ABORTED
    assert ended.outcome is not None
    assert (ended.outcome.verdict, ended.outcome.metrics) == (JudgeVerdict.HARM, ("objective.errors",))
    assert ended.outcome.detail.endswith(", 5.00 % is the limit.")
    assert replay_rollout(world, rollout.id).same


def test_harm_to_a_tenth_of_the_traffic_sends_the_canary_home_and_names_the_tenth() -> None:
    policy = replace(POLICY, metrics=("errors",), segments=Segments("field:carrier", ("AA", "UA"), 100), min_units=10**9)
    world, rollout = begin(policy)
    segments = {"AA": {1: 0.05, 2: 0.6}, "UA": {1: 0.05, 2: 0.05}}
    ended = run(world, rollout, Service(world, failing={1: 0.05, 2: 0.0}, failing_in=segments), 200)
    assert ended.outcome is not None
    assert (ended.outcome.verdict, ended.outcome.metrics) == (JudgeVerdict.HARM, ("segment.carrier=AA",))
    assert replay_rollout(world, rollout.id).same


def test_a_router_at_fault_holds_the_rollout_and_no_resuming_makes_evidence_of_it() -> None:
    world, rollout = begin(policy=replace(POLICY, metrics=("errors",), min_units=10**9))
    service = Service(world, skew=3.0)
    for _ in range(20):
        world.clock.advance(3)  # type: ignore[attr-defined]
        rollout = run(world, rollout, service, 1)
    assert (rollout.phase, rollout.verdict) == (Phase.HOLDING, JudgeVerdict.ROUTER_FAULT)
    assert "10.00 % expected" in told(world, rollout, Signal.ROUTER_FAULT)
    service.failing = {2: 1.0}
    assert run(world, rollout, service, 20).phase is Phase.HOLDING  # the canary fails, and who knows which units it got
    steer(world, rollout.id, Signal.RESUME, ADA)
    assert run(world, rollout, service, 1).phase is Phase.HOLDING
    assert replay_rollout(world, rollout.id).same
    steer(world, rollout.id, Signal.ABORT, ADA)


@pytest.mark.parametrize(("phase", "after"), [(Phase.AWAITING, Phase.HOLDING), (Phase.PAUSED, Phase.PAUSED)])
def test_a_router_at_fault_takes_the_question_back_and_leaves_a_pause_a_pause(phase: Phase, after: Phase) -> None:
    world, rollout = begin(policy=replace(POLICY, metrics=("errors",), min_units=10**9))
    with world.state.write() as tx:
        tx.put(ROLLOUTS, replace(rollout, phase=phase))
    service = Service(world, failing={2: 1.0}, skew=0.0)
    for _ in range(10):
        world.clock.advance(10)  # type: ignore[attr-defined]
        rollout = run(world, rollout, service, 1)
    assert (rollout.phase, rollout.verdict) == (after, JudgeVerdict.ROUTER_FAULT)


def test_a_canary_that_predicts_otherwise_is_paused_once_and_goes_on_when_a_person_has_seen_it() -> None:
    policy = replace(POLICY, metrics=("errors",), predictions=Predictions())
    world, rollout = begin(policy, steps=(0.2, 0.5))
    service = Service(world, scoring={1: 1.0, 2: 2.0})
    paused = run(world, rollout, service, 60)
    assert paused.phase is Phase.PAUSED
    assert paused.bins is not None
    assert len(paused.bins.edges) == 9
    assert told(world, rollout, Signal.PAUSE).startswith("The canary predicts otherwise: ")
    steer(world, rollout.id, Signal.RESUME, ADA)
    ended = run(world, rollout, service, 200)
    assert (ended.phase, ended.verdict) == (Phase.PROMOTED, JudgeVerdict.SAFE)
    assert replay_rollout(world, rollout.id).same


def test_a_row_of_an_earlier_release_that_tells_of_fewer_e_values_is_replayed_by_those() -> None:
    world, rollout = begin()
    run(world, rollout, Service(world, failing={1: 0.01, 2: 0.05}), 20)
    with world.state.write() as tx:
        for row in tx.find(JOURNAL, rollout=rollout.id):
            tx.put(JOURNAL, replace(row, evidence={name: e for name, e in row.evidence.items() if name != "router"}))
    assert replay_rollout(world, rollout.id).same
    with world.state.write() as tx:
        row = tx.find(JOURNAL, rollout=rollout.id)[2]
        tx.put(JOURNAL, replace(row, evidence=row.evidence | {"harm": 0.5}))
    assert replay_rollout(world, rollout.id).first_difference == 2


def test_a_journal_of_another_processor_differs_in_the_last_digits_only_and_is_the_same() -> None:
    world, rollout = begin()
    run(world, rollout, Service(world, failing={1: 0.01, 2: 0.05}), 20)
    for digits, first in ((1e-13, None), (1e-7, 0)):
        with world.state.write() as tx:
            for row in tx.find(JOURNAL, rollout=rollout.id):
                tx.put(JOURNAL, replace(row, evidence={name: e * (1 + digits) + digits for name, e in row.evidence.items()}))
        assert replay_rollout(world, rollout.id).first_difference == first
