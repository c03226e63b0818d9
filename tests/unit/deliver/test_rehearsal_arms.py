"""What a rehearsal draws of a contest: arms by their shares, and what production's judge and dealing make of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from lockgate.boundary.routes import LabelEvent, Thresholds
from lockgate.domain.contests import Contest, Goal
from lockgate.domain.rollouts import JudgePolicy, Plan, Strategy
from lockgate.stages.deliver.rehearsal import End, Fault, Labels, Latency, Run, Traffic, drive, summary, uneven
from lockgate.stages.deliver.rehearsal import scenarios as known
from lockgate.stages.deliver.rehearsal import sentence as read
from lockgate.stages.deliver.rehearsal.arms import Arms

LATENCY = Latency.lognormal(0.01, 0.04)
LIMITS = Thresholds(1, (0.5, 0.99), (0.01, 0.04), (0.02, 0.08))
SALES = Goal(LabelEvent("true", 0.0), most=True)
THREE = (0.5, 0.2, 0.3)


def traffic(rate: float = 100.0, *, delay: float = 1.0, units: int = 0, hours: float = 1.0) -> Traffic:
    return Traffic(rate, 0.02, LATENCY, Labels(0.1, delay), uneven(units) if units else (), hours)


def plan(strategy: Strategy = Strategy.AB, *, alpha: float = 0.05, contenders: tuple[int, ...] = ()) -> Plan:
    return Plan(strategy, judge=JudgePolicy(alpha=alpha), contest=Contest(contenders, goal=SALES, reweigh=1.0))


def run(of: Plan, at: Traffic, fault: Fault, seed: int = 0) -> Run:
    done = drive(of, at, fault, np.random.default_rng(seed))
    assert done is not None
    return done


@pytest.mark.parametrize("sticky", [False, True])
def test_arms_are_met_by_their_shares_and_the_version_on_trial_has_the_fault(*, sticky: bool) -> None:
    at = traffic(1000, units=5000 if sticky else 0)
    drawn = Arms(
        at, Fault(errors=0.1, latency_ratio=2, labels_ratio=1.5), np.random.default_rng(1), 3, sticky=sticky, labels=True
    )
    seen, *_ = drawn.during(0.0, 100.0, THREE, LIMITS)
    came = drawn.during(100.0, 1.0, THREE, LIMITS)[-1]
    arms = (seen.baseline, seen.canary, *seen.others)
    total, rough = sum(one.completed for one in arms), 0.3 if sticky else 0.1
    assert [one.completed / total for one in arms] == pytest.approx(THREE, rel=rough)
    assert [one.failed / one.completed for one in arms] == pytest.approx([0.02, 0.1, 0.02], rel=rough)
    assert [one.exceeded[1] / one.timed for one in arms] == pytest.approx([0.01, 0.01, 0.0], abs=0.005)
    labelled = (came.baseline, came.canary, *came.others)
    rates = [np.mean([happened for _, happened in one.labels]) for one in labelled]
    assert rates == pytest.approx([0.1, 0.15, 0.1], rel=rough)
    assert (seen.weights, came.weights, seen.weight) == (THREE, THREE, 0.5)


def test_a_router_that_gives_it_more_takes_it_from_the_champion() -> None:
    drawn = Arms(traffic(1000), Fault(router_ratio=1.5), np.random.default_rng(1), 3, sticky=False, labels=False)
    [seen] = drawn.during(0.0, 100.0, THREE, None)
    arms = (seen.baseline, seen.canary, *seen.others)
    assert [one.completed / 100_000 for one in arms] == pytest.approx([0.4, 0.3, 0.3], rel=0.05)


def test_the_better_version_wins_and_the_champion_wins_against_the_worse() -> None:
    won = [run(plan(), traffic(), Fault(labels_ratio=2.0), seed) for seed in range(2)]
    lost = [run(plan(), traffic(), Fault(labels_ratio=0.5), seed) for seed in range(2)]
    assert {one.end for one in won} == {End.PROMOTED}
    assert {one.end for one in lost} == {End.CHAMPION}
    assert all(one.exposed_requests == pytest.approx(one.requests / 2, rel=0.1) for one in won)


def test_what_does_harm_is_dropped_though_others_are_left() -> None:
    done = run(plan(contenders=(3,)), traffic(), Fault(errors=0.3))
    assert (done.end, done.share) == (End.STOPPED, 0.0)


def test_a_bandit_sends_fewer_units_to_what_is_worse() -> None:
    at, worse = traffic(hours=0.1), Fault(labels_ratio=0.5)
    fixed, dealt = (run(plan(strategy, alpha=1e-60), at, worse) for strategy in (Strategy.AB, Strategy.BANDIT))
    assert fixed.share == 0.5
    assert dealt.share == pytest.approx(0.05, abs=0.03)
    assert dealt.exposed_requests < fixed.exposed_requests / 2


def told(name: str, ends: Sequence[End]) -> str:
    [scenario] = [one for one in known(plan()) if one.name == name]
    runs = [Run(end, (), 0, 1000, 400, 400, 60.0, 1000, 0.9) for end in ends]
    return read(summary(scenario, plan(), traffic(), runs))


def test_people_are_told_of_exposure_and_of_winners_among_equals() -> None:
    assert "400 of them it answered (40%), 90% of all in the end" in told("better-x1.5", [End.PROMOTED] * 10)
    alike = told("alike", [End.INCONCLUSIVE] * 39 + [End.CHAMPION])
    assert "a winner though none is right in 1 of 40 (95 %: 0.063 to 13 %)" in alike
