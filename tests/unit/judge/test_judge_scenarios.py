"""What the judge says to each kind of canary: one scenario, one verdict."""

from __future__ import annotations

from dataclasses import replace
from math import log, log1p

import numpy as np
import pytest

from lockgate.boundary.histogram import bucket
from lockgate.boundary.routes import Thresholds
from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.domain.rollouts import JudgePolicy, Margin
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.judge import JudgeState, begin, observe, report, thresholds
from tests.unit.judge.traffic import ERRORS, Users, requests, until_verdict

STEPS = (0.05, 0.25, 0.5)


def test_no_traffic_is_never_a_verdict() -> None:
    state = begin(JudgePolicy(), STEPS)
    for _ in range(1000):
        state = observe(state, Observation(0.05, ArmObservation(), ArmObservation()))
    assert {report(state, step).verdict for step in range(3)} == {JudgeVerdict.WAIT}
    assert report(begin(JudgePolicy(), STEPS), 2).verdict is JudgeVerdict.WAIT


def test_a_service_without_any_failure_becomes_safe() -> None:
    """After about ln(1/β) / −ln(1 − floor) canary requests: 598 at the last step, and a third more for the price of a mixture."""
    said, _ = until_verdict(begin(ERRORS, (0.5,)), requests(0.5, 0.0, 0.0, ticks=100))
    bound = log(1 / ERRORS.beta) / -log1p(-ERRORS.margins["errors"].floor)
    assert said.verdict is JudgeVerdict.SAFE
    assert said.metrics == ("errors",)
    assert bound <= said.exposed_requests <= 1.4 * bound


def test_the_first_step_is_content_with_less() -> None:
    first, _ = until_verdict(begin(ERRORS, STEPS), requests(0.05, 0.0, 0.0, ticks=200), step=0)
    last, _ = until_verdict(begin(ERRORS, STEPS), requests(0.05, 0.0, 0.0, ticks=200), step=2)
    assert first.verdict is last.verdict is JudgeVerdict.SAFE
    assert 2 * first.exposed_requests < last.exposed_requests


def test_evidence_is_carried_over_the_steps() -> None:
    said, state = until_verdict(begin(ERRORS, STEPS), requests(0.05, 0.01, 0.01, ticks=2000), step=0)
    assert said.verdict is JudgeVerdict.SAFE
    before = report(state, 1).evidence["safe/errors@1"]
    assert before > 0.5
    said, state = until_verdict(state, requests(0.25, 0.01, 0.01, ticks=2000, seed=2), step=1)
    assert said.verdict is JudgeVerdict.SAFE
    assert sorted(state.seen) == [0.05, 0.25]


def test_everything_failing_in_both_arms_says_nothing() -> None:
    """The arms do not differ: no harm. And "at most 1.5 times the baseline's" forbids nothing there: no proof."""
    said, state = until_verdict(begin(replace(ERRORS, max_units=2000), (0.5,)), requests(0.5, 1.0, 1.0, ticks=39))
    assert said.verdict is JudgeVerdict.WAIT
    said, _ = until_verdict(state, requests(0.5, 1.0, 1.0, ticks=10))
    assert said.verdict is JudgeVerdict.INCONCLUSIVE
    assert said.metrics == ("errors",)


def test_a_total_outage_of_the_canary_is_found_at_once() -> None:
    exposed = []
    for seed in range(30):
        said, _ = until_verdict(begin(JudgePolicy(), STEPS), requests(0.05, 1.0, 0.0, ticks=500, seed=seed, size=10))
        assert said.verdict is JudgeVerdict.HARM
        assert said.metrics == ("errors",)
        exposed.append(said.exposed_requests)
    assert np.median(exposed) <= 5


def test_five_times_the_errors_are_harm() -> None:
    said, _ = until_verdict(begin(ERRORS, (0.1,)), requests(0.1, 0.05, 0.01, ticks=200))
    assert said.verdict is JudgeVerdict.HARM
    assert said.evidence["harm"] >= said.harm_bar == pytest.approx(log(100))
    canary, baseline = said.rates["errors"]
    assert canary.interval[0] > baseline.events / baseline.trials


