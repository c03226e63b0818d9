"""A contest in figures: false winners, how soon the best is found, what a bandit deals out, and whether its intervals hold.

Run as `python -m benchmarks.contest`. Most runs go side by side in arrays, by the same formulas as the judge. Seeds are fixed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from lockgate.domain.contests import Contest, Goal
from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.domain.rollouts import JudgePolicy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.contest import begin, observe, report, shares
from lockgate.stats.allocation import best_probabilities, floored, top_two
from lockgate.stats.combine import log_mean
from lockgate.stats.confidence import rate_interval
from lockgate.stats.odds import HIGHER, log_growth

ALPHA = 0.05
FLOOR = 0.05
SIZE = 500  # requests between two looks, and between two changes of a bandit's shares
NEVER = np.iinfo(np.int64).max

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Allocate = Callable[[Integers, Integers], Floats]


@dataclass(frozen=True)
class Played:
    """shares at the end; winner: by run, -1 for none; requests until then; missed: an interval missed its rate at some look."""

    shares: Floats
    winner: Integers
    requests: Integers
    missed: NDArray[np.bool_]


def even(trials: Integers, _events: Integers) -> Floats:
    return np.full(trials.shape, 1 / trials.shape[1])


def thompson(trials: Integers, events: Integers) -> Floats:
    return _floored(best_probabilities(trials, events, most=True))


def two_best(trials: Integers, events: Integers) -> Floats:
    return _floored(top_two(best_probabilities(trials, events, most=True)))


def _floored(wanted: Floats) -> Floats:
    return np.array([floored(one, FLOOR) for one in wanted])


def played(rates: tuple[float, ...], allocate: Allocate, *, runs: int, looks: int, seed: int) -> Played:
    """The goal is to have most events. Every run goes on to the end, also after a winner."""
    random, n = np.random.default_rng(seed), len(rates)
    trials, events = np.zeros((2, runs, n), dtype=np.int64)
    growth = np.zeros((n, n, runs, len(HIGHER)))
    winner, found, missed = np.full(runs, -1), np.full(runs, NEVER), np.zeros(runs, dtype=bool)
    for look in range(looks):
        dealt = allocate(trials, events)
        counts = np.array([random.multinomial(SIZE, one) for one in dealt])
        new = random.binomial(counts, rates)
        trials, events = trials + counts, events + new
        for k in range(n):
            for j in (j for j in range(n) if j != k):
                weight = dealt[:, k] / (dealt[:, j] + dealt[:, k])
                growth[k, j] += log_growth(weight, new[:, j] + new[:, k], new[:, k])
        logs = log_mean(growth)
        logs[range(n), range(n)] = np.inf
        surest = logs.min(axis=1)
        won = (surest.max(axis=0) >= np.log(n / ALPHA)) & (winner < 0)
        winner, found = np.where(won, surest.argmax(axis=0), winner), np.where(won, (look + 1) * SIZE, found)
        low, high = rate_interval(trials, events, ALPHA / n)
        missed |= ((np.asarray(rates) < low) | (np.asarray(rates) > high)).any(axis=1)
    return Played(allocate(trials, events), winner, found, missed)


def share(said: NDArray[np.bool_]) -> str:
    """The share of runs, with its exact 95 % interval."""
    happened, runs = int(said.sum()), len(said)
    low = betaincinv(happened, runs - happened + 1, 0.025) if happened else 0.0
    high = betaincinv(happened + 1, runs - happened, 0.975) if happened < runs else 1.0
    return f"{100 * happened / runs:6.2f} %  [{100 * low:5.2f}, {100 * high:5.2f}]"


def delay(requests: Integers) -> str:
    median, late = np.sort(requests)[[len(requests) // 2, len(requests) * 9 // 10]]
    return "  ".join("   never" if value == NEVER else f"{value:8,}" for value in (median, late))


def alike() -> None:
    print(f"\nA winner though all arms are alike (10 %), 20,000 requests, a look every {SIZE}, alpha {ALPHA}")
    for name, rates, allocate, runs in (
        ("A/B", (0.1, 0.1), even, 2000),
        ("A/B/3", (0.1,) * 3, even, 2000),
        ("thompson, 3 arms", (0.1,) * 3, thompson, 500),
        ("top-two, 3 arms", (0.1,) * 3, two_best, 500),
    ):
        print(f"  {name:20s} {share(played(rates, allocate, runs=runs, looks=40, seed=1).winner >= 0)}   of {runs:,} runs")


def best_of_three(runs: int = 500) -> None:
    rates = (0.10, 0.12, 0.15)
    print(f"\nThree arms of 10, 12 and 15 %, {runs} runs; floor {FLOOR}, alpha {ALPHA}")
    for name, allocate in (("split", even), ("thompson", thompson), ("top-two", two_best)):
        result = played(rates, allocate, runs=runs, looks=40, seed=2)
        best = result.shares[:, 2]
        print(
            f"  {name:9s} best arm's share by 20,000 requests: median {np.median(best):.2f}, runs with ≥ .70 {share(best >= 0.7)}"
        )
        print(f"            all three intervals hold at all looks {share(~result.missed)}")
        print(f"            the best won                          {share(result.winner == 2)}")
        print(f"            another won                           {share((result.winner == 0) | (result.winner == 1))}")
        print(f"            requests until then: median, p90      {delay(result.requests)}")


def sticky_and_alike(runs: int = 150) -> None:
    """By the judge itself, for users who differ, come back, and are moved from arm to arm by the bandit."""
    policy = JudgePolicy(alpha=0.1, metrics=("errors",), max_units=10**9)
    said = [_sticky_run(policy, seed) for seed in range(runs)]
    print(f"\n200 sticky users who differ, 4,000 requests, a bandit among three alike arms, {runs} runs, alpha {policy.alpha}")
    print(f"  a winner             {share(np.array([state is JudgeVerdict.WINNER for state, _ in said]))}")
    print(f"  an arm dropped       {share(np.array([dropped for _, dropped in said]))}")
    print(f"  a router's fault     {share(np.array([state is JudgeVerdict.ROUTER_FAULT for state, _ in said]))}")


def _sticky_run(policy: JudgePolicy, seed: int) -> tuple[JudgeVerdict, bool]:
    random, users = np.random.default_rng(seed), 200
    risk, place = random.beta(0.15, 1.2, users), random.random(users)
    state = begin(policy, Contest((3,), goal=Goal(), floor=0.1), sticky=True)
    weights: tuple[float, ...] = (1 / 3,) * 3
    verdict = JudgeVerdict.WAIT
    for _ in range(40):
        who = random.integers(0, users, 100)
        failed = random.random(100) < risk[who]
        arm = (
            np.searchsorted(np.cumsum([weights[1], weights[2]]), place[who], side="right") + 1
        ) % 3  # the champion's units come last
        arms = [_visits(who[arm == k], failed[arm == k]) for k in range(3)]
        state = observe(state, Observation(1 - weights[0], arms[1], arms[0], others=(arms[2],), weights=weights))
        verdict = report(state).verdict
        if verdict is not JudgeVerdict.WAIT:
            break
        weights = shares(state, bandit=True)
    return verdict, bool(state.dropped)


def _visits(who: Integers, failed: NDArray[np.bool_]) -> ArmObservation:
    units = tuple(zip(who.tolist(), failed.astype(int).tolist(), strict=True))
    return ArmObservation(len(who), int(failed.sum()), units=units)


def main() -> None:
    started = perf_counter()
    alike()
    best_of_three()
    sticky_and_alike()
    print(f"\n{perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
