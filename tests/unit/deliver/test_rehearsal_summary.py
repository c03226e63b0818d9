"""Runs in figures, figures in sentences: medians that know of runs that never came, exact intervals, and which key to change."""

from __future__ import annotations

import pytest

from lockgate.domain.rollouts import JudgePolicy, Plan, Strategy
from lockgate.stages.deliver.rehearsal import (
    SCENARIOS,
    End,
    Fault,
    Latency,
    Run,
    Scenario,
    Spread,
    Traffic,
    injected,
    visible,
    warnings,
)
from lockgate.stages.deliver.rehearsal import sentence as read
from lockgate.stages.deliver.rehearsal import summary as summed
from lockgate.stages.deliver.rehearsal.reading import duration
from lockgate.stages.deliver.rehearsal.scenarios import story
from lockgate.stages.deliver.rehearsal.traffic import Labels

TRAFFIC = Traffic(20, 0.01, Latency.lognormal(0.01, 0.04))
HARMLESS, ERRORS = SCENARIOS[0], SCENARIOS[1]


def plan(*, min_units: int = 0, max_units: int = 100_000) -> Plan:
    return Plan(Strategy.CANARY, (0.1, 0.5), judge=JudgePolicy(min_units=min_units, max_units=max_units))


def run(end: End, requests: int = 1000, *, metrics: tuple[str, ...] = ("errors",), step: int = 0, units: int = 0) -> Run:
    return Run(end, metrics, step, requests, requests // 10, requests // 10, requests / 20, units)


def several(scenario: Scenario, *done: Run) -> str:
    return read(summed(scenario, plan(), TRAFFIC, done))


def warned(*done: Run, scenario: Scenario = HARMLESS, **judge: int) -> tuple[str, ...]:
    return warnings(plan(**judge), TRAFFIC, [summed(scenario, plan(**judge), TRAFFIC, done)])


def test_the_median_and_the_tenth_that_took_longest() -> None:
    done = [run(End.STOPPED, 100 * n) for n in range(1, 11)]
    found = summed(ERRORS, plan(), TRAFFIC, done)
    assert found.requests == Spread(500, 900)
    assert found.exposed_requests == Spread(50, 90)
    assert found.seconds == Spread(25, 45)


@pytest.mark.parametrize(("missing", "expected"), [(1, Spread(500, 900)), (2, Spread(500, None)), (6, Spread(None, None))])
def test_runs_that_never_came_so_far_count_as_the_longest(missing: int, expected: Spread) -> None:
    done = [run(End.STOPPED, 100 * n) for n in range(1, 11 - missing)] + [run(End.PROMOTED, 1)] * missing
    assert summed(ERRORS, plan(), TRAFFIC, done).requests == expected


def test_a_chance_has_an_exact_interval() -> None:
    ends = summed(HARMLESS, plan(), TRAFFIC, [run(End.PROMOTED)] * 200).ends
    assert (ends[End.STOPPED].low, ends[End.STOPPED].high) == pytest.approx((0, 0.01828), abs=1e-4)
    assert (ends[End.PROMOTED].low, ends[End.PROMOTED].high) == pytest.approx((0.98172, 1), abs=1e-4)


def test_without_a_run_nothing_is_said() -> None:
    found = summed(HARMLESS, plan(), TRAFFIC, [])
    assert "no run was finished" in read(found)
    assert (found.requests, found.stuck) == (Spread(None, None), None)


def test_a_sentence_of_harm_that_is_found() -> None:
    said = several(ERRORS, *[run(End.STOPPED, 1780)] * 39, run(End.PROMOTED))
    assert said.startswith("errors-x5 (errors 1% → 5%): stopped in 39 of 40 runs by errors, after 1,780 requests in the median")
    assert "89 s; 178 of them it answered" in said
    assert "promoted in 1 of 40 runs (95 %: 0.063 to 13 %)" in said


def test_a_sentence_of_what_is_harmless() -> None:
    said = several(HARMLESS, *[run(End.PROMOTED)] * 10, run(End.INCONCLUSIVE))
    assert "promoted in 10 of 11 runs, after 1,000 requests" in said
    assert "held for a person as INCONCLUSIVE in 1 of 11 runs" in said
    assert "never falsely stopped (95 %: 0 to 28 %)" in said
    waiting = several(HARMLESS, *[run(End.WAITING)] * 9)
    assert "still waiting when the hours were over in 9 of 9 runs (95 %: 66 to 100 %)" in waiting


def test_metrics_are_named_that_decided_most_runs() -> None:
    done = [run(End.STOPPED, metrics=("latency",))] * 3 + [run(End.STOPPED, metrics=("latency", "errors"))]
    assert summed(ERRORS, plan(), TRAFFIC, done).metrics == ("latency",)


def test_a_plan_that_does_its_work_is_not_warned_of() -> None:
    assert warned(*[run(End.PROMOTED)] * 10) == ()
    assert warned(*[run(End.STOPPED)] * 10, scenario=ERRORS) == ()


def test_a_budget_that_is_spent_too_soon() -> None:
    [said] = warned(*[run(End.INCONCLUSIVE, metrics=("latency",), step=1)] * 10, max_units=700)
    assert "10 end INCONCLUSIVE" in said
    assert "At 50% latency cannot be proven in time: raise judge: max_units (700)" in said
    assert "latency (ratio 1.2, floor 0.5%)" in said


def test_hours_that_are_too_few() -> None:
    [said] = warned(*[run(End.WAITING)] * 10)
    assert "10 are still waiting after 24 h" in said
    assert "fewer or larger `steps`" in said
    assert "--hours" in said


def test_units_that_are_not_seen() -> None:
    [said] = warned(*[run(End.WAITING, metrics=(), units=100)] * 10, min_units=500)
    assert "had not seen min_units (500)" in said


def test_harm_within_the_margins_is_told() -> None:
    [said] = warned(*[run(End.STOPPED)] * 8, *[run(End.PROMOTED)] * 2, scenario=injected(Fault(errors=0.012)))
    assert "injected (errors 1% → 1.2%) is promoted in 2 of 10 runs" in said
    assert "errors (ratio 1.5, floor 0.5%)" in said


def test_names_of_scenarios_differ_and_labels_are_left_out_where_nobody_judges_them() -> None:
    names = [one.name for one in SCENARIOS]
    assert len(set(names)) == len(names)
    unseen = {one.name for one in SCENARIOS if not visible(one, JudgePolicy())}
    assert unseen == {"labels-x1.25"}
    assert {one.name for one in SCENARIOS if not visible(one, JudgePolicy(metrics=("labels",)))} == {
        name for name in names if name.startswith(("errors", "outage", "latency", "slow", "both"))
    }


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault(), "nothing is different"),
        (Fault(errors_ratio=5), "errors 1% → 5%"),
        (Fault(errors=0.03, latency_ratio=1.3), "errors 1% → 3%, latency × 1.3"),
        (Fault(late_share=0.02, late_by=0.2), "2% of answers 200 ms later"),
        (Fault(labels_ratio=1.25), "label events 10% → 12.5%"),
        (Fault(router_ratio=1.2), "the router gives it 1.2 × its share"),
        (Fault(silent=True), "nobody asks"),
        (Fault(errors=1.0, both=True), "errors 100% in both arms"),
    ],
)
def test_the_story_of_a_fault(fault: Fault, told: str) -> None:
    assert story(fault, Traffic(1, 0.01, TRAFFIC.latency, Labels(0.1, 60.0))) == told


def test_where_nothing_fails_a_multiple_is_one_of_a_tenth_of_a_percent() -> None:
    assert Fault(errors_ratio=5).error_rate(0.0) == pytest.approx(0.005)
    assert Fault(errors_ratio=5).error_rate(0.5) == 1.0
    assert Fault().error_rate(0.0) == 0.0


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.4, "0.4 s"), (89, "89 s"), (150, "2.5 min"), (5400, "90 min"), (19_000, "5.3 h"), (200_000, "2.3 days")],
)
def test_durations_for_people(seconds: float, told: str) -> None:
    assert duration(seconds) == told