def test_a_better_canary_of_a_failing_service_is_safe() -> None:
    said, _ = until_verdict(begin(ERRORS, (0.5,)), requests(0.5, 0.1, 0.4, ticks=100))
    assert said.verdict is JudgeVerdict.SAFE


def test_errors_that_come_from_outside_hit_both_arms_and_are_no_harm() -> None:
    state = begin(ERRORS, (0.1,))
    for seed, rate in enumerate((0.01, 0.8, 0.01)):
        for observation in requests(0.1, rate, rate, ticks=30, seed=seed):
            state = observe(state, observation)
            assert report(state, 0).verdict is not JudgeVerdict.HARM


def test_harm_that_begins_late_in_the_ramp_is_found() -> None:
    state = begin(ERRORS, STEPS)
    for weight, rate, step in ((0.05, 0.01, 0), (0.25, 0.01, 1)):
        for observation in requests(weight, rate, 0.01, ticks=50, seed=step):
            state = observe(state, observation)
    assert report(state, 1).verdict is not JudgeVerdict.HARM
    for observation in requests(0.5, 0.08, 0.01, ticks=50, seed=9):
        state = observe(state, observation)
    assert report(state, 2).verdict is JudgeVerdict.HARM


# Latency


def timed(state: JudgeState, slower: float, *, ticks: int, weight: float = 0.1, seed: int = 1) -> JudgeState:
    """Log-normal latencies around 40 ms; the canary's are `slower` times as long. Thresholds are in force at once."""
    random = np.random.default_rng(seed)
    for _ in range(ticks):
        limits = thresholds(state, 1)
        own = int(random.binomial(100, weight))
        canary, baseline = slower * random.lognormal(-3.2, 0.4, own), random.lognormal(-3.2, 0.4, 100 - own)
        state = observe(
            state,
            Observation(weight, _compared(canary, limits, canary=True), _compared(baseline, limits, canary=False)),
        )
        if report(state, 0).verdict is not JudgeVerdict.WAIT:
            return state
    return state


def _compared(
    latencies: np.ndarray[tuple[int], np.dtype[np.float64]], limits: Thresholds | None, *, canary: bool
) -> ArmObservation:
    histogram: dict[int, int] = {}
    for latency in latencies:
        histogram[bucket(latency)] = histogram.get(bucket(latency), 0) + 1
    if limits is None:
        return ArmObservation(len(latencies), latency=histogram)
    exceeded = tuple(int((latencies > limit).sum()) for limit in (limits.canary if canary else limits.champion))
    return ArmObservation(len(latencies), timed=len(latencies), exceeded=exceeded, latency=histogram)


def test_twice_the_latency_is_harm() -> None:
    state = timed(begin(JudgePolicy(), (0.1,)), 2.0, ticks=100)
    said = report(state, 0)
    assert said.verdict is JudgeVerdict.HARM
    assert said.metrics == ("latency",)
    assert said.exposed_requests < 300


def test_the_same_latency_is_safe() -> None:
    policy = JudgePolicy(metrics=("latency",))
    said = report(timed(begin(policy, (0.1,)), 1.0, ticks=1000), 0)
    assert said.verdict is JudgeVerdict.SAFE


def compared(requests: int, p50: int, p95: int, p99: int) -> ArmObservation:
    return ArmObservation(requests, timed=requests, exceeded=(p50, p95, p99))


def test_latency_is_safe_only_if_every_quantile_is() -> None:
    """Nearly all answers are quicker than ever, and one in fifty is beyond the baseline's p99."""
    state = begin(JudgePolicy(metrics=("latency",)), (0.5,))
    state = observe(state, Observation(0.5, compared(5000, 100, 100, 100), compared(5000, 2500, 250, 50)))
    assert report(state, 0).evidence["safe/latency@0"] < 0


