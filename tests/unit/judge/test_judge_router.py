"""Do units meet the arms as the weights say? A router at fault is found, and a canary that hangs is not taken for one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.explain import sentence
from lockgate.stages.deliver.judge import begin, observe, report
from lockgate.stages.deliver.judge.router import Arrivals, assigned, log_e_fault
from tests.unit.judge.traffic import ERRORS, WATCHED, Users, until_verdict

ALARM = log(1000)


def split(weight: float, real: float, *, ticks: int, seed: int = 1, size: int = 100) -> Iterator[Observation]:
    """Requests that never fail; the table says `weight`, and they meet the canary with probability `real`."""
    random = np.random.default_rng(seed)
    for _ in range(ticks):
        own = int(random.binomial(size, real))
        yield Observation(weight, ArmObservation(own), ArmObservation(size - own))


@pytest.mark.parametrize(("real", "most"), [(0.12, 10_000), (0.08, 10_000), (0.05, 1500), (0.2, 1500), (0.0, 300)])
def test_a_share_that_is_not_the_declared_one_is_found(real: float, most: int) -> None:
    needed = []
    for seed in range(20):
        said, _ = until_verdict(begin(WATCHED, (0.1,)), split(0.1, real, ticks=300, seed=seed))
        assert said.verdict is JudgeVerdict.ROUTER_FAULT
        needed.append(said.requests)
    assert np.median(needed) <= most


def test_a_share_that_is_the_declared_one_is_no_fault_along_a_whole_ramp() -> None:
    """At α = 10 %, looked at after every block of 400 runs."""
    alarms = 0
    for run in range(400):
        random, arrivals = np.random.default_rng(run), Arrivals()
        for weight in [0.01] * 6 + [0.1] * 6 + [0.5] * 6:
            arrivals = arrivals.plus({weight: (500, int(random.binomial(500, weight)))}, 0.0, 15.0)
            if log_e_fault(arrivals) >= log(10):
                alarms += 1
                break
    assert alarms / 400 <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / 400)


def test_a_ramp_does_not_hide_a_fault_that_begins_late() -> None:
    state = begin(WATCHED, (0.1, 0.5))
    for observation in split(0.1, 0.1, ticks=100):
        state = observe(state, observation)
    said, _ = until_verdict(state, split(0.5, 0.42, ticks=100, seed=2), step=1)
    assert said.verdict is JudgeVerdict.ROUTER_FAULT


def test_with_a_router_at_fault_nothing_else_is_said() -> None:
    """The canary fails twenty times as often, but who knows what else is different about the units that it got."""
    state = begin(ERRORS, (0.1,))
    state = observe(state, Observation(0.1, ArmObservation(2000, 400), ArmObservation(8000, 80)))
    said = report(state, 0)
    assert said.evidence["harm"] >= said.harm_bar
    assert said.verdict is JudgeVerdict.ROUTER_FAULT
    assert said.metrics == ()
    assert (
        sentence(said) == "The router is at fault: 20.00 % of new units (2000 of 10000) met the canary, 10.00 % expected."
        " What was counted is no evidence: abort, find the reason, and start again."
    )


def test_users_who_return_are_no_new_units() -> None:
    """One user of the canary asks again and again: that is one unit, whatever the shares of requests are."""
    users = Observation(0.1, ArmObservation(500, units=((1, 0),) * 500), ArmObservation(3, units=((2, 0), (3, 0), (4, 0))))
    state = observe(begin(ERRORS, (0.1,), sticky=True), users)
    assert report(state, 0).assigned.units == 4
    assert report(state, 0).verdict is JudgeVerdict.WAIT


def test_users_whom_the_ramp_moves_are_no_fault() -> None:
    """Those who return under a larger weight have met their arm before: each counts where it was seen first."""
    random = np.random.default_rng(5)
    users = Users(np.zeros(1500), np.zeros(1500), random)
    state = begin(replace(ERRORS, requests_per_unit=1), (0.05, 0.25, 0.5), sticky=True)
    for weight in [0.05] * 10 + [0.25] * 10 + [0.5] * 10:
        state = observe(state, users.tick(weight, 500))
        assert log_e_fault(state.arrivals) < ALARM
    assert report(state, 2).assigned.units == 1500


# What is in flight


def delayed(lasts: float, *, rate: int, seconds: int, weight: float = 0.2, failing: bool = False) -> Iterator[Observation]:
    """A block each second of what ended in it: the baseline answers at once, the canary after so many seconds."""
    random = np.random.default_rng(3)
    given = [int(random.binomial(rate, weight)) for _ in range(seconds)]
    late = int(lasts)
    for second in range(seconds):
        own = given[second - late] if second >= late else 0
        failed = own if failing else 0
        yield Observation(weight, ArmObservation(own, failed), ArmObservation(rate - given[second]), until=1e9 + second)


def test_a_canary_that_hangs_is_no_fault_of_the_router_and_does_harm_when_it_times_out() -> None:
    """For ten seconds no request of the canary ends, while 8,000 of the baseline do."""
    said, _ = until_verdict(begin(WATCHED, (0.2,)), delayed(10.0, rate=1000, seconds=60, failing=True))
    assert (said.verdict, said.metrics) == (JudgeVerdict.HARM, ("errors",))


def test_a_slow_canary_is_no_fault_of_the_router() -> None:
    state = begin(ERRORS, (0.2,))
    for observation in delayed(9.0, rate=1000, seconds=120):
        state = observe(state, observation)
        assert log_e_fault(state.arrivals) < ALARM


def test_a_canary_that_never_answers_and_is_never_counted_is_a_fault_in_the_end() -> None:
    said, _ = until_verdict(begin(WATCHED, (0.2,)), delayed(1000.0, rate=100, seconds=60))
    assert said.verdict is JudgeVerdict.ROUTER_FAULT
    assert said.requests > 15 * 80  # not before the canary's answers are overdue


def test_labels_that_come_meanwhile_say_nothing_of_what_is_in_flight() -> None:
    state = begin(replace(WATCHED, metrics=("errors", "labels")), (0.2,))
    state = observe(state, Observation(0.2, ArmObservation(), ArmObservation(5000), until=1e9))
    state = observe(state, Observation(0.2, ArmObservation(labels=((1, 0),)), ArmObservation(labels=((2, 0),))))
    assert log_e_fault(state.arrivals) < ALARM


Request = tuple[float, bool, float]  # seconds since the one before, on the canary, seconds until it ended


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans(), st.floats(0, 9.9)), max_size=40), st.integers(1, 5))
def test_waiting_for_what_is_in_flight_never_says_more_than_the_true_counts(history: list[Request], every: int) -> None:
    """Whatever is slow in either arm: at each look the e-value is at most the largest that the true counts had by then."""
    begun, ends, now = [], [], 1e9
    for gap, canary, lasts in history:
        now += gap
        begun.append((now, canary))
        ends.append((now + lasts, canary))
    true, largest, arrivals = Arrivals(), 0.0, Arrivals()
    told = sorted(ends)
    for first in range(0, len(told), every):
        block = told[first : first + every]
        own = sum(canary for _, canary in block)
        arrivals = arrivals.plus({0.3: (len(block), own)}, block[-1][0], 10.0)
        while begun and begun[0][0] <= block[-1][0]:
            true = true.plus({0.3: (1, int(begun.pop(0)[1]))}, 0.0, 10.0)
            largest = max(largest, log_e_fault(true))
        assert log_e_fault(arrivals) <= largest + 1e-9


def test_what_has_no_time_is_complete() -> None:
    arrivals = Arrivals().plus({0.1: (1000, 200)}, 0.0, 15.0)
    assert log_e_fault(arrivals) > ALARM
    assert assigned(arrivals).expected == pytest.approx(100)


def test_nothing_seen_is_no_fault() -> None:
    assert log_e_fault(Arrivals()) == pytest.approx(0.0)


def test_the_chance_of_a_false_fault_is_the_policys() -> None:
    skewed = Observation(0.5, ArmObservation(135), ArmObservation(65))
    said, strict = (
        report(observe(begin(policy, (0.5,)), skewed), 0) for policy in (WATCHED, replace(WATCHED, router_alpha=1e-6))
    )
    assert ALARM < said.evidence["router"] == strict.evidence["router"] < log(1e6)
    assert (said.verdict, strict.verdict) == (JudgeVerdict.ROUTER_FAULT, JudgeVerdict.WAIT)
    assert (said.router_bar, strict.router_bar) == pytest.approx((ALARM, log(1e6)))
