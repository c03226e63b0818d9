"""Promise: a router that sends other shares than the table says is found, and no other is accused."""

from __future__ import annotations

import numpy as np

from benchmarks.judge.figures import NEVER, POLICY, Integers, crossed, delay, share
from lockgate.stages.deliver.judge.router import Arrivals, log_e_fault
from lockgate.stats.combine import log_mean
from lockgate.stats.odds import log_growth

RUNS, SIZE, LOOKS = 5000, 100, 600
SLOW_RUNS = 100


def main() -> None:
    print(f"\n4. Router: {SIZE * LOOKS:,} new keys, a look every {SIZE}, alpha {POLICY.router_alpha}, {RUNS:,} runs")
    ramp = [step for step in (0.01, 0.05, 0.1, 0.25, 0.5) for _ in range(LOOKS // 5)]
    for name, weights, factor in (
        ("as declared, 10 %", [0.1] * LOOKS, 1.0),
        ("as declared, ramp 1-5-10-25-50 %", ramp, 1.0),
        ("10 % declared, 12 % real", [0.1] * LOOKS, 1.2),
        ("10 % declared, 8 % real", [0.1] * LOOKS, 0.8),
        ("10 % declared, 5 % real", [0.1] * LOOKS, 0.5),
    ):
        found = _until_fault(np.array(weights), factor)
        print(f"  {name:35s} {share(found)}   keys: median, p90 {delay(found)}", flush=True)
    print(f"   answers may be in flight for 15 s, {SIZE} requests a second; {SLOW_RUNS} runs of 300 s")
    for name, weight, real, lasts in (
        ("10 % declared, 12 % real", 0.1, 0.12, 0),
        ("10 % declared, 5 % real", 0.1, 0.05, 0),
        ("10 % declared, 0 % real", 0.1, 0.0, 0),
        ("as declared, canary takes 10 s", 0.2, 0.2, 10),
    ):
        found = np.array([_in_flight(weight, real, lasts, seed) for seed in range(SLOW_RUNS)])
        print(f"  {name:35s} {share(found)}   keys: median, p90 {delay(found)}", flush=True)


def _until_fault(weights: np.ndarray[tuple[int, ...], np.dtype[np.float64]], factor: float) -> Integers:
    """Keys until ROUTER_FAULT while nothing is in flight; the canary gets `factor` times its weight."""
    random, found = np.random.default_rng(41), []
    for _ in range(5):
        own = random.binomial(SIZE, weights * factor, (RUNS // 5, LOOKS))
        more = log_growth(weights, SIZE, own).cumsum(axis=1)
        fewer = log_growth(1 - weights, SIZE, SIZE - own).cumsum(axis=1)
        logs = log_mean(np.stack([log_mean(more), log_mean(fewer)], axis=-1))
        found.append(crossed(logs, POLICY.router_alpha, SIZE))
    return np.concatenate(found)


def _in_flight(weight: float, real: float, lasts: int, seed: int) -> int:
    """Keys until ROUTER_FAULT, by the bounds of production; the canary gets `real` and answers after `lasts` seconds."""
    random, arrivals = np.random.default_rng(seed), Arrivals()
    given = random.binomial(SIZE, real, 300)
    for second, own in enumerate(given.tolist()):
        ended = int(given[second - lasts]) if second >= lasts else 0
        arrivals = arrivals.plus({weight: (ended + SIZE - own, ended)}, 1e9 + second, POLICY.settled)
        if log_e_fault(arrivals) >= -np.log(POLICY.router_alpha):
            return SIZE * (second + 1)
    return int(NEVER)
