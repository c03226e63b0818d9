"""The judge in figures: false alarms, certificates at the margin, delays of detection, and the speed of the fold.

Run as `python -m benchmarks.judge`. Beside it, in the same runs, stand the two rules that it replaces: a fixed threshold per
window of canary requests (the kind of Flagger and Argo Rollouts) and a z-test that is read again and again. Seeds are fixed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri

from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.domain.rollouts import JudgePolicy
from lockgate.stages.deliver.judge import JudgeState, begin, observe, report
from lockgate.stages.deliver.judge.margins import harm_shares
from lockgate.stats.absolute import log_e_below
from lockgate.stats.combine import log_mean, log_weighted_sum
from lockgate.stats.odds import HIGHER, LOWER, log_growth

POLICY = JudgePolicy()
EXCEEDED = tuple(1 - q for q in POLICY.quantiles)
NULL_RUNS, RUNS = 5000, 2000
NEVER = np.iinfo(np.int64).max

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Traffic:
    """One block of every run: the canary's weight, its requests, and events (runs, kinds) of both arms; kind 0 is a failure."""

    weight: float
    size: int
    own: Integers
    canary: Integers
    baseline: Integers


def traffic(weights: list[float], canary: float, baseline: float, runs: int, size: int, seed: int) -> Iterator[Traffic]:
    """Failures at the given rates; latency exceedances alike in both arms, at the quantiles of the policy."""
    random = np.random.default_rng(seed)
    for weight in weights:
        own = random.binomial(size, weight, runs)
        rates, base = np.array([canary, *EXCEEDED]), np.array([baseline, *EXCEEDED])
        yield Traffic(weight, size, own, random.binomial(own[:, None], rates), random.binomial(size - own[:, None], base))


def judged(blocks: Iterator[Traffic], runs: int) -> Integers:
    """Requests until HARM by all of the policy's metrics, NEVER where it is not said."""
    growth = np.zeros((runs, 1 + len(EXCEEDED), len(HIGHER)))
    crossed, requests = np.full(runs, NEVER), 0
    for block in blocks:
        requests += block.size
        growth += log_growth(block.weight, block.canary + block.baseline, block.canary)
        logs = log_mean(growth)
        metrics = np.stack([logs[:, 0], log_mean(logs[:, 1:])], axis=-1)
        harm = log_weighted_sum(metrics, harm_shares(POLICY)) >= -np.log(POLICY.alpha)
        crossed = np.where(harm & (crossed == NEVER), requests, crossed)
    return crossed


def peeked(blocks: Iterator[Traffic], runs: int, *, every: int = 500) -> Integers:
    """Requests until a one-sided z-test at alpha, read every 500 requests, says so."""
    n, s, m, t = (np.zeros(runs) for _ in range(4))
    crossed, requests = np.full(runs, NEVER), 0
    for block in blocks:
        requests += block.size
        n, s = n + block.own, s + block.canary[:, 0]
        m, t = m + block.size - block.own, t + block.baseline[:, 0]
        if requests % every:
            continue
        pooled = (s + t) / (n + m)
        error = np.sqrt(pooled * (1 - pooled) * (1 / np.maximum(n, 1) + 1 / m))
        z = np.divide(s / np.maximum(n, 1) - t / m, error, out=np.zeros(runs), where=error > 0)
        crossed = np.where((z >= ndtri(1 - POLICY.alpha)) & (crossed == NEVER), requests, crossed)
    return crossed


def thresholded(blocks: Iterator[Traffic], runs: int, *, limit: float = 0.02, window: int = 60, strikes: int = 5) -> Integers:
    """Requests until `strikes` windows of about `window` canary requests had an error rate above `limit`."""
    n, s, failed = np.zeros(runs), np.zeros(runs), np.zeros(runs)
    crossed, requests = np.full(runs, NEVER), 0
    for block in blocks:
        requests += block.size
        n, s = n + block.own, s + block.canary[:, 0]
        full = n >= window
        failed += full & (s > limit * n)
        n, s = np.where(full, 0, n), np.where(full, 0, s)
        crossed = np.where((failed >= strikes) & (crossed == NEVER), requests, crossed)
    return crossed


