"""What a rehearsal draws: arms that fail, take their time, come again and get their labels as they were described."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.histogram import bucket, upper_edge
from lockgate.boundary.routes import Thresholds
from lockgate.domain.evidence import Observation
from lockgate.stages.deliver.rehearsal import Fault, Labels, Latency, Traffic, uneven
from lockgate.stages.deliver.rehearsal.answers import pieces
from lockgate.stages.deliver.rehearsal.visits import visits

LATENCY = Latency.lognormal(0.01, 0.04)
LIMITS = Thresholds(1, (0.5, 0.99), (0.01, 0.04), (0.02, 0.08))


def seen(fault: Fault, *, seconds: float = 100.0, sticky: bool = False, weight: float = 0.1, timed: bool = True) -> Observation:
    at = Traffic(1000, 0.02, LATENCY, activity=uneven(5000) if sticky else ())
    drawn = visits(at, fault, np.random.default_rng(1), sticky=sticky, labels=False)
    [one] = drawn.during(0.0, seconds, weight, LIMITS if timed else None)
    return one


@pytest.mark.parametrize("sticky", [False, True])
def test_arms_fail_and_are_slow_as_often_as_they_should(*, sticky: bool) -> None:
    one = seen(Fault(errors=0.1, latency_ratio=2), sticky=sticky)
    canary, baseline = one.canary, one.baseline
    assert canary.completed + baseline.completed == pytest.approx(100_000, rel=0.02)
    assert canary.completed / (canary.completed + baseline.completed) == pytest.approx(0.1, rel=0.3 if sticky else 0.05)
    assert canary.failed / canary.completed == pytest.approx(0.1, rel=0.3 if sticky else 0.1)
    assert baseline.failed / baseline.completed == pytest.approx(0.02, rel=0.3 if sticky else 0.1)
    assert [number / canary.timed for number in canary.exceeded] == pytest.approx([0.5, 0.01], rel=0.3)
    assert [number / baseline.timed for number in baseline.exceeded] == pytest.approx([0.5, 0.01], rel=0.3)
    assert sum(canary.latency.values()) == canary.completed == canary.timed


def test_before_there_are_thresholds_nothing_is_compared() -> None:
    one = seen(Fault(), timed=False)
    assert (one.canary.timed, one.canary.exceeded) == (0, ())
    assert sum(one.baseline.latency.values()) == one.baseline.completed > 0


@pytest.mark.parametrize("sticky", [False, True])
def test_a_fault_of_both_arms_is_a_fault_of_both(*, sticky: bool) -> None:
    one = seen(Fault(errors=1.0, both=True), sticky=sticky)
    assert (one.canary.failed, one.baseline.failed) == (one.canary.completed, one.baseline.completed)


def test_a_skewed_router_sends_more_than_it_says() -> None:
    one = seen(Fault(router_ratio=1.5))
    assert one.weight == 0.1
    assert one.canary.completed / (one.canary.completed + one.baseline.completed) == pytest.approx(0.15, rel=0.03)


def test_a_sticky_unit_keeps_its_arm_and_a_ramp_only_adds() -> None:
    at = Traffic(1000, 0.02, LATENCY, activity=uneven(500))
    drawn = visits(at, Fault(), np.random.default_rng(2), sticky=True, labels=False)
    arms = []
    for since, weight in enumerate((0.1, 0.1, 0.5)):
        [one] = drawn.during(20.0 * since, 20.0, weight, None)
        canary, baseline = ({key for key, _ in arm.units} for arm in (one.canary, one.baseline))
        assert not canary & baseline
        assert len(one.canary.units) == one.canary.completed
        arms.append((canary, baseline))
    first, second, ramped = arms
    assert not (first[0] | second[0]) & ramped[1]
    assert not first[0] & second[1]


def test_few_units_ask_often_and_the_unlucky_fail_often() -> None:
    at = Traffic(1000, 0.05, LATENCY, activity=uneven(1000))
    [one] = visits(at, Fault(), np.random.default_rng(3), sticky=True, labels=False).during(0.0, 200.0, 0.5, LIMITS)
    asked = Counter(key for key, _ in one.baseline.units)
    failed = Counter(key for key, bits in one.baseline.units if bits & 1)
    assert max(asked.values()) > 5 * np.median(list(asked.values()))
    often = [failed[key] / number for key, number in asked.items() if number >= 100]
    assert max(often) > 3 * np.mean(often)
    assert sum(failed.values()) == one.baseline.failed
    slow = sum(bool(bits & 4) for _, bits in one.baseline.units)
    assert slow == one.baseline.exceeded[1]


@pytest.mark.parametrize("sticky", [False, True])
def test_labels_come_later_and_under_the_weight_of_their_answer(*, sticky: bool) -> None:
    labels = Labels(event_rate=0.2, delay=100.0, coverage=0.5)
    at = Traffic(100, 0.0, LATENCY, labels, activity=(1.0,) * 3000 if sticky else ())
    drawn = visits(at, Fault(labels_ratio=2), np.random.default_rng(4), sticky=sticky, labels=True)
    early = drawn.during(0.0, 99.0, 0.1, None)
    assert [one.weight for one in early] == [0.1]
    assert early[0].canary.labels == ()
    now, late = drawn.during(99.0, 101.0, 0.5, None)
    assert (now.weight, late.weight) == (0.5, 0.1)
    assert (late.canary.completed, late.until) == (0, 0.0)
    for arm, answers, rate in ((late.canary, early[0].canary, 0.4), (late.baseline, early[0].baseline, 0.2)):
        assert len(arm.labels) / answers.completed == pytest.approx(0.5, abs=0.05)
        assert sum(happened for _, happened in arm.labels) / len(arm.labels) == pytest.approx(rate, abs=0.1)
    if not sticky:
        keys = [key for one in (late.canary, late.baseline) for key, _ in one.labels]
        assert len(set(keys)) == len(keys)


@given(
    counts=st.dictionaries(st.integers(50, 250), st.integers(1, 1000), min_size=1),
    limits=st.lists(st.floats(1e-6, 1.0), max_size=3),
    ratio=st.floats(0.5, 3.0),
    late=st.sampled_from([(0.0, 0.0), (0.02, 0.2)]),
)
def test_the_pieces_say_the_same_as_the_distribution(
    counts: dict[int, int], limits: list[float], ratio: float, late: tuple[float, float]
) -> None:
    share, by = late
    latency = Latency(counts)
    of = pieces(latency, Fault(latency_ratio=ratio, late_share=share, late_by=by), tuple(limits))
    assert of.shares.sum() == pytest.approx(1.0)
    assert (of.shares >= 0).all()
    for limit, above in zip(limits, of.above, strict=True):
        usual = latency.below(np.array(limit / ratio))
        expected = (1 - share) * usual + share * latency.below(np.array(max(0.0, limit - by) / ratio))
        assert of.shares[~above].sum() == pytest.approx(float(expected), abs=1e-6)


@given(st.dictionaries(st.integers(0, 300), st.integers(1, 1000), min_size=1), st.floats(0.001, 0.999))
def test_a_measured_latency_keeps_its_buckets(counts: dict[int, int], q: float) -> None:
    latency = Latency(counts)
    total = sum(counts.values())
    for index in counts:
        below = sum(number for other, number in counts.items() if other <= index)
        assert float(latency.below(np.array(upper_edge(index)))) == pytest.approx(below / total, abs=1e-6)
    assert min(counts) - 1 <= bucket(latency.quantile(q)) <= max(counts) + 1


def test_a_lognormal_latency_has_its_quantiles() -> None:
    assert LATENCY.quantile(0.5) == pytest.approx(0.01, rel=0.01)
    assert LATENCY.quantile(0.99) == pytest.approx(0.04, rel=0.01)
