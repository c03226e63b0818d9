"""Promise: SAFE is proven, and a canary at its margin is certified with probability beta at most."""

from __future__ import annotations

import numpy as np

from benchmarks.judge.figures import NEVER, POLICY, Integers, delay, share
from lockgate.stats.absolute import log_e_below
from lockgate.stats.combine import log_mean
from lockgate.stats.odds import LOWER, log_growth

RUNS, SIZE, LOOKS = 2000, 100, 600
MARGIN = POLICY.margins["errors"]


def main() -> None:
    bar = f"ratio {MARGIN.ratio}, floor {MARGIN.floor}, beta {POLICY.beta}"
    print(f"\n6. SAFE on errors within {SIZE * LOOKS:,} requests; {bar}; {RUNS:,} rollouts, a look every {SIZE}")
    for name, weight, canary, baseline in (
        ("at the ratio: 3 % against 2 %, 50 %", 0.5, 0.03, 0.02),
        ("at the floor: 0.5 % against 0 %, 50 %", 0.5, 0.005, 0.0),
        ("twice: 2 % against 1 %, 50 %", 0.5, 0.02, 0.01),
        ("alike: 1 % against 1 %, 50 %", 0.5, 0.01, 0.01),
        ("no error at all, 50 %", 0.5, 0.0, 0.0),
        ("no error at all, 10 %", 0.1, 0.0, 0.0),
        ("no error of the canary, 1 % before, 50 %", 0.5, 0.0, 0.01),
    ):
        safe = _until_safe(weight, canary, baseline)
        print(f"  {name:42s} {share(safe)}   requests: median, p90 {delay(safe)}", flush=True)


def _until_safe(weight: float, canary: float, baseline: float) -> Integers:
    """Requests until a last step's gate for errors: the average of the two e-processes, as in judge.evidence."""
    random = np.random.default_rng(61)
    growth, n, s = np.zeros((RUNS, len(LOWER))), np.zeros(RUNS), np.zeros(RUNS)
    crossed = np.full(RUNS, NEVER)
    for look in range(1, LOOKS + 1):
        own = random.binomial(SIZE, weight, RUNS)
        failed, others = random.binomial(own, canary), random.binomial(SIZE - own, baseline)
        n, s = n + own, s + failed
        growth += log_growth(weight, failed + others, failed, MARGIN.ratio, np.array(LOWER) / MARGIN.ratio)
        gate = log_mean(np.stack([log_mean(growth), log_e_below(n, s, MARGIN.floor)], axis=-1))
        crossed = np.where((gate >= -np.log(POLICY.beta)) & (crossed == NEVER), look * SIZE, crossed)
    return crossed
