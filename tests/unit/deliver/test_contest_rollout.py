"""What a contest is to the rollout's machine and to the route."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lockgate.boundary.routes import Revision, Role
from lockgate.domain.contests import Contest, ContestArm
from lockgate.domain.models import Stage
from lockgate.domain.rollouts import Phase, RampStep, Rollout, Signal, Strategy
from lockgate.stages.deliver.contest.observations import observations, weights_at
from lockgate.stages.deliver.rollout import advance, entering, shares, weight, when_ready, with_step
from lockgate.stages.deliver.routes import route
from lockgate.testing import builders as a
from lockgate.testing.clock import START

ARMS = tuple(ContestArm(number, a.digest(str(number)), share) for number, share in ((1, 0.5), (2, 0.3), (3, 0.2)))


def contest(**fields: Any) -> Rollout:
    own = {"phase": Phase.PREPARING, "strategy": Strategy.BANDIT, "steps": (), "step": -1, "ramp": (), "baseline": 1}
    return a.rollout(**{**own, "contest": Contest(contenders=(3,)), "contestants": ARMS, **fields})


def test_challengers_have_their_shares_from_the_moment_in_which_all_are_ready_until_the_end() -> None:
    before = contest()
    under_way = advance(before, when_ready(before), START)
    assert [(shares(one), weight(one)) for one in (before, under_way)] == [((1.0, 0.0, 0.0), 0.0), ((0.5, 0.3, 0.2), 0.5)]
    assert shares(advance(under_way, Signal.ABORT, START)) == (1.0, 0.0, 0.0)
    promoted = advance(replace(under_way, winner=3), Signal.PROVEN, START)
    assert (entering(promoted), shares(promoted)) == (3, (0.0, 0.0, 1.0))


def test_a_person_promotes_the_version_that_was_requested_also_where_the_champion_is_ahead() -> None:
    assert entering(contest(winner=1)) == 2


def test_every_challenger_is_an_arm_on_trial() -> None:
    under_way = advance(contest(), Signal.READY, START)
    told = route(a.MODEL, [a.version(1, stage=Stage.PRODUCTION)], [under_way], None)
    assert told is not None
    assert [(one.version, one.role, one.weight) for one in told.arms] == [
        (2, Role.CANARY, 0.3),
        (3, Role.CANARY, 0.2),
        (1, Role.CHAMPION, 0.5),
    ]


def test_of_a_long_ramp_the_last_steps_are_kept_and_what_is_gone_is_no_evidence() -> None:
    rollout = advance(contest(), Signal.READY, START)
    rollout = with_step(rollout, RampStep(0, 1, 0.0, START, (1.0, 0.0, 0.0)))
    for n in range(2, 700):
        rollout = with_step(rollout, RampStep(0, n, 0.5, START, (0.5, 0.3, 0.2)))
    assert len(rollout.ramp) == 500
    assert weights_at(rollout, Revision(0, 0)) is None
    assert weights_at(rollout, Revision(0, 100)) == (1.0, 0.0, 0.0)
    assert weights_at(rollout, Revision(0, 650)) == (0.5, 0.3, 0.2)


def test_a_canarys_ramp_is_kept_whole() -> None:
    rollout = a.rollout(ramp=())
    for n in range(700):
        rollout = with_step(rollout, RampStep(0, n, 0.5, START))
    assert len(rollout.ramp) == 700


def test_what_came_in_one_tick_is_told_in_the_order_of_the_ramp() -> None:
    """A unit's first event must come first: shares that fall are no reason to tell of them the other way round."""
    steps = [(1, (1.0, 0.0, 0.0)), (2, (0.5, 0.3, 0.2)), (3, (0.3, 0.5, 0.2))]
    rollout = contest(ramp=tuple(RampStep(0, n, 1 - shares[0], START, shares) for n, shares in steps))
    cells = [a.cell(model=a.MODEL, version=2, revision=Revision(0, n), shadow=False) for n in (3, 2)]
    assert [seen.weights for seen in observations(rollout, cells, ())] == [(0.5, 0.3, 0.2), (0.3, 0.5, 0.2)]
