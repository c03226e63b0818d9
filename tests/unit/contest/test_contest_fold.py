"""What a contest proves, and how its units are dealt out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lockgate.domain.contests import Allocation, Contest, Goal
from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.kernel.errors import Conflict, Invalid, InvalidInput
from lockgate.stages.deliver.contest import begin, observe, report, shares
from tests.unit.contest.arms import POLICY, SALES, THREE, failing, labelled, played

TWO = Contest(goal=SALES)
ERRORS = Contest(goal=Goal())


def test_the_version_that_sells_more_wins_among_three() -> None:
    _, said = played((0.05, 0.05, 0.12), seed=1, ticks=60)
    assert (said.verdict, said.winner) == (JudgeVerdict.WINNER, 2)
    assert said.arms[2].best > 0.99


def test_the_champion_can_win() -> None:
    _, said = played((0.12, 0.04), seed=2, ticks=60, contest=TWO)
    assert (said.verdict, said.winner) == (JudgeVerdict.WINNER, 0)


def test_fewest_is_the_other_way_round() -> None:
    _, said = played((0.12, 0.04), seed=2, ticks=60, contest=replace(TWO, goal=replace(SALES, most=False)))
    assert said.winner == 1


def test_without_labels_the_goal_is_the_fewest_failures_and_what_fails_is_dropped() -> None:
    _, said = played((0.01, 0.3), seed=3, ticks=30, contest=ERRORS)
    assert said.verdict is JudgeVerdict.HARM
    assert [arm.dropped for arm in said.arms] == [False, True]


def test_a_harmful_challenger_is_dropped_and_its_share_goes_to_the_champion_for_good() -> None:
    random, weights = np.random.default_rng(4), (0.4, 0.3, 0.3)
    contest = Contest(contenders=(3,), split=weights, goal=SALES)
    state = begin(POLICY, contest)
    for _ in range(10):
        counts = random.multinomial(300, weights).tolist()
        state = observe(state, failing(weights, counts, random.binomial(counts, (0.01, 0.4, 0.01)).tolist()))
    assert state.dropped == (1,)
    assert shares(state, bandit=False) == pytest.approx((0.7, 0.0, 0.3))
    for _ in range(10):
        state = observe(state, failing((0.7, 0.0, 0.3), (700, 0, 300), (70, 0, 1)))
    assert state.dropped == (1,)
    dealt = shares(state, bandit=True)
    assert dealt[1] == 0.0
    assert sum(dealt) == pytest.approx(1.0)


@pytest.mark.parametrize("bandit", [False, True])
def test_alike_versions_rarely_have_a_winner(*, bandit: bool) -> None:
    """At alpha 20 %, looked at after every tick."""
    loose = replace(POLICY, alpha=0.2)
    won = [played((0.2, 0.2, 0.2), seed=s, ticks=12, size=200, bandit=bandit, policy=loose)[1].winner for s in range(15)]
    assert sum(one is not None for one in won) <= 3


def test_a_bandit_sends_most_units_to_the_best_arm_and_keeps_its_floor() -> None:
    contest = Contest(contenders=(3,), goal=SALES, floor=0.1)
    runs = [played((0.1, 0.1, 0.2), seed=s, ticks=10, contest=contest, bandit=True, to_the_end=True) for s in range(5)]
    last = [shares(state, bandit=True) for state, _ in runs]
    assert np.median([one[2] for one in last]) >= 0.7
    assert min(min(one) for one in last) == pytest.approx(0.1)


def test_top_two_explores_more_than_thompson() -> None:
    state, _ = played((0.1, 0.1, 0.2), seed=1, ticks=8, bandit=False, to_the_end=True)
    curious = replace(state, contest=replace(THREE, allocation=Allocation.TOP_TWO))
    assert max(shares(curious, bandit=True)) < max(shares(state, bandit=True))


def test_all_intervals_hold_the_rates_at_the_end_of_a_bandit() -> None:
    """At alpha 10 %: of 20 runs two may fail on average."""
    loose, rates, missed = replace(POLICY, alpha=0.1), (0.1, 0.12, 0.15), 0
    for seed in range(20):
        _, said = played(rates, seed=seed, ticks=5, bandit=True, policy=loose, to_the_end=True)
        missed += any(not arm.low <= rate <= arm.high for arm, rate in zip(said.arms, rates, strict=True))
    assert missed <= 2


def test_a_unit_counts_once_over_all_arms() -> None:
    """A user who fails again and again, and is moved from arm to arm meanwhile, is one event."""
    state = begin(POLICY, Contest(contenders=(3,), goal=Goal()), sticky=True)
    for weights in ((0.4, 0.3, 0.3), (0.2, 0.5, 0.3), (0.1, 0.1, 0.8)):
        failures = ArmObservation(completed=50, failed=50, units=((7, 1),) * 50)
        arms = [ArmObservation()] * 3
        arms[weights.index(max(weights))] = failures
        state = observe(state, Observation(1 - weights[0], arms[1], arms[0], others=(arms[2],), weights=weights))
    assert state.first == {(0.4, 0.3, 0.3): (1, 0, 0)}
    assert [tally.trials for tally in state.tallies] == [1, 0, 0]
    assert [tally.requests for tally in state.tallies] == [50, 50, 50]
    assert state.dropped == ()


def test_a_label_that_comes_twice_is_one_outcome() -> None:
    seen = labelled((0.5, 0.5), (10, 10), (5, 5), key=0)
    once = observe(begin(POLICY, TWO), seen)
    events = once.first
    twice = observe(once, seen)
    assert (twice.first, [tally.trials for tally in twice.tallies]) == (events, [10, 10])


def test_what_came_before_the_first_step_is_no_evidence() -> None:
    before = failing((1.0, 0.0), (500, 0), (400, 0))
    assert observe(begin(POLICY, ERRORS), before).tallies[0].trials == 0


def test_the_budget_can_be_spent_and_extended() -> None:
    small = replace(POLICY, max_units=100)
    state = observe(begin(small, ERRORS), failing((0.5, 0.5), (150, 150), (2, 2)))
    assert report(state).verdict is JudgeVerdict.INCONCLUSIVE
    assert report(state, extensions=1).verdict is JudgeVerdict.WAIT


def test_a_winner_needs_the_least_number_of_outcomes() -> None:
    patient = replace(POLICY, min_units=10**6)
    assert played((0.02, 0.3), seed=1, ticks=10, contest=TWO, policy=patient)[1].verdict is JudgeVerdict.WAIT
    assert played((0.02, 0.3), seed=1, ticks=10, contest=TWO)[1].verdict is JudgeVerdict.WINNER


def test_a_router_that_does_not_keep_the_weights_is_at_fault() -> None:
    state = begin(POLICY, THREE)
    for _ in range(30):
        state = observe(state, failing((1 / 3, 1 / 3, 1 / 3), (500, 100, 400), (5, 1, 4)))
    assert report(state).verdict is JudgeVerdict.ROUTER_FAULT


def test_the_same_observations_give_the_same_words_bit_for_bit() -> None:
    one, other = (played((0.1, 0.12, 0.15), seed=5, ticks=6, bandit=True)[0] for _ in range(2))
    assert (report(one), shares(one, bandit=True)) == (report(other), shares(other, bandit=True))


def test_a_state_is_folded_on_once_and_only_with_all_arms() -> None:
    state = begin(POLICY, THREE)
    with pytest.raises(Invalid, match="3 of each expected"):
        observe(state, failing((0.5, 0.5), (5, 5), (0, 0)))
    seen = failing((0.4, 0.3, 0.3), (5, 5, 5), (0, 0, 0))
    observe(state, seen)
    with pytest.raises(Conflict, match="folded on already"):
        observe(state, seen)


def test_what_makes_no_test_is_said_at_once() -> None:
    with pytest.raises(InvalidInput) as error:
        begin(replace(POLICY, metrics=("labels",)), Contest(split=(0.9, 0.2), floor=0.5, reweigh=0.0))
    assert {fault.path for fault in error.value.faults} == {"metrics", "split", "floor", "reweigh"}
