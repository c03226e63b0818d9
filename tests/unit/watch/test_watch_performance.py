"""Delayed labels against the held-out rate: what counts when, and how often it errs."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.findings import Label
from lockgate.stages.watch.performance import PerformanceState, answered, assess, begin, labelled, status
from lockgate.stages.watch.reference import Performance, learn, spread_of
from lockgate.stages.watch.spec import PerformanceSpec

EVENT = LabelEvent("missed", 0.5)
BASELINE = Performance(labels=5000, events=500, event=EVENT, brier=0.1, auc=0.8)
SPEC = PerformanceSpec(window=400, max_event_ratio=1.5, alpha=0.01)
FOREVER = 1e12


def label(at: float, *, missed: bool, name: str = "p") -> Label:
    """At this time a truth came in for an answer of the same time; it was missed, or seen."""
    return Label(f"{name}{at}", "m", 1, 0, 0.1 if missed else 0.9, 1.0, at, at)


def fed(rates: list[float], each: int, seed: int = 0, delay: float = 0.0) -> tuple[PerformanceState, list[int]]:
    """Labels at one a second, `each` at every rate, a look after every 50; the looks at which a drop was found."""
    random = np.random.default_rng(seed)
    state, drops, at = begin(delay), [], 0.0
    for rate in rates:
        for _ in range(each // 50):
            labels = [label(at + i, missed=bool(random.random() < rate)) for i in range(50)]
            state, at = labelled(answered(state, {one.answered_at: 1 for one in labels}), EVENT, labels), at + 50
            state, drop = assess(state, BASELINE, SPEC, at - delay)
            drops += [int(at)] if drop else []
    return state, drops


def test_the_held_out_rate_in_production_is_no_drop() -> None:
    state, drops = fed([0.1], 4000)
    assert drops == []
    assert state.last["verdict"] in ("HOLDS", "INCONCLUSIVE")
    assert state.last["coverage"] == 1


def test_a_rate_above_the_limit_is_found_once_while_it_lasts_and_again_after_a_recovery() -> None:
    assert len(fed([0.1, 0.3], 2000)[1]) == 1
    assert len(fed([0.1, 0.3, 0.1, 0.3], 2000)[1]) == 2


def test_a_doubled_rate_is_found_within_two_windows() -> None:
    late = [drops[0] - 2000 if drops else None for drops in (fed([0.1, 0.25], 2000, seed)[1] for seed in range(20))]
    assert all(one is not None and 0 < one <= 800 for one in late)


def test_a_rate_within_the_limit_raises_an_alarm_in_at_most_alpha_of_the_windows() -> None:
    """At the worst rate that is still allowed, 30 runs of 10 windows: at most 1 % of 300 windows, and 3 deviations."""
    assert sum(len(fed([0.15], 4000, seed)[1]) for seed in range(30)) <= 3 + 3 * np.sqrt(3)


def test_labels_of_answers_that_are_not_due_do_not_count() -> None:
    early = [label(1000.0 + i, missed=True) for i in range(500)]
    state = labelled(begin(800.0), EVENT, early)
    state, drop = assess(state, BASELINE, SPEC, due_before=1000.0)
    assert drop is None
    found = status(state, BASELINE, SPEC, due_before=1000.0)
    assert found == {"verdict": "INCONCLUSIVE", "detail": "0 of 400 due labels; 500 came for answers that are not yet due"}
    assert assess(state, BASELINE, SPEC, due_before=2000.0)[1] is not None


def test_coverage_is_the_share_of_due_answers_that_have_a_label() -> None:
    state = answered(begin(0.0), {float(i): 4 for i in range(500)})
    state = labelled(state, EVENT, [label(float(i), missed=False) for i in range(500)])
    state, _ = assess(state, BASELINE, SPEC, FOREVER)
    assert state.last["coverage"] == pytest.approx(0.25)


def test_a_regressor_that_is_off_more_often_has_dropped() -> None:
    off, random = LabelEvent("off", 5.0), np.random.default_rng(4)
    baseline = Performance(labels=5000, events=500, event=off)

    def after(deviation: float) -> tuple[PerformanceState, bool]:
        labels = [Label(str(i), "m", 1, 0, 300.0 + random.normal(0, deviation), 300.0, i, i) for i in range(1000)]
        state, drop = assess(labelled(begin(0.0), off, labels), baseline, SPEC, FOREVER)
        return state, drop is not None

    assert [after(deviation)[1] for deviation in (3.0, 5.0)] == [False, True]
    state, _ = after(5.0)
    assert "brier" not in state.last
    assert status(state, baseline, SPEC, FOREVER)["detail"].startswith("off by more than 5: ")


def test_no_event_declared_is_inconclusive() -> None:
    nothing = Performance(labels=100)
    assert status(begin(0.0), nothing, SPEC, FOREVER)["verdict"] == "INCONCLUSIVE"
    assert assess(begin(0.0), nothing, SPEC, FOREVER) == (begin(0.0), None)


def test_a_small_held_out_set_makes_a_drop_harder_to_prove() -> None:
    labels = [label(float(i), missed=i % 4 == 0) for i in range(400)]
    state = labelled(begin(0.0), EVENT, labels)
    assert assess(state, Performance(50_000, 5000, EVENT), SPEC, FOREVER)[1] is not None
    assert assess(state, Performance(50, 5, EVENT), SPEC, FOREVER)[1] is None


def test_scores_are_told_beside_the_rate() -> None:
    labels = [Label(f"p{i}", "m", 1, 0, 0.8 if i % 2 else 0.2, float(i % 4 in (1, 2)), i, i) for i in range(400)]
    state, _ = assess(labelled(begin(0.0), EVENT, labels), BASELINE, SPEC, FOREVER)
    assert state.last["brier"] == pytest.approx((0.04 + 0.64) / 2)
    assert state.last["auc"] == pytest.approx(0.5)


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=600), st.floats(0, 1e6))
def test_what_is_remembered_is_bounded_and_nothing_is_lost(times: list[float], delay: float) -> None:
    state = answered(begin(delay), dict.fromkeys(times, 1))
    state = labelled(state, EVENT, [label(at, missed=False) for at in times])
    assert len(state.cohorts) <= 256
    assert sum(cohort.labelled for cohort in state.cohorts.values()) == len(times)
    assert sum(cohort.answered for cohort in state.cohorts.values()) == len(set(times))


def test_a_rate_that_swings_with_the_weather_is_judged_by_how_it_swung_before() -> None:
    """Days of 200 answers with rates between 0 and 20 %: held out and in production alike."""
    random = np.random.default_rng(8)

    def days(count: int) -> np.ndarray:
        return random.random(count * 200) < np.repeat(random.uniform(0, 0.2, count), 200)

    held_out = days(100)
    scores, truth = np.where(held_out, 0.1, 0.9), np.ones(len(held_out))
    learned = learn({}, scores, truth, EVENT).performance
    careless = msgspec.structs.replace(learned, runs=())
    spec = PerformanceSpec(window=400, max_event_ratio=1.1)
    found = {True: 0, False: 0}
    for _ in range(100):
        state = labelled(begin(0.0), EVENT, [label(float(i), missed=bool(missed)) for i, missed in enumerate(days(2))])
        for knows, baseline in ((True, learned), (False, careless)):
            found[knows] += assess(state, baseline, spec, FOREVER)[1] is not None
    assert spread_of(learned.runs, 400).inflation > 5
    assert found[True] <= 1
    assert found[False] > 5
