"""Whatever people do with the general champion and two segments, in whatever order: the aliases say who answers where."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lockgate.domain.models import Stage, alias_of
from lockgate.domain.projects import Champions
from lockgate.domain.rollouts import Plan, Rollout, Signal, Strategy
from lockgate.kernel.errors import LockgateError
from lockgate.kernel.machine import IllegalSignal
from lockgate.ports.state import ALIASES, VERSIONS
from lockgate.usecases.find_rollouts import rollouts_under_way
from lockgate.usecases.roll_back import roll_back
from lockgate.usecases.start_rollout import check_may_leave
from lockgate.usecases.steer_rollout import steer
from lockgate.usecases.world import World
from tests.journeys.airports import BEN, CANARY, ELSEWHERE, JFK, LGA, TWO, a_world, answering, ask_for, declare, route_of, tick

PLACES = st.sampled_from(["", JFK, LGA])
VERSION = st.integers(1, 4)
PLANS = st.sampled_from([Plan(), CANARY, Plan(Strategy.BLUE_GREEN)])
DECLARED = st.sampled_from([TWO, TWO, TWO, Champions("field:origin", (LGA,)), None])


class Histories(RuleBasedStateMachine):
    world: World

    @initialize()
    def a_model(self) -> None:
        self.world = a_world(Plan())

    @rule(version=VERSION, place=PLACES)
    def ask(self, version: int, place: str) -> None:
        with suppress(LockgateError):
            ask_for(self.world, version, place)

    @rule()
    def load(self) -> None:
        tick(self.world)

    @precondition(lambda self: self.under_way())
    @rule(data=st.data(), signal=st.sampled_from([Signal.PROMOTE, Signal.ABORT, Signal.PAUSE]))
    def steer(self, data: st.DataObject, signal: Signal) -> None:
        rollout = data.draw(st.sampled_from(self.under_way()))
        with suppress(IllegalSignal):
            steer(self.world, rollout.id, signal, BEN)

    @rule(place=PLACES, to=st.none() | VERSION)
    def go_back(self, place: str, to: int | None) -> None:
        with suppress(LockgateError):
            roll_back(self.world, "m", BEN, to=to, segment=place)

    @rule(plan=PLANS, champions=DECLARED)
    def change_the_project_file(self, plan: Plan, champions: Champions | None) -> None:
        declare(self.world, plan, champions)

    @invariant()
    def each_place_is_answered_by_its_alias_or_by_the_general_champion(self) -> None:
        route = route_of(self.world)
        values = route.segments.values if route.segments else ()
        with self.world.state.read() as tx:
            named = {one.name: one.version for one in tx.find(ALIASES, model="m")}
            general = tx.find(VERSIONS, model="m", stage=Stage.PRODUCTION.value)
        assert [one.version for one in general] == [named.get("champion", 1)]  # one, and always the same as the alias says
        for place, answers in answering(self.world).items():
            own = named.get(alias_of(place)) if place in values else None
            assert answers == (own or general[0].version), place
        assert set(answering(self.world)) == {JFK, LGA, ELSEWHERE}

    @invariant()
    def a_part_has_a_champion_or_a_rollout_of_its_own(self) -> None:
        with self.world.state.read() as tx:
            named = {one.name for one in tx.find(ALIASES, model="m")}
        for one in route_of(self.world).parts:
            busy = any(rollout.segment == one.segment for rollout in self.under_way())
            assert busy or alias_of(one.segment) in named
            assert sum(arm.weight for arm in one.route.arms) == 1.0

    @invariant()
    def every_rollout_under_way_has_its_place_and_is_compared_with_who_answers_there(self) -> None:
        parts = {one.segment: one.route for one in route_of(self.world).parts}
        for rollout in self.under_way():
            route = parts[rollout.segment] if rollout.segment else route_of(self.world)
            assert rollout.version in {arm.version for arm in route.arms}
            assert route.champion is not None
            assert route.champion.version == rollout.baseline

    @invariant()
    def who_answers_cannot_be_taken_away(self) -> None:
        with self.world.state.read() as tx:
            for one in tx.find(ALIASES, model="m"):
                if one.name != "champion":
                    version = tx.get(VERSIONS, "m", one.version)
                    assert version is not None
                    with suppress(LockgateError):
                        check_may_leave(tx, version)
                        raise AssertionError(f"{one.name} may leave")

    def under_way(self) -> list[Rollout]:
        with self.world.state.read() as tx:
            return rollouts_under_way(tx, "m")


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
