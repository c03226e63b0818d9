"""A version that is held back, in the data plane: it keeps its share whatever happens, and nobody depends on it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.routes import Arm, Revision, Role, Route, RouteTable, Shadow, Thresholds
from lockgate.boundary.selector import choose, unit_key
from lockgate.serving.capture.book import Book
from lockgate.serving.capture.figures import Figures
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.capture.tally import Tally
from lockgate.serving.gateway.assignment import Assignment, assign
from lockgate.serving.gateway.package import Package
from lockgate.serving.gateway.plan import Packages, Plan, RoutePlan, make_plan
from lockgate.serving.protocol.requests import parse
from tests.unit.serving.standing import package

REQUEST = parse(b'{"instances": [{"user": "u"}]}')
ARMS = (Arm(2, "c", Role.CHAMPION, 0.8), Arm(1, "b", Role.HELD_BACK, 0.2))
ROUTE = Route("m", ARMS, "salt", "header:x-user", "hold-1", Thresholds(3, (0.95,), (0.01,), (0.02,)))


def plan_of(ready: str, *, route: Route = ROUTE, orphaned: bool = False) -> Plan:
    table = RouteTable(Revision(1, 1), (route,))
    ledger = Ledger("w", "i", Figures(), 0.0, Book.in_memory(10))
    packages: Mapping[str, Package] = {one: package(one) for one in ready}

    def new_tally(route: Route, arm: Arm | Shadow, *, assigned: bool, segment: str = "") -> Tally:
        del segment
        return ledger.tally(table.revision, route, arm, assigned=assigned)

    return make_plan(table, Packages(packages, {}), Plan(), new_tally, orphaned=orphaned)


def told(plan: Plan) -> RoutePlan:
    return plan.routes["m"]


def assigned(plan: Plan, user: str) -> Assignment:
    found = assign(told(plan), lambda _: user, REQUEST)
    assert found is not None
    return found


@given(st.text(min_size=1), st.booleans())
def test_it_keeps_its_units_also_while_the_control_plane_is_lost(user: str, orphaned: bool) -> None:  # noqa: FBT001
    """It served everybody before, so nobody need watch it; only the comparison stops."""
    expected = ARMS[choose(unit_key("salt", user), (0.8, 0.2))].version
    found = assigned(plan_of("bc", orphaned=orphaned), user)
    assert (found.arm.version, found.judged) == (expected, not orphaned)


@given(st.text(min_size=1))
def test_while_it_cannot_answer_the_champion_does_and_nothing_is_compared(user: str) -> None:
    plan = plan_of("c")
    found = assigned(plan, user)
    assert (found.arm.version, found.judged) == (2, False)
    assert plan.ready, "a lost comparison keeps no worker from serving"
    assert not plan_of("b").ready


def test_it_stands_in_for_a_champion_that_is_not_loaded_yet() -> None:
    champion = told(plan_of("b")).champion
    assert champion is not None
    assert champion.version == 1


@pytest.mark.parametrize("version", [1, 2])
def test_whoever_asks_for_a_version_by_its_number_gets_it(version: int) -> None:
    assert told(plan_of("bc")).by_version[version].version == version


def test_the_champion_is_timed_as_the_version_on_trial_and_its_units_are_told() -> None:
    arms = told(plan_of("bc")).by_version
    assert {number: arm.tally.limits for number, arm in arms.items()} == {2: (0.02,), 1: (0.01,)}
    assert all(arm.tally.keyed and arm.tally.thresholds_id == 3 for arm in arms.values())


def test_beside_a_canary_the_champion_is_timed_as_the_baseline() -> None:
    canary = Route("m", (Arm(2, "c", Role.CANARY, 0.5), Arm(1, "b", Role.CHAMPION, 0.5)), thresholds=ROUTE.thresholds)
    arms = told(plan_of("bc", route=canary)).by_version
    assert {number: arm.tally.limits for number, arm in arms.items()} == {2: (0.02,), 1: (0.01,)}
