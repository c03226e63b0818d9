"""A fixed split keeps its places: dropping a version moves the units that met it, to the champion, and no other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.routes import Role, Route
from lockgate.boundary.selector import choose
from lockgate.domain.contests import ArmFigures, Contest, ContestArm
from lockgate.domain.models import Stage
from lockgate.domain.rollouts import RampStep, Rollout, Strategy
from lockgate.stages.deliver.routes import route
from lockgate.testing import builders as a
from lockgate.testing.clock import START

KEYS = [number * 2**64 // 997 for number in range(997)]


def under_way(split: tuple[float, ...], strategy: Strategy = Strategy.AB) -> Rollout:
    """Version 1 is the champion; all others are challengers."""
    arms = tuple(ContestArm(number, a.digest(f"package {number}"), share) for number, share in enumerate(split, 1))
    contest = Contest(tuple(range(3, len(split) + 1)), split)
    met = (RampStep(0, 1, 0.0, START, (1.0, *(0.0,) * (len(split) - 1))), RampStep(0, 2, 1.0 - split[0], START, split))
    return a.rollout(strategy=strategy, steps=(), step=0, contest=contest, contestants=arms, ramp=met)


def without(rollout: Rollout, version: int, *, gone: bool = False) -> Rollout:
    """As `contest.dealt` leaves it: the share is the champion's."""
    champion, *others = rollout.contestants
    lost = next(one for one in others if one.version == version)
    out = replace(lost, weight=0.0, gone="a file is missing" if gone else "", figures=ArmFigures(dropped=True))
    left = tuple(out if one is lost else one for one in others)
    return replace(rollout, contestants=(replace(champion, weight=champion.weight + lost.weight), *left))


def routed(rollout: Rollout) -> Route:
    found = route(a.MODEL, [a.version(1, stage=Stage.PRODUCTION)], [rollout], None)
    assert found is not None
    return found


def answered_by(told: Route) -> list[int]:
    weights = [arm.weight for arm in told.arms]
    return [told.arms[choose(key, weights)].version for key in KEYS]


splits = st.lists(st.integers(1, 10), min_size=3, max_size=6).map(lambda parts: tuple(part / sum(parts) for part in parts))


@given(split=splits, data=st.data())
def test_no_unit_of_a_surviving_arm_ever_moves(split: tuple[float, ...], data: st.DataObject) -> None:
    rollout = under_way(split)
    before = answered_by(routed(rollout))
    challengers = data.draw(st.permutations(range(2, len(split) + 1)))
    for version in challengers[: data.draw(st.integers(1, len(challengers)))]:
        rollout = without(rollout, version, gone=data.draw(st.booleans()))
        told = routed(rollout)
        after = answered_by(told)
        assert after == [1 if one == version else one for one in before]
        assert sum(arm.weight for arm in told.arms if arm.version == 1) == pytest.approx(rollout.contestants[0].weight)
        before = after


def test_the_champion_has_the_place_of_what_was_dropped_and_its_own() -> None:
    told = routed(without(under_way((0.5, 0.25, 0.25)), 2))
    assert [(arm.version, arm.role, arm.weight) for arm in told.arms] == [
        (2, Role.CANARY, 0.0),
        (1, Role.CHAMPION, 0.25),
        (3, Role.CANARY, 0.25),
        (1, Role.CHAMPION, 0.5),
    ]


def test_what_nobody_met_leaves_no_place() -> None:
    begun = under_way((0.5, 0.25, 0.25))
    told = routed(replace(without(begun, 2, gone=True), ramp=begun.ramp[:1]))
    assert [(arm.version, arm.weight) for arm in told.arms] == [(3, 0.25), (1, 0.75)]


def test_a_bandit_deals_anew_as_it_always_does() -> None:
    told = routed(without(under_way((0.5, 0.25, 0.25), Strategy.BANDIT), 2))
    assert [(arm.version, arm.weight) for arm in told.arms] == [(2, 0.0), (3, 0.25), (1, 0.75)]


def test_before_the_first_step_all_are_the_champion_s() -> None:
    told = routed(replace(without(under_way((0.5, 0.25, 0.25)), 2), step=-1))
    assert [(arm.version, arm.weight) for arm in told.arms] == [(2, 0.0), (3, 0.0), (1, 1.0)]
