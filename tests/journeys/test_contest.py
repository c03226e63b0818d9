"""A contest from its first block to its end: three versions answer, the evidence says which one stays."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from lockgate.boundary.acknowledgements import Acknowledgement, PackageState, Readiness
from lockgate.boundary.observations import Block, Feedback
from lockgate.boundary.routes import LabelEvent, Revision, Role, Route
from lockgate.boundary.selector import choose, unit_key
from lockgate.domain.contests import Contest, Goal
from lockgate.domain.events import Action
from lockgate.domain.models import ModelVersion, RegisteredModel, Stage
from lockgate.domain.projects import Deployment, Environment, ProjectRecord
from lockgate.domain.rollouts import JudgePolicy, Phase, Plan, Rollout, Signal, Strategy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.kernel.errors import Conflict, Invalid, Refused
from lockgate.ports.state import JOURNAL, MODELS, PROJECTS, ROLLOUTS, VERSIONS, WORKERS, Worker
from lockgate.stages.deliver.contest import with_shares
from lockgate.stages.deliver.contest.observations import weights_at
from lockgate.testing import builders as a
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import VirtualClock
from lockgate.testing.state import MemoryState
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.publish_routes import publish_rollout, publish_routes, route_table
from lockgate.usecases.replay_rollout import replay_rollout
from lockgate.usecases.start_rollout import check_may_leave, open_rollout
from lockgate.usecases.steer_rollout import steer
from lockgate.usecases.world import World
from tests.journeys.test_canary import ADA, Service, look, send

POLICY = JudgePolicy(requests_per_unit=1)
SALES = Goal(LabelEvent("true", 0.0), most=True)
THREE = Contest(contenders=(3,), goal=SALES)


@dataclass
class Shop(Service):
    """selling: by version, the share of requests that end in a sale; each is told of by a label."""

    selling: dict[int, float] = field(default_factory=dict)

    def weights(self, route: Route) -> list[float]:
        return [arm.weight for arm in route.arms]

    def sales(self, requests: int) -> Block:
        with self.world.state.read() as tx:
            table = route_table(tx)
        route, made = table.routes[0], []
        for _ in range(requests):
            self.asked += 1
            key = unit_key(route.salt, f"sale {self.asked}")
            version = route.arms[choose(key, self.weights(route))].version
            sold = float(self.random.random() < self.selling[version])
            made.append(Feedback(f"p{self.asked}", "m", version, table.revision, key, 0.1, sold, 0.0, 0.0))
        return self.block((), tuple(made))


def begin(
    strategy: Strategy = Strategy.AB,
    contest: Contest = THREE,
    policy: JudgePolicy = POLICY,
    load: tuple[str, ...] = ("sha256:1", "sha256:2", "sha256:3"),
) -> tuple[World, Rollout]:
    """Version 1 in Production, version 3 was there before, version 2 is requested; those in `load` are ready."""
    world = World(MemoryState(), MemoryArtifacts(), VirtualClock())
    now = world.clock.now()
    plan = Plan(strategy, judge=policy, contest=contest)
    with world.state.write() as tx:
        tx.put(MODELS, RegisteredModel("m", now, 4))
        tx.put(PROJECTS, ProjectRecord("m", "/p", Deployment.MANUAL, {"production": Environment(plan)}))
        for number, stage in ((1, Stage.PRODUCTION), (2, Stage.NONE), (3, Stage.ARCHIVED), (4, Stage.NONE)):
            tx.put(VERSIONS, ModelVersion("m", number, f"sha256:{number}", "r", "ada", now, dirty=False, stage=stage))
        tx.record(a.happened(action=Action.STAGE_APPLIED, subject="m/3", model="m", version=3, details={"to": "Production"}))
        second = tx.get(VERSIONS, "m", 2)
        assert second is not None
        rollout = replace(open_rollout(tx, second, "production", ADA, now), salt="salt")
        tx.put(ROLLOUTS, rollout)
        revision = publish_routes(tx, "m")
        ready = {digest: PackageState(Readiness.READY) for digest in load}
        at = now.timestamp()
        tx.put(WORKERS, Worker("w", at, Acknowledgement("0", "w", revision, at, ready)))
    advance_rollouts(world, Judges())
    return world, look(world, rollout)


def run(world: World, rollout: Rollout, shop: Shop, blocks: int, size: int = 300, seconds: float = 1.0) -> Rollout:
    judges = Judges()
    for _ in range(blocks):
        world.clock.advance(seconds)  # type: ignore[attr-defined]
        shop.acknowledge()
        send(world, shop.answer(size))
        send(world, shop.sales(size))
        advance_rollouts(world, judges)
        if look(world, rollout).ended_at:
            break
    return look(world, rollout)


def standing(world: World) -> dict[int, Stage]:
    with world.state.read() as tx:
        return {one.version: one.stage for one in tx.find(VERSIONS)}


def test_all_arms_have_their_shares_and_the_champion_stands_last() -> None:
    world, rollout = begin(contest=replace(THREE, split=(0.5, 0.25, 0.25)))
    assert rollout.phase is Phase.PROGRESSING
    with world.state.read() as tx:
        arms = route_table(tx).routes[0].arms
    assert [(one.version, one.role, one.weight) for one in arms] == [
        (2, Role.CANARY, 0.25),
        (3, Role.CANARY, 0.25),
        (1, Role.CHAMPION, 0.5),
    ]


def test_nobody_meets_a_challenger_before_all_are_loaded() -> None:
    _, rollout = begin()
    assert rollout.ramp[0].shares == (1.0, 0.0, 0.0)
    assert rollout.ramp[1].shares == pytest.approx((1 / 3, 1 / 3, 1 / 3))


@pytest.mark.parametrize("strategy", [Strategy.AB, Strategy.BANDIT])
def test_the_contender_that_sells_most_wins_and_enters_production(strategy: Strategy) -> None:
    world, rollout = begin(strategy)
    ended = run(world, rollout, Shop(world, selling={1: 0.1, 2: 0.1, 3: 0.3}), 60)
    assert (ended.phase, ended.verdict, ended.winner) == (Phase.PROMOTED, JudgeVerdict.WINNER, 3)
    assert standing(world)[3] is Stage.PRODUCTION
    assert standing(world)[2] is Stage.NONE
    assert ended.ramp[-1].shares == (0.0, 0.0, 1.0)
    assert ended.outcome is not None
    assert ended.outcome.detail.startswith("Version 3 won: goal events 3")
    assert replay_rollout(world, rollout.id).same


def test_where_the_champion_wins_it_stays() -> None:
    world, rollout = begin()
    ended = run(world, rollout, Shop(world, selling={1: 0.3, 2: 0.1, 3: 0.1}), 60)
    assert (ended.phase, ended.winner) == (Phase.ABORTED, 1)
    assert standing(world)[1] is Stage.PRODUCTION
    assert ended.outcome is not None
    assert ended.outcome.detail.startswith("The champion won")


def test_what_does_harm_is_dropped_and_the_others_go_on() -> None:
    world, rollout = begin()
    after = run(world, rollout, Shop(world, failing={2: 0.3}, selling={1: 0.1, 2: 0.1, 3: 0.1}), 5)
    assert (after.phase, [one.figures.dropped for one in after.contestants]) == (Phase.PROGRESSING, [False, True, False])
    assert after.ramp[-1].shares == pytest.approx((2 / 3, 0.0, 1 / 3))
    with world.state.read() as tx:
        told = [event.happened.version for event in tx.events() if event.happened.action is Action.ROLLOUT_DROPPED]
    assert told == [2]


def test_when_all_challengers_do_harm_the_contest_is_over() -> None:
    world, rollout = begin()
    ended = run(world, rollout, Shop(world, failing={2: 0.3, 3: 0.3}, selling={1: 0.1, 2: 0.1, 3: 0.1}), 20)
    assert (ended.phase, ended.verdict) == (Phase.ABORTED, JudgeVerdict.HARM)


def test_a_slow_challenger_is_dropped_too() -> None:
    world, rollout = begin()
    after = run(world, rollout, Shop(world, seconds={3: 0.1}, selling={1: 0.1, 2: 0.1, 3: 0.1}), 20)
    assert [one.figures.dropped for one in after.contestants] == [False, False, True]


def test_a_bandit_deals_out_anew_when_it_is_time_and_keeps_its_propensities() -> None:
    world, rollout = begin(Strategy.BANDIT, policy=replace(POLICY, alpha=1e-60))
    shop = Shop(world, selling={1: 0.1, 2: 0.1, 3: 0.2})
    assert len(run(world, rollout, shop, 30).ramp) == 2, "its shares change once a minute at most"
    after = run(world, rollout, shop, 60, seconds=20.0)
    assert after.contestants[2].weight >= 0.7
    assert min(one.weight for one in after.contestants) == pytest.approx(0.05)
    with world.state.read() as tx:
        rows = tx.find(JOURNAL, rollout=rollout.id)
    logged = {seen.weights for row in rows for seen in row.observations if seen.baseline.completed}
    assert logged >= {step.shares for step in after.ramp[1:-1]}
    assert replay_rollout(world, rollout.id).same


def test_a_pause_keeps_a_bandits_shares_and_not_what_does_harm() -> None:
    world, rollout = begin(Strategy.BANDIT, policy=replace(POLICY, alpha=1e-60))
    steer(world, rollout.id, Signal.PAUSE, ADA)
    paused = run(world, rollout, Shop(world, selling={1: 0.1, 2: 0.1, 3: 0.2}), 10, seconds=61.0)
    assert (paused.phase, len(paused.ramp)) == (Phase.PAUSED, 2)
    harmed = run(world, rollout, Shop(world, sequence=20, failing={2: 0.9}, selling={1: 0.1, 2: 0.1, 3: 0.1}), 10)
    assert (harmed.phase, harmed.ramp[-1].shares[1]) == (Phase.PAUSED, 0.0)


def test_all_challengers_are_waited_for() -> None:
    world, rollout = begin(load=("sha256:1", "sha256:2"))
    assert (rollout.phase, rollout.ramp[-1].shares) == (Phase.PREPARING, (1.0, 0.0, 0.0))
    Service(world).acknowledge()
    advance_rollouts(world, Judges())
    assert look(world, rollout).phase is Phase.PROGRESSING


def test_shares_that_move_among_challengers_only_are_noted_too() -> None:
    world, rollout = begin()
    moved = with_shares(rollout.contestants, (1 / 3, 0.5, 1 - 1 / 3 - 0.5))
    with world.state.write() as tx:
        changed = publish_rollout(tx, replace(rollout, contestants=moved), world.clock.now())
    assert len(changed.ramp) == len(rollout.ramp) + 1


def test_a_label_counts_under_the_shares_of_its_prediction() -> None:
    world, rollout = begin(Strategy.BANDIT, policy=replace(POLICY, alpha=1e-60))
    after = run(world, rollout, Shop(world, selling={1: 0.1, 2: 0.1, 3: 0.2}), 20, seconds=61.0)
    first = after.ramp[1]
    assert weights_at(after, Revision(first.epoch, first.n)) == pytest.approx((1 / 3, 1 / 3, 1 / 3))


def test_a_contest_that_proves_nothing_asks_a_person() -> None:
    world, rollout = begin(policy=replace(POLICY, max_units=1000))
    held = run(world, rollout, Shop(world, selling={1: 0.1, 2: 0.1, 3: 0.1}), 20)
    assert (held.phase, held.verdict) == (Phase.HOLDING, JudgeVerdict.INCONCLUSIVE)
    promoted = steer(world, rollout.id, Signal.PROMOTE, ADA)
    assert (promoted.phase, standing(world)[2]) == (Phase.PROMOTED, Stage.PRODUCTION)


def test_figures_stand_on_the_rollout() -> None:
    world, rollout = begin()
    after = run(world, rollout, Shop(world, selling={1: 0.1, 2: 0.1, 3: 0.1}), 3)
    for one in after.contestants:
        assert 200 < one.figures.requests < 400
        assert one.figures.low < one.figures.events / one.figures.trials < one.figures.high
    assert sum(one.figures.best for one in after.contestants) == pytest.approx(1.0)


def refuse(world: World, *versions: int) -> None:
    """The worker says that it cannot load these."""
    now = world.clock.now().timestamp()
    with world.state.write() as tx:
        table = route_table(tx)
        packages = {
            digest: PackageState(Readiness.FAILED, "bad file")
            if digest in {f"sha256:{one}" for one in versions}
            else PackageState(Readiness.READY)
            for digest in table.digests()
        }
        tx.put(WORKERS, Worker("w", now, Acknowledgement("0", "w", table.revision, now, packages)))


def told_of(world: World, rollout: Rollout) -> list[str]:
    with world.state.read() as tx:
        events = [event.happened for event in tx.events(subject=rollout.id)]
    return [str(one.details["detail"]) for one in events if one.action is Action.ROLLOUT_DROPPED]


@pytest.mark.parametrize("strategy", [Strategy.AB, Strategy.BANDIT])
@pytest.mark.parametrize(("broken", "left"), [(3, 2), (2, 3)])
def test_a_challenger_that_cannot_be_loaded_leaves_before_anybody_meets_it(strategy: Strategy, broken: int, left: int) -> None:
    """The requested version too: the contest of the others is not its fault."""
    world, rollout = begin(strategy, contest=replace(THREE, split=(0.5, 0.2, 0.3)), load=("sha256:1",))
    refuse(world, broken)
    judges = Judges()
    advance_rollouts(world, judges)
    after = look(world, rollout)
    share = {2: 0.2, 3: 0.3}[left]
    assert (after.phase, after.ramp[-1].shares[left - 1]) == (Phase.PROGRESSING, share)
    assert after.ramp[-1].shares[0] == pytest.approx(1 - share)
    assert told_of(world, rollout) == [f"version {broken} cannot be loaded (worker 0: bad file): its share goes to others"]
    with world.state.read() as tx:
        assert [arm.version for arm in route_table(tx).routes[0].arms] == [left, 1]
    advance_rollouts(world, judges)
    assert len(told_of(world, rollout)) == 1
    ended = run(world, rollout, Shop(world, selling={1: 0.1, left: 0.3}), 60)
    assert (ended.phase, ended.winner) == (Phase.PROMOTED, left)
    assert replay_rollout(world, rollout.id).same


def test_a_challenger_that_cannot_be_loaded_any_more_leaves_and_its_share_is_dealt_out() -> None:
    world, rollout = begin(Strategy.BANDIT, policy=replace(POLICY, alpha=1e-60))
    shop = Shop(world, selling={1: 0.1, 2: 0.1, 3: 0.2})
    run(world, rollout, shop, 5)
    refuse(world, 2)
    advance_rollouts(world, Judges())
    after = look(world, rollout)
    assert (after.phase, after.ramp[-1].shares[1]) == (Phase.PROGRESSING, 0.0)
    assert sum(after.ramp[-1].shares) == pytest.approx(1.0)
    assert after.ramp[-1].shares[2] > 1 / 3
    assert run(world, rollout, shop, 3).rows > after.rows
    assert replay_rollout(world, rollout.id).same


@pytest.mark.parametrize("order", [(3, 2), (2, 3)])
def test_where_no_other_challenger_is_left_the_contest_cannot_be_loaded(order: tuple[int, ...]) -> None:
    world, rollout = begin()
    for version in order:
        refuse(world, version)
        advance_rollouts(world, Judges())
    ended = look(world, rollout)
    assert ended.outcome is not None
    assert (ended.phase, ended.outcome.detail, ended.verdict) == (Phase.ABORTED, "worker 0: bad file", JudgeVerdict.WAIT)


def test_two_that_cannot_be_loaded_at_once_end_a_contest_of_three() -> None:
    world, rollout = begin(load=("sha256:1",))
    refuse(world, 2, 3)
    advance_rollouts(world, Judges())
    assert (look(world, rollout).phase, told_of(world, rollout)) == (Phase.ABORTED, [])


def test_nobody_promotes_what_no_worker_can_load() -> None:
    world, rollout = begin(load=("sha256:1",))
    refuse(world, 2)
    advance_rollouts(world, Judges())
    with pytest.raises(Refused, match=r"version 2, which rollout .* would bring in, cannot be loaded: worker 0: bad file"):
        steer(world, rollout.id, Signal.PROMOTE, ADA)


def test_a_contender_needs_a_yes_of_its_own() -> None:
    with pytest.raises(Refused, match="contender m 4 was neither approved for Production nor has it been there"):
        begin(contest=replace(THREE, contenders=(3, 4)))


def test_a_version_does_not_stand_against_itself() -> None:
    with pytest.raises(Invalid, match="different ones expected"):
        begin(contest=replace(THREE, contenders=(2,)))


def test_a_contender_cannot_be_taken_away() -> None:
    world, _ = begin()
    with world.state.read() as tx:
        third = tx.get(VERSIONS, "m", 3)
        assert third is not None
        with pytest.raises(Conflict, match="takes part in rollout"):
            check_may_leave(tx, third)
