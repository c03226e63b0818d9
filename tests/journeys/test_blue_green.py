"""Blue-green from its request to its switch and back: green is warm beside blue, and nobody meets it who does not ask."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lockgate.boundary.acknowledgements import Acknowledgement, PackageState, Readiness
from lockgate.boundary.routes import Route
from lockgate.domain.events import Action
from lockgate.domain.models import ModelVersion, Stage
from lockgate.domain.people import Actor
from lockgate.domain.projects import Environment
from lockgate.domain.rollouts import Phase, Plan, Rollout, Shown, Signal, Strategy
from lockgate.entrypoints.reading.live import live_models, trial_clause
from lockgate.kernel.errors import Invalid
from lockgate.kernel.machine import IllegalSignal
from lockgate.ports.state import INBOX, MODELS, PROJECTS, ROLLOUTS, VERSIONS, WORKERS, Received, Worker
from lockgate.testing import builders as a
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import VirtualClock
from lockgate.testing.state import MemoryState
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.decide_request import approve_request
from lockgate.usecases.find_things import rollout_by
from lockgate.usecases.publish_routes import publish_routes, route_table
from lockgate.usecases.replay_rollout import replay_rollout
from lockgate.usecases.request_transition import request_transition
from lockgate.usecases.roll_back import roll_back
from lockgate.usecases.start_rollout import start_rollout
from lockgate.usecases.steer_rollout import steer
from lockgate.usecases.world import World

ADA, BEN = Actor("ada"), Actor("ben")
TEN_MINUTES = 600.0


@dataclass
class Site:
    """Version 1 answers; version 2 was requested by ada and approved by ben."""

    world: World
    clock: VirtualClock
    rollout: str

    def workers(self, *readiness: Readiness) -> None:
        """So many workers, each with version 2 as told, by the table in force."""
        now = self.clock.now().timestamp()
        with self.world.state.write() as tx:
            for place, state in enumerate(readiness):
                packages = {
                    a.digest("package 1"): PackageState(Readiness.READY),
                    a.digest("package 2"): PackageState(state, "no such operator" if state is Readiness.FAILED else ""),
                }
                said = Acknowledgement(str(place), f"{place}-a", route_table(tx).revision, now, packages)
                tx.put(WORKERS, Worker(said.incarnation, now, said))

    def tick(self, *readiness: Readiness, seconds: float = 0.1) -> Rollout:
        self.clock.advance(seconds)
        self.workers(*(readiness or (Readiness.READY, Readiness.READY)))
        advance_rollouts(self.world, Judges())
        return self.look()

    def look(self) -> Rollout:
        with self.world.state.read() as tx:
            return rollout_by(tx, self.rollout)

    def route(self) -> Route:
        with self.world.state.read() as tx:
            found = route_table(tx).route(a.MODEL)
        assert found is not None
        return found

    def arms(self) -> list[tuple[int, str, float]]:
        return [(arm.version, arm.role.value, arm.weight) for arm in self.route().arms]

    def standing(self) -> dict[int, Stage]:
        with self.world.state.read() as tx:
            return {one.version: one.stage for one in tx.find(VERSIONS)}

    def said(self) -> list[tuple[Action, str]]:
        with self.world.state.read() as tx:
            return [(event.happened.action, event.happened.actor) for event in tx.events(subject=self.rollout)]


def begin(preview: float | None = TEN_MINUTES) -> Site:
    clock = VirtualClock()
    world = World(MemoryState(), MemoryArtifacts(), clock)
    plan = Plan(Strategy.BLUE_GREEN, unit="header:x-user-id", preview=preview)
    with world.state.write() as tx:
        tx.put(MODELS, a.registered_model(latest_version=2))
        tx.put(PROJECTS, a.project(environments={"production": Environment(plan)}))
        tx.put(VERSIONS, a.version(1, stage=Stage.PRODUCTION))
        tx.put(VERSIONS, a.version(2))
        publish_routes(tx, a.MODEL)
    approve_request(world, request_transition(world, a.MODEL, 2, Stage.PRODUCTION, ADA).id, BEN)
    with world.state.read() as tx:
        [rollout] = tx.find(ROLLOUTS)
    return Site(world, clock, rollout.id)


def test_green_is_shown_when_every_worker_is_warm_and_meets_nobody_who_does_not_ask() -> None:
    site = begin()
    assert site.tick(Readiness.READY, Readiness.LOADING).phase is Phase.PREPARING
    assert site.route().rules == ()
    shown = site.tick()
    assert (shown.phase, shown.strategy, shown.shown_at) == (Phase.PREVIEW, Strategy.BLUE_GREEN, site.clock.now())
    assert site.arms() == [(2, "canary", 0.0), (1, "champion", 1.0)]
    assert [(rule.version, rule.header, rule.values) for rule in site.route().rules] == [(2, "x-lockgate-preview", ("green",))]
    assert site.route().unit == "request", "nothing is compared, so no unit is told of"
    assert site.standing() == {1: Stage.PRODUCTION, 2: Stage.NONE}


def test_status_says_what_is_previewed_and_how_it_is_reached() -> None:
    site = begin()

    def clause() -> str:
        with site.world.state.read() as tx:
            return trial_clause(live_models(tx, [a.MODEL])[a.MODEL])

    assert "previewed" not in clause()
    site.tick()
    assert clause() == f"version 2 is previewed, for requests with x-lockgate-preview: green ({site.rollout})"


def test_the_end_of_the_preview_switches_all_at_once_and_rollback_switches_back() -> None:
    site = begin()
    site.tick()
    assert site.tick(seconds=TEN_MINUTES - 1).phase is Phase.PREVIEW
    before = site.route()
    assert site.tick(seconds=1).phase is Phase.PROMOTED
    assert site.arms() == [(2, "champion", 1.0), (1, "retained", 0.0)]
    assert site.route().rules == ()
    assert {arm.digest for arm in site.route().arms} == {arm.digest for arm in before.arms}, "nothing is loaded for it"
    assert site.said()[-1] == (Action.ROLLOUT_PROMOTED, "controller")
    roll_back(site.world, a.MODEL, ADA)
    assert site.arms() == [(1, "champion", 1.0), (2, "retained", 0.0)]


def test_a_preview_without_an_end_waits_for_a_person() -> None:
    site = begin(preview=None)
    site.tick()
    assert site.tick(seconds=365 * 86_400).phase is Phase.PREVIEW
    assert steer(site.world, site.rollout, Signal.PROMOTE, ADA).phase is Phase.PROMOTED
    assert site.standing() == {1: Stage.ARCHIVED, 2: Stage.PRODUCTION}
    assert [one for one, _ in site.said()][:3] == [Action.ROLLOUT_STARTED, Action.ROLLOUT_SHOWN, Action.ROLLOUT_PROMOTED]


def test_the_end_of_the_preview_waits_for_a_worker_that_began_a_moment_ago() -> None:
    site = begin()
    site.tick()
    assert site.tick(Readiness.READY, Readiness.LOADING, seconds=TEN_MINUTES).phase is Phase.PREVIEW
    assert site.tick().phase is Phase.PROMOTED


@pytest.mark.parametrize("ticks", [0, 1])
def test_a_version_that_one_worker_cannot_load_goes_home(ticks: int) -> None:
    """Before the preview, and during it."""
    site = begin()
    for _ in range(ticks):
        site.tick()
    ended = site.tick(Readiness.READY, Readiness.FAILED)
    assert ended.phase is Phase.ABORTED
    assert ended.outcome is not None
    assert "no such operator" in ended.outcome.detail
    assert site.arms() == [(1, "champion", 1.0)]
    assert site.route().rules == ()


def test_what_green_answered_to_those_who_asked_is_kept_and_moves_nothing() -> None:
    site = begin()
    site.tick()
    with site.world.state.write() as tx:
        aside = a.cell(version=2, completed=50, failures={"error": 50}), a.cell(version=1, completed=9)
        tx.add(INBOX, Received("0", "0-a", 1, a.block(cells=(), aside=aside)))
    told = site.tick()
    assert (told.shown, told.phase, told.rows) == (Shown(50, {"error": 50}), Phase.PREVIEW, 0)
    assert site.tick().shown == told.shown


def test_a_rollback_in_the_preview_sends_green_home() -> None:
    site = begin()
    site.tick()
    assert roll_back(site.world, a.MODEL, ADA).phase is Phase.ABORTED
    assert site.arms() == [(1, "champion", 1.0)]


def test_a_preview_cannot_be_paused() -> None:
    site = begin()
    site.tick()
    with pytest.raises(IllegalSignal, match="preview"):
        steer(site.world, site.rollout, Signal.PAUSE, ADA)


def test_the_end_of_a_preview_is_enforced_when_the_last_worker_follows_its_own_table() -> None:
    """Not when it followed the table by which the version came: the share is the same in both."""
    site = begin()
    site.tick()
    steer(site.world, site.rollout, Signal.ABORT, ADA)
    site.clock.advance(1)
    advance_rollouts(site.world, Judges())
    outcome = site.look().outcome
    assert outcome is not None
    assert outcome.enforced_at is None, "no worker has said anything since"
    outcome = site.tick().outcome
    assert outcome is not None
    assert outcome.enforced_at == site.clock.now()


def test_the_first_version_has_nothing_to_be_switched_from() -> None:
    site = begin()
    with site.world.state.write() as tx:
        tx.put(MODELS, a.registered_model(name="fares", latest_version=1))
        tx.put(PROJECTS, a.project(model="fares", environments={"production": Environment(Plan(Strategy.BLUE_GREEN))}))
        tx.put(VERSIONS, ModelVersion("fares", 1, a.digest("fares"), "run-9", "ada", site.clock.now(), dirty=False))
    approve_request(site.world, request_transition(site.world, "fares", 1, Stage.PRODUCTION, ADA).id, BEN)
    with site.world.state.read() as tx:
        assert [one.strategy for one in tx.find(ROLLOUTS, model="fares")] == [Strategy.REPLACE]


def test_staging_takes_no_other_strategy_than_replace() -> None:
    site = begin()
    with pytest.raises(Invalid, match="strategy blue-green found, replace expected: staging has no traffic of its own"):
        start_rollout(site.world, a.MODEL, 2, "staging", ADA, Strategy.BLUE_GREEN)


def test_there_is_nothing_to_derive_again() -> None:
    site = begin()
    site.tick()
    replayed = replay_rollout(site.world, site.rollout)
    assert (replayed.same, replayed.rows) == (True, 0)