def test_a_median_that_every_user_exceeds_is_no_part_of_safety() -> None:
    """Within twenty requests each user exceeds the median, and 1.2 times that is no rate; p95 and p99 decide."""
    state = begin(JudgePolicy(metrics=("latency",)), (0.5,), sticky=True)
    visits = [tuple((user + arm * 1000, 0b0010) for user in range(1000) for _ in range(20)) for arm in (0, 1)]
    arms = [ArmObservation(20_000, timed=20_000, exceeded=(20_000, 0, 0), units=units) for units in visits]
    said = report(observe(state, Observation(0.5, *arms)), 0)
    assert said.rates["latency.p50"][0].events == 1000
    assert said.verdict is JudgeVerdict.SAFE


def test_a_canary_that_was_not_timed_yet_is_not_safe() -> None:
    said, state = until_verdict(begin(JudgePolicy(), (0.5,)), requests(0.5, 0.0, 0.0, ticks=100))
    assert said.verdict is JudgeVerdict.WAIT
    assert said.metrics == ("latency",)
    assert said.evidence["harm/latency"] == pytest.approx(0.0)
    assert state.tallies["latency.p99"].canary_trials == 0


def test_thresholds_come_with_enough_baseline_requests_and_stay() -> None:
    state = begin(JudgePolicy(latency_warm_up=200), (0.1,))
    slow_canary = ArmObservation(500, latency={bucket(9.0): 500})
    state = observe(state, Observation(0.1, slow_canary, ArmObservation(199, latency={bucket(0.01): 199})))
    assert thresholds(state, 7) is None
    state = observe(state, Observation(0.1, ArmObservation(), ArmObservation(1, latency={bucket(0.01): 1})))
    limits = thresholds(state, 7)
    assert limits is not None
    assert limits.id == 7
    assert limits.champion == pytest.approx((0.01,) * 3, rel=0.05)
    assert limits.canary == pytest.approx([1.25 * champion + 0.002 for champion in limits.champion])
    state = observe(state, Observation(0.1, ArmObservation(), ArmObservation(9000, latency={bucket(3.0): 9000})))
    assert thresholds(state, 7) == limits


# Labels


LABELS = JudgePolicy(metrics=("errors", "labels"))


def labelled(weight: float, canary: float, baseline: float, *, ticks: int, seed: int = 1) -> list[Observation]:
    """Requests that never fail, and their labels, each of a request of its own."""
    random = np.random.default_rng(seed)
    observations = []
    for tick in range(ticks):
        on_canary, keys = random.random(100) < weight, range(tick * 100 + seed * 10**6, tick * 100 + seed * 10**6 + 100)
        missed = random.random(100) < np.where(on_canary, canary, baseline)
        arms = [
            tuple((key, int(event)) for key, event, own in zip(keys, missed, on_canary, strict=True) if own is np.bool_(arm))
            for arm in (True, False)
        ]
        observations.append(Observation(weight, *(ArmObservation(len(labels), labels=labels) for labels in arms)))
    return observations


def test_a_canary_that_misses_twice_as_often_is_harm_by_its_labels() -> None:
    said, _ = until_verdict(begin(LABELS, (0.25,)), labelled(0.25, 0.2, 0.1, ticks=100))
    assert said.verdict is JudgeVerdict.HARM
    assert said.metrics == ("labels",)


def test_without_labels_there_is_no_proof_of_labels() -> None:
    said, _ = until_verdict(begin(LABELS, (0.5,)), requests(0.5, 0.0, 0.0, ticks=200))
    assert said.verdict is JudgeVerdict.WAIT
    assert said.metrics == ("labels",)


def test_labels_that_come_late_count_under_the_weight_of_their_prediction() -> None:
    """The canary moved on to 50 %; labels of the first step still come under its 5 %."""
    state = begin(LABELS, (0.05, 0.5))
    for observation in requests(0.5, 0.0, 0.0, ticks=10):
        state = observe(state, observation)
    for observation in labelled(0.05, 0.6, 0.1, ticks=20):
        state = observe(state, observation)
    assert report(state, 1).verdict is JudgeVerdict.HARM


# Sticky units


