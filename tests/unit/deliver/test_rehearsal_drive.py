"""A rehearsed rollout: what production's machine and judge make of traffic whose faults are known."""

from __future__ import annotations

from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.domain.rollouts import JudgePolicy, Plan, Strategy
from lockgate.kernel.errors import InvalidInput
from lockgate.stages.deliver.rehearsal import End, Fault, Latency, Run, Traffic, drive, uneven

ERRORS = JudgePolicy(metrics=("errors",))
LATENCY = Latency.lognormal(0.01, 0.04)
SECOND = 1 / 3600  # in hours
OUTAGE, HARMLESS = Fault(errors=1.0), Fault()


def plan(*steps: float, judge: JudgePolicy = ERRORS, unit: str = "request", yes: tuple[int, ...] = ()) -> Plan:
    return Plan(Strategy.CANARY, steps, unit, judge, yes)


def traffic(rate: float = 20.0, errors: float = 0.01, hours: float = 24.0, units: int = 0) -> Traffic:
    return Traffic(rate, errors, LATENCY, activity=uneven(units) if units else (), hours=hours)


def run(of: Plan, at: Traffic, fault: Fault, seed: int = 0) -> Run:
    done = drive(of, at, fault, np.random.default_rng(seed))
    assert done is not None
    return done


def runs(of: Plan, at: Traffic, fault: Fault, number: int) -> list[Run]:
    return [run(of, at, fault, seed) for seed in range(number)]


LENIENT = JudgePolicy(metrics=("errors",), alpha=0.2, min_units=10**9, max_units=10**9)  # it never says SAFE


@pytest.mark.parametrize(("fault", "alarms"), [(HARMLESS, False), (Fault(errors=0.1), True)])
def test_a_harmless_version_is_stopped_with_at_most_alpha_and_a_harmful_one_more_often(fault: Fault, *, alarms: bool) -> None:
    number, alpha = 150, LENIENT.alpha
    done = runs(plan(0.5, judge=LENIENT), traffic(rate=1000, errors=0.05, hours=1.6 * SECOND), fault, number)
    stopped = sum(one.end is End.STOPPED for one in done) / number
    assert (stopped > alpha + 3 * (alpha * (1 - alpha) / number) ** 0.5) is alarms


def test_an_outage_is_found_within_about_as_many_requests_as_the_judge_is_known_to_need() -> None:
    done = runs(plan(0.05), traffic(), OUTAGE, 100)
    assert {one.end for one in done} == {End.STOPPED}
    assert 60 <= median(one.requests for one in done) <= 120
    assert all(one.metrics == ("errors",) for one in done)


def test_what_was_exposed_is_the_share_of_the_step() -> None:
    done = run(plan(0.25), traffic(hours=0.2), Fault(), seed=1)
    assert done.end is End.WAITING
    assert done.exposed_requests == pytest.approx(0.25 * done.requests, rel=0.1)
    assert done.requests == pytest.approx(20 * 3600 * 0.2, rel=0.1)
    assert done.seconds == pytest.approx(720)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.001, 10_000), st.floats(0.01, 1e5), st.integers(0, 99), st.sampled_from(["request", "header:x-user"]))
def test_without_traffic_it_waits_for_ever(hours: float, rate: float, seed: int, unit: str) -> None:
    done = run(plan(0.05, 0.5, unit=unit), traffic(rate, hours=hours, units=10), Fault(silent=True), seed)
    assert (done.end, done.step, done.requests) == (End.WAITING, 0, 0)
    assert done.seconds == pytest.approx(3600 * hours)


@pytest.mark.parametrize("unit", ["request", "header:x-user"])
@pytest.mark.parametrize("rate", [0.9, 1.0])
def test_when_both_arms_fail_nothing_is_proven(unit: str, rate: float) -> None:
    judge = JudgePolicy(metrics=("errors",), requests_per_unit=5)
    done = runs(plan(0.1, 0.5, judge=judge, unit=unit), traffic(hours=0.5, units=500), Fault(errors=rate, both=True), 3)
    assert {one.end for one in done} <= {End.WAITING, End.INCONCLUSIVE}
    assert {one.step for one in done} == {0}


def test_a_version_as_good_is_promoted_over_all_steps() -> None:
    done = runs(plan(0.1, 0.5), traffic(), HARMLESS, 5)
    assert {(one.end, one.step) for one in done} == {(End.PROMOTED, 1)}


def test_people_who_are_asked_between_the_steps_say_yes() -> None:
    assert run(plan(0.1, 0.5, yes=(0, 2)), traffic(), HARMLESS) == run(plan(0.1, 0.5), traffic(), HARMLESS)


def test_a_budget_that_is_too_small_ends_inconclusive() -> None:
    done = run(plan(0.1, judge=JudgePolicy(metrics=("errors",), max_units=300)), traffic(), HARMLESS)
    assert (done.end, done.metrics) == (End.INCONCLUSIVE, ("errors",))


def test_a_skewed_router_is_told_apart_from_a_bad_version() -> None:
    done = runs(
        plan(0.1, judge=JudgePolicy(metrics=("errors",), min_units=10**6)), traffic(errors=0.001), Fault(router_ratio=2), 5
    )
    assert {one.end for one in done} == {End.ROUTER_FAULT}


@pytest.mark.parametrize(("fault", "end"), [(Fault(latency_ratio=2), End.STOPPED), (HARMLESS, End.PROMOTED)])
def test_a_slow_version_is_stopped_by_its_latency(fault: Fault, end: End) -> None:
    done = run(plan(0.1, 0.5, judge=JudgePolicy(metrics=("latency",))), traffic(), fault)
    assert (done.end, done.metrics) == (end, ("latency",))


def test_sticky_units_that_fail_are_found_and_counted() -> None:
    done = runs(plan(0.1, unit="header:x-user"), traffic(units=2000), Fault(errors=0.2), 5)
    assert {one.end for one in done} == {End.STOPPED}
    assert all(0 < one.exposed_units < one.exposed_requests for one in done)


def test_it_stops_where_somebody_has_seen_enough() -> None:
    looks = iter([False] * 3 + [True])
    assert drive(plan(0.1), traffic(), HARMLESS, np.random.default_rng(0), lambda: next(looks)) is None
    assert next(looks, "none left") == "none left"


def test_a_plan_that_no_judge_can_work_by_is_refused() -> None:
    with pytest.raises(InvalidInput, match="alpha"):
        drive(plan(0.1, judge=JudgePolicy(alpha=2.0)), traffic(), HARMLESS, np.random.default_rng(0))