RULES = {"judge": judged, "z-test, peeked": peeked, "5 windows over 2 %": thresholded}


def share(crossed: Integers) -> str:
    """The share of runs in which it was said, with its exact 95 % interval."""
    said, runs = int((crossed < NEVER).sum()), len(crossed)
    low = betaincinv(said, runs - said + 1, 0.025) if said else 0.0
    high = betaincinv(said + 1, runs - said, 0.975) if said < runs else 1.0
    return f"{100 * said / runs:6.2f} %  [{100 * low:5.2f}, {100 * high:5.2f}]"


def delay(crossed: Integers) -> str:
    median, late = np.sort(crossed)[[len(crossed) // 2, len(crossed) * 9 // 10]]
    return "  ".join("   never" if value == NEVER else f"{value:8,}" for value in (median, late))


def false_alarms() -> None:
    ramp = [0.01] * 120 + [0.05] * 120 + [0.1] * 120 + [0.25] * 120 + [0.5] * 120
    print(f"\nFalse alarms: {NULL_RUNS:,} harmless rollouts (1 % errors in both arms), 60,000 requests, alpha {POLICY.alpha}")
    for name, rule in RULES.items():
        for kind, weights in (("10 % canary", [0.1] * 600), ("ramp 1-5-10-25-50 %", ramp)):
            crossed = rule(traffic(weights, 0.01, 0.01, NULL_RUNS, 100, seed=1), NULL_RUNS)
            print(f"  {name:20s} {kind:20s} {share(crossed)}")
    per_request, per_user = sticky_null()
    print("  sticky users who differ (60 of them, 3,000 requests, ramp 5-25 %)")
    print(f"  {'counted per request':41s} {share(per_request)}")
    print(f"  {'judge, one event a user':41s} {share(per_user)}")


def sticky_null() -> tuple[Integers, Integers]:
    """Requests until HARM on errors, counted per request and per user, while the canary changes nothing."""
    users, random = 60, np.random.default_rng(3)
    risk, place = random.beta(0.15, 1.2, (NULL_RUNS, users)), random.random((NULL_RUNS, users))
    happened, rows = np.zeros((NULL_RUNS, users), dtype=bool), np.arange(NULL_RUNS)
    growth = np.zeros((2, NULL_RUNS, len(HIGHER)))
    crossed = np.full((2, NULL_RUNS), NEVER)
    for request in range(3000):
        weight, who = (0.05 if request < 1000 else 0.25), random.integers(0, users, NULL_RUNS)
        failed, own = random.random(NULL_RUNS) < risk[rows, who], place[rows, who] < weight
        first = failed & ~happened[rows, who]
        happened[rows, who] |= failed
        growth += log_growth(weight, np.stack([failed, first]), np.stack([failed & own, first & own]))
        if request % 20 == 19:
            said = log_mean(growth) >= -np.log(POLICY.alpha)
            crossed = np.where(said & (crossed == NEVER), request + 1, crossed)
    return crossed[0], crossed[1]


def certificates() -> None:
    """SAFE on errors, default margin (ratio 1.5, floor 0.5 %), at a canary of 50 %."""
    margin = POLICY.margins["errors"]
    bar = f"ratio {margin.ratio}, floor {margin.floor}, beta {POLICY.beta}"
    print(f"\nSAFE on errors within 60,000 requests at a 50 % canary; {bar}")
    for name, canary, baseline in (
        ("at the ratio: 3 % against 2 %", 0.03, 0.02),
        ("at the floor: 0.5 % against 0 %", 0.005, 0.0),
        ("twice: 2 % against 1 %", 0.02, 0.01),
        ("alike: 1 % against 1 %", 0.01, 0.01),
        ("alike: no errors at all", 0.0, 0.0),
    ):
        crossed = certified(traffic([0.5] * 600, canary, baseline, RUNS, 100, seed=2), margin.ratio, margin.floor)
        print(f"  {name:32s} {share(crossed)}   requests: median, p90 {delay(crossed)}")


def certified(blocks: Iterator[Traffic], ratio: float, floor: float) -> Integers:
    growth, own, canary = np.zeros((RUNS, len(LOWER))), np.zeros(RUNS), np.zeros(RUNS)
    crossed, requests = np.full(RUNS, NEVER), 0
    for block in blocks:
        requests += block.size
        own, canary = own + block.own, canary + block.canary[:, 0]
        events = block.canary[:, 0] + block.baseline[:, 0]
        growth += log_growth(block.weight, events, block.canary[:, 0], ratio, np.array(LOWER) / ratio)
        gate = log_mean(np.stack([log_mean(growth), log_e_below(own, canary, floor)], axis=-1))
        crossed = np.where((gate >= -np.log(POLICY.beta)) & (crossed == NEVER), requests, crossed)
    return crossed


def detection() -> None:
    print(f"\nRequests until harm is found, {RUNS:,} rollouts each: median, p90 (all metrics on, a look every 20 requests)")
    for name, weight, canary, baseline, blocks in (
        ("1 → 5 % at 10 %", 0.1, 0.05, 0.01, 800),
        ("1 → 3 % at 10 %", 0.1, 0.03, 0.01, 2000),
        ("1 → 20 % at 10 %", 0.1, 0.2, 0.01, 400),
        ("0.1 → 1 % at 10 %", 0.1, 0.01, 0.001, 2000),
        ("outage at 5 %", 0.05, 1.0, 0.01, 400),
    ):
        for rule_name, rule in RULES.items():
            crossed = rule(traffic([weight] * blocks, canary, baseline, RUNS, 20, seed=4), RUNS)
            print(f"  {name:20s} {rule_name:20s} {delay(crossed)}")


def speed() -> None:
    print("\nThe fold")
    random = np.random.default_rng(5)
    cells = [_cell(random) for _ in range(1000)]
    state, seconds = _folded(begin(POLICY, (0.05, 0.25, 0.5)), cells)
    print(f"  1,000,000 requests in 1,000 observations of counts   {seconds:6.3f} s  ({1e6 / seconds:14,.0f} requests/s)")
    started = perf_counter()
    for _ in range(100):
        report(state, 0)
    print(f"  one report                                           {(perf_counter() - started) / 100:8.5f} s")
    sticky = [_visits(random) for _ in range(200)]
    _, seconds = _folded(begin(POLICY, (0.05, 0.25, 0.5), sticky=True), sticky)
    print(f"  1,000,000 requests of 100,000 sticky users           {seconds:6.3f} s  ({1e6 / seconds:14,.0f} requests/s)")


def _folded(state: JudgeState, journal: list[Observation]) -> tuple[JudgeState, float]:
    started = perf_counter()
    for observation in journal:
        state = observe(state, observation)
    return state, perf_counter() - started


def _cell(random: np.random.Generator) -> Observation:
    own = int(random.binomial(1000, 0.05))
    return Observation(0.05, *(ArmObservation(n, n // 100, n, (n // 2, n // 20, n // 100), {200: n}) for n in (own, 1000 - own)))


def _visits(random: np.random.Generator) -> Observation:
    keys = random.integers(0, 100_000, 5000)
    bits = (random.random(5000) < 0.01) + 2 * (random.random(5000) < 0.5) + 8 * (random.random(5000) < 0.01)
    arms = []
    for chosen in (keys < 5000, keys >= 5000):
        units = tuple(zip(keys[chosen].tolist(), bits[chosen].tolist(), strict=True))
        arms.append(ArmObservation(len(units), 0, len(units), (0, 0, 0), units=units))
    return Observation(0.05, *arms)


def main() -> None:
    started = perf_counter()
    false_alarms()
    certificates()
    detection()
    speed()
    print(f"\n{perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
