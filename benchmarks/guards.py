"""What stands beside the comparison of the arms, in figures: objectives and predictions.

Run as `python -m benchmarks.guards`, a minute or two. Seeds are fixed. False alarms are counted over all looks of a run, delays
until the first look that says so. All events are at the judge's defaults: errors, latency, and what each part is about.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np

from benchmarks.judge.figures import NEVER, POLICY, Floats, Integers, crossed, delay, share
from lockgate.domain.rollouts import JudgePolicy, Predictions
from lockgate.stats.absolute import log_e_above
from lockgate.stats.bins import log_e_differs
from lockgate.stats.combine import log_mean, log_weighted_sum
from lockgate.stats.odds import log_growth

NULL_RUNS, RUNS = 5000, 1000


def harm(metrics: list[Floats], weights: list[float], size: int) -> Integers:
    shares = np.array(weights) / sum(weights)
    return crossed(log_weighted_sum(np.stack(metrics, axis=-1), shares), POLICY.alpha, size)


def quiet_latency(weights: Floats, own: Integers, size: int, random: np.random.Generator) -> Floats:
    """The log e-value of latency when both arms are equally quick."""
    logs = []
    for rate in (1 - q for q in POLICY.quantiles):
        canary, baseline = random.binomial(own, rate), random.binomial(size - own, rate)
        logs.append(log_mean(log_growth(weights, canary + baseline, canary).cumsum(axis=1)))
    return log_mean(np.stack(logs, axis=-1))


def objectives() -> None:
    print(f"\nAn objective of 2 % errors, alpha {POLICY.alpha}, with errors and latency; canary 10 %, a look every 100 requests")
    for name, rate, runs in (("at the limit", 0.02, NULL_RUNS), ("both arms 3 %", 0.03, RUNS), ("both arms 5 %", 0.05, RUNS)):
        random, weights, size = np.random.default_rng(3), np.full(300, 0.1), 100
        own = random.binomial(size, weights, (runs, 300))
        canary, baseline = random.binomial(own, rate), random.binomial(size - own, rate)
        relative = log_mean(log_growth(weights, canary + baseline, canary).cumsum(axis=1))
        absolute = log_e_above(own.cumsum(axis=1), canary.cumsum(axis=1), 0.02)
        said = harm([relative, quiet_latency(weights, own, size, random), absolute], [0.4, 0.2, 0.1], size)
        print(f"  {name:20s} {share(said)}   requests: median, p90 {delay(said)}")


def predictions() -> None:
    policy = JudgePolicy(predictions=Predictions()).predictions
    assert policy is not None  # noqa: S101
    print(f"\nPredictions in tenths of the baseline's scores, alpha {policy.alpha}, ratio {policy.ratio}; canary 10 %")
    for name, shifted, runs in (
        ("alike", 0.0, 500),
        ("top tenth 1.2 times as frequent", 0.02, 500),
        ("top tenth twice as frequent", 0.1, 200),
        ("top tenth half as frequent", -0.05, 200),
    ):
        random, size, looks = np.random.default_rng(5), 200, 300
        shares = np.full(10, 0.1 - shifted / 9)
        shares[-1] = 0.1 + shifted
        own = random.binomial(size, 0.1, (runs, looks))
        canary, baseline = random.multinomial(own, shares), random.multinomial(size - own, np.full(10, 0.1))
        found = np.full(runs, NEVER)
        answers, answers_own = (canary + baseline).cumsum(axis=1), canary.cumsum(axis=1)
        for look in range(looks):
            logs = log_e_differs([0.1], answers[:, look, :, None], answers_own[:, look, :, None], policy.ratio)
            found = np.where((logs >= -np.log(policy.alpha)) & (found == NEVER), size * (look + 1), found)
        print(f"  {name:35s} {share(found)}   requests: median, p90 {delay(found)}")


def main() -> None:
    started = perf_counter()
    objectives()
    predictions()
    print(f"\n{perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
