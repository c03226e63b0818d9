"""A contest's champion that has the place of a version that was dropped: two arms, one version, one count."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.routes import Arm, Role, Route
from lockgate.serving.gateway.describe import by_version
from tests.unit.serving.test_serving_plan import answering, plan_of

DROPPED, INSTEAD = Arm(2, "d", Role.CANARY, 0.0), Arm(1, "b", Role.CHAMPION, 0.25)
LEFT, CHAMPION = Arm(3, "c", Role.CANARY, 0.25), Arm(1, "b", Role.CHAMPION, 0.5)
BEFORE = Arm(2, "d", Role.CANARY, 0.25), LEFT, CHAMPION
AFTER = DROPPED, INSTEAD, LEFT, CHAMPION


@given(st.text(min_size=1))
def test_only_the_units_of_the_dropped_version_meet_another_one(user: str) -> None:
    before, after = answering(plan_of(*BEFORE, ready="bcd"), user), answering(plan_of(*AFTER, ready="bcd"), user)
    assert after == ((1, True) if before == (2, True) else before)


def test_both_places_are_counted_as_the_champion_s() -> None:
    plan = plan_of(*AFTER, ready="bcd").routes["m"]
    assert plan.arms[1] is plan.arms[3] is plan.champion


def test_callers_are_told_of_each_version_once() -> None:
    told = by_version(Route("m", AFTER))
    assert [(arm.version, arm.role, arm.weight) for arm in told] == [
        (2, Role.CANARY, 0.0),
        (1, Role.CHAMPION, 0.75),
        (3, Role.CANARY, 0.25),
    ]
