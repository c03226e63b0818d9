"""What the judge promises, tried: simulations with fixed seeds that would refute a promise that is not kept.

Levels are looser than the defaults (α = 10 %), so that a few thousand runs can tell kept from broken. Runs are folded by the
judge's own fold (the ledger) or by its formulas on many runs at once; every look of every run counts.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from lockgate.domain.rollouts import JudgePolicy, Margin
from lockgate.stages.deliver.judge.evidence import safe_evidence
from lockgate.stages.deliver.judge.fold import observe
from lockgate.stages.deliver.judge.state import begin
from lockgate.stats.absolute import log_e_below
from lockgate.stats.combine import log_mean
from lockgate.stats.odds import HIGHER, LOWER, log_growth
from tests.unit.judge.traffic import Users

ALPHA = 0.1
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def at_most(level: float, runs: int) -> float:
    """What a share of `runs` may come to when its probability is `level`: three standard errors more."""
    return level + 3 * float(np.sqrt(level * (1 - level) / runs))


# Where the unit is the request: thousands of runs at once


def blocks(
    weights: list[float], rates: tuple[float, float], *, runs: int, size: int, seed: int
) -> tuple[Integers, Integers, Integers]:
    """By run and block: the canary's requests, its failures, the baseline's. rates: the canary's, the baseline's."""
    random = np.random.default_rng(seed)
    own = random.binomial(size, np.broadcast_to(weights, (runs, len(weights))))
    return own, random.binomial(own, rates[0]), random.binomial(size - own, rates[1])


def harmed(weights: list[float], canary: Integers, baseline: Integers) -> NDArray[np.bool_]:
    """Which runs are ever called HARM, looked at after each block."""
    growth = log_growth(np.array(weights), canary + baseline, canary).cumsum(axis=1)
    ever: NDArray[np.bool_] = (log_mean(growth) >= -np.log(ALPHA)).any(axis=1)
    return ever


@pytest.mark.parametrize(
    "weights",
    [[0.1] * 150, [0.01] * 30 + [0.05] * 30 + [0.1] * 30 + [0.25] * 30 + [0.5] * 30],
    ids=["one weight", "a ramp"],
)
def test_a_canary_like_the_baseline_is_called_harmful_with_at_most_alpha(weights: list[float]) -> None:
    _, canary, baseline = blocks(weights, (0.05, 0.05), runs=3000, size=100, seed=1)
    share = harmed(weights, canary, baseline).mean()
    assert share <= at_most(ALPHA, 3000)
    assert share > 0.01  # the simulation does come near


def test_a_fixed_size_test_read_at_every_block_would_break_the_promise() -> None:
    """The same runs by a one-sided z-test at α: what "peeking" costs."""
    own, canary, baseline = blocks([0.1] * 150, (0.05, 0.05), runs=1000, size=100, seed=1)
    n, m = own.cumsum(axis=1), (100 - own).cumsum(axis=1)
    s, t = canary.cumsum(axis=1), baseline.cumsum(axis=1)
    pooled = (s + t) / (n + m)
    error = np.sqrt(pooled * (1 - pooled) * (1 / np.maximum(n, 1) + 1 / m))
    z = np.divide(s / np.maximum(n, 1) - t / m, error, out=np.zeros(error.shape), where=error > 0)
    assert (z > 1.2816).any(axis=1).mean() > 3 * ALPHA


def test_five_times_the_errors_are_nearly_always_found() -> None:
    _, canary, baseline = blocks([0.1] * 150, (0.05, 0.01), runs=500, size=100, seed=2)
    assert harmed([0.1] * 150, canary, baseline).mean() > 0.99


@pytest.mark.parametrize(
    ("rates", "ratio", "floor"),
    [((0.03, 0.02), 1.5, 0.005), ((0.02, 0.005), 4.0, 0.013), ((0.01, 0.01 / 1.5), 1.5, 0.01), ((0.01, 0.0), 1.5, 0.01)],
    ids=["at the ratio", "at a wide ratio", "at ratio and floor", "at the floor, baseline without failures"],
)
def test_a_canary_at_the_margin_is_called_safe_with_at_most_beta(rates: tuple[float, float], ratio: float, floor: float) -> None:
    weights = [0.25] * 60 + [0.5] * 60
    own, canary, baseline = blocks(weights, rates, runs=2000, size=100, seed=3)
    growth = log_growth(np.array(weights), canary + baseline, canary, ratio, np.array(LOWER) / ratio).cumsum(axis=1)
    absolute = log_e_below(own.cumsum(axis=1), canary.cumsum(axis=1), floor)
    gate = log_mean(np.stack([log_mean(growth), absolute], axis=-1))
    assert (gate >= -np.log(ALPHA)).any(axis=1).mean() <= at_most(ALPHA, 2000)


# Where users keep their arm: the fold itself


def unequal(random: np.random.Generator, users: int) -> Floats:
    """Some users nearly always fail, most hardly ever."""
    return random.beta(0.15, 1.2, users)


Ramp = Callable[[int], float]


def naive_and_sticky(runs: int, ramp: Ramp, *, ticks: int = 25, size: int = 60) -> tuple[float, float]:
    """The share of null runs that are ever called harmful: failures counted per request, and by the judge's fold."""
    naive, sticky = np.zeros((runs, len(HIGHER))), np.zeros((runs, len(HIGHER)))
    found = np.zeros((2, runs), dtype=bool)
    weights = [ramp(tick) for tick in range(ticks)]
    for run in range(runs):
        random = np.random.default_rng(run)
        risk = unequal(random, 60)
        users, state = Users(risk, risk, random), begin(JudgePolicy(metrics=("errors",)), (0.05, 0.25, 0.5), sticky=True)
        for weight in weights:
            observation = users.tick(weight, size)
            before, state = state.tallies["errors"].first.get(weight, (0, 0)), observe(state, observation)
            after = state.tallies["errors"].first.get(weight, (0, 0))
            failures = (observation.canary.failed + observation.baseline.failed, observation.canary.failed)
            naive[run] += log_growth(weight, *failures)
            sticky[run] += log_growth(weight, after[0] - before[0], after[1] - before[1])
            found[:, run] |= log_mean([naive[run], sticky[run]]) >= -np.log(ALPHA)
    return float(found[0].mean()), float(found[1].mean())


