"""The rules that the judge replaces: a z-test that is read again and again, and fixed thresholds as two tools document them.

**Flagger** (docs, usage/metrics and the Istio tutorial): every minute (`interval: 1m`) the canary's success rate of that minute
must be at least 99 % (`request-success-rate`, `min: 99`); the fifth failed check sends it home (`threshold: 5`).

**Argo Rollouts** (docs, features/analysis): every five minutes (`interval: 5m`) the success rate must satisfy
`result[0] >= 0.95`; with `failureLimit: 3` the run fails by the first measurement beyond three failed ones, so by the fourth.

Who wants to be quicker shortens the windows: five of six seconds above 2 %, say.

All look at the clock, so a delay in requests needs a rate: 100 a second. The weight is held.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from benchmarks.judge.figures import NEVER, POLICY, Integers

PER_SECOND = 100


@dataclass(frozen=True)
class Thresholds:
    """seconds between checks; limit: the highest rate of failures that passes; strikes: failed checks that end the rollout."""

    title: str
    seconds: int
    limit: float
    strikes: int

    def until_harm(self, canary: float, weight: float, checks: int, runs: int, seed: int) -> Integers:
        random, size = np.random.default_rng(seed), self.seconds * PER_SECOND
        own = random.binomial(size, weight, (runs, checks))
        strikes = (random.binomial(own, canary) > self.limit * own).cumsum(axis=1) >= self.strikes
        return np.where(strikes.any(axis=1), size * (strikes.argmax(axis=1) + 1), NEVER)


FLAGGER = Thresholds("Flagger: 1m, min 99 %, threshold 5", 60, 0.01, 5)
ARGO = Thresholds("Argo: 5m, >= 0.95, failureLimit 3", 300, 0.05, 4)
HASTY = Thresholds("five windows of 6 s above 2 %", 6, 0.02, 5)


def peeked(canary: float, baseline: float, weights: list[float], runs: int, seed: int, *, size: int = 500) -> Integers:
    """Requests until a one-sided z-test at alpha, read after every `size` requests, says so; `weights` by read."""
    random = np.random.default_rng(seed)
    drawn = random.binomial(size, np.array(weights), (runs, len(weights)))
    failed, others = random.binomial(drawn, canary).cumsum(axis=1), random.binomial(size - drawn, baseline).cumsum(axis=1)
    n, m = drawn.cumsum(axis=1), (size - drawn).cumsum(axis=1)
    pooled = (failed + others) / (n + m)
    error = np.sqrt(pooled * (1 - pooled) * (1 / np.maximum(n, 1) + 1 / np.maximum(m, 1)))
    z = np.divide(failed / np.maximum(n, 1) - others / np.maximum(m, 1), error, out=np.zeros(n.shape), where=error > 0)
    said = z >= ndtri(1 - POLICY.alpha)
    return np.where(said.any(axis=1), size * (said.argmax(axis=1) + 1), NEVER)