def test_a_harmful_canary_with_sticky_users_is_harm() -> None:
    random = np.random.default_rng(4)
    users = Users(np.full(3000, 0.01), np.full(3000, 0.2), random)
    said, _ = until_verdict(begin(ERRORS, (0.1,), sticky=True), (users.tick(0.1, 100) for _ in range(300)))
    assert said.verdict is JudgeVerdict.HARM
    assert said.exposed_units <= said.exposed_requests < 100


def test_a_harmless_canary_with_sticky_users_is_safe_when_enough_windows_closed() -> None:
    random = np.random.default_rng(4)
    users = Users(np.full(8000, 0.005), np.full(8000, 0.005), random)
    policy = replace(ERRORS, requests_per_unit=5)
    said, state = until_verdict(begin(policy, (0.5,), sticky=True), (users.tick(0.5, 500) for _ in range(300)))
    assert said.verdict is JudgeVerdict.SAFE
    assert state.tallies["errors"].canary_trials > 100


def test_one_user_who_always_fails_is_one_failure() -> None:
    user = Observation(0.05, ArmObservation(1, 1, units=((42, 1),)), ArmObservation())
    state = begin(ERRORS, (0.05,), sticky=True)
    for _ in range(500):
        state = observe(state, user)
    said = report(state, 0)
    assert said.verdict is JudgeVerdict.WAIT
    assert said.exposed_units == 1
    assert said.exposed_requests == 500
    assert state.tallies["errors"].first == {0.05: (1, 1)}


def test_few_users_who_return_for_ever_end_inconclusive() -> None:
    user = Observation(0.05, ArmObservation(10, units=((42, 0),) * 10), ArmObservation(90, units=((43, 0),) * 90))
    state = begin(replace(ERRORS, max_units=10), (0.05,), sticky=True)
    for tick in range(20):
        assert report(state, 0).verdict is JudgeVerdict.WAIT, tick
        state = observe(state, user)
    assert report(state, 0).verdict is JudgeVerdict.INCONCLUSIVE


# Budgets


def test_the_budget_ends_a_step_and_a_person_may_grant_another() -> None:
    policy = replace(ERRORS, max_units=100, first_step_slack=1.0)
    said, state = until_verdict(begin(policy, STEPS), requests(0.05, 0.02, 0.02, ticks=100))
    assert said.verdict is JudgeVerdict.INCONCLUSIVE
    assert 100 <= said.step_canary_units < 120
    assert report(state, 0, extensions=1).verdict is JudgeVerdict.WAIT
    assert report(state, 1).verdict is JudgeVerdict.WAIT  # a step has a budget of its own


def test_a_step_may_have_to_see_a_number_of_units_first() -> None:
    policy = replace(ERRORS, min_units=20_000)
    state = begin(policy, (0.5,))
    for observation in requests(0.5, 0.0, 0.0, ticks=199):
        state = observe(state, observation)
    assert report(state, 0).verdict is JudgeVerdict.WAIT
    said, _ = until_verdict(state, requests(0.5, 0.0, 0.0, ticks=1, seed=2))
    assert said.verdict is JudgeVerdict.SAFE


def test_with_labels_the_units_of_a_step_are_the_labelled_ones() -> None:
    policy = replace(LABELS, min_units=5000, margins={"errors": Margin(1.5, 0.005), "labels": Margin(1.5, 0.3)})
    state = begin(policy, (0.5,))
    for observation in requests(0.5, 0.0, 0.0, ticks=100):
        state = observe(state, observation)
    assert report(state, 0).step_units == 0
    said, _ = until_verdict(state, labelled(0.5, 0.1, 0.1, ticks=60))
    assert said.verdict is JudgeVerdict.SAFE
    assert said.step_units == 5000


def test_what_orphaned_workers_sent_home_is_counted_and_is_no_evidence() -> None:
    state = begin(ERRORS, (0.5,))
    for observation in requests(0.0, 0.0, 0.5, ticks=50):
        state = observe(state, observation)
    said = report(state, 0)
    assert said.requests == 5000
    assert said.rates["errors"][1].trials == 0
    assert said.evidence["harm"] == pytest.approx(0.0)