@pytest.mark.parametrize("ramp", [lambda _: 0.25, lambda tick: 0.05 if tick < 8 else 0.25], ids=["one weight", "5 to 25 percent"])
def test_sticky_users_who_differ_are_no_false_alarm(ramp: Ramp) -> None:
    naive, sticky = naive_and_sticky(300, ramp)
    assert naive > at_most(ALPHA, 300)  # counted per request, the promise is broken
    assert sticky <= at_most(ALPHA, 300)


@pytest.mark.parametrize("weights", [[0.3] * 24, [0.1] * 12 + [0.4] * 12], ids=["one weight", "a ramp"])
def test_sticky_users_at_the_margin_are_called_safe_with_at_most_beta(weights: list[float]) -> None:
    """The truth is the margin itself: a canary's user fails within four requests with 1.5 × the probability of a baseline's."""
    risk, window, runs = 0.05, 4, 300
    within = 1 - (1 - risk) ** window
    canary_risk = 1 - (1 - 1.5 * within) ** (1 / window)
    policy = JudgePolicy(
        metrics=("errors",), requests_per_unit=window, margins={"errors": Margin(1.5, 0.005)}, first_step_slack=1
    )
    safe = 0
    for run in range(runs):
        random = np.random.default_rng(run)
        users, state = Users(np.full(400, risk), np.full(400, canary_risk), random), begin(policy, (0.5,), sticky=True)
        largest = -np.inf
        for weight in weights:
            state = observe(state, users.tick(weight, 100))
            largest = max(largest, safe_evidence(state)["errors"][0])
        safe += largest >= -np.log(ALPHA)
    assert safe / runs <= at_most(ALPHA, runs)


def test_first_failures_would_certify_any_canary_and_outcomes_at_the_horizon_do_not() -> None:
    """Three times the risk, users who come back until each has failed: the canary's share of first failures is its weight."""
    random = np.random.default_rng(11)
    users = Users(np.full(4000, 0.1), np.full(4000, 0.3), random)
    state = begin(JudgePolicy(metrics=("errors",), requests_per_unit=2), (0.5,), sticky=True)
    for _ in range(100):
        state = observe(state, users.tick(0.5, 2000))
    events, own = state.tallies["errors"].first[0.5]
    wrong = log_mean(log_growth(0.5, events, own, 1.5, np.array(LOWER) / 1.5))
    assert wrong > np.log(20)
    assert safe_evidence(state)["errors"][0] < 0
