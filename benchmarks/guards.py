"""What stands beside the comparison of the arms, in figures: the split, objectives, segments, predictions.

Run as `python -m benchmarks.guards`, a minute or two. Seeds are fixed. False alarms are counted over all looks of a run, delays
until the first look that says so. All events are at the judge's defaults: errors, latency, and what each part is about.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np

from benchmarks.judge.figures import NEVER, POLICY, Floats, Integers, crossed, delay, share
from lockgate.domain.rollouts import JudgePolicy, Predictions
from lockgate.stages.deliver.judge.router import Arrivals, log_e_fault
from lockgate.stats.absolute import log_e_above
from lockgate.stats.bins import log_e_differs
from lockgate.stats.combine import log_mean, log_weighted_sum
from lockgate.stats.odds import log_growth

NULL_RUNS, RUNS = 5000, 1000
RAMP = [0.01] * 120 + [0.05] * 120 + [0.1] * 120 + [0.25] * 120 + [0.5] * 120


def split_logs(weights: list[float], real: list[float], runs: int, size: int, seed: int) -> Floats:
    """Log e-values of a router's fault when nothing is in flight; the table says `weights`."""
    random, w = np.random.default_rng(seed), np.array(weights)
    own = random.binomial(size, np.broadcast_to(real, (runs, len(real))))
    more, fewer = log_growth(w, size, own).cumsum(axis=1), log_growth(1 - w, size, size - own).cumsum(axis=1)
    return log_mean(np.stack([log_mean(more), log_mean(fewer)], axis=-1))


def router() -> None:
    print(f"\nThe split, alpha {POLICY.router_alpha}: new units until it is found, median and p90; a look every 100")
    alarms = crossed(split_logs(RAMP, RAMP, NULL_RUNS, 100, seed=1), POLICY.router_alpha, 100)
    print(f"  as declared, ramp 1-5-10-25-50 %, 60,000 units {share(alarms)}")
    for weight, real in ((0.1, 0.12), (0.1, 0.08), (0.1, 0.05), (0.05, 0.06), (0.5, 0.52), (0.1, 0.0)):
        found = crossed(split_logs([weight] * 600, [real] * 600, RUNS, 100, seed=2), POLICY.router_alpha, 100)
        print(f"  {weight:5.0%} declared, {real:5.0%} real {delay(found)}")
    print("  the same with answers that may be in flight for 15 s: seconds until it is found, 100 requests a second")
    for name, weight, real, lasts in (
        ("10 % declared, 12 % real", 0.1, 0.12, 0),
        ("10 % declared,  5 % real", 0.1, 0.05, 0),
        ("10 % declared,  0 % real", 0.1, 0.0, 0),
        ("as declared, the canary takes 10 s", 0.2, 0.2, 10),
    ):
        seconds = np.array([_in_flight(weight, real, lasts, seed) for seed in range(100)])
        print(f"  {name:35s} {delay(seconds)}   {share(seconds)}")


def _in_flight(weight: float, real: float, lasts: int, seed: int) -> int:
    random, arrivals = np.random.default_rng(seed), Arrivals()
    given = random.binomial(100, real, 300)
    for second, own in enumerate(given.tolist()):
        ended = int(given[second - lasts]) if second >= lasts else 0
        arrivals = arrivals.plus({weight: (ended + 100 - own, ended)}, 1e9 + second, POLICY.settled)
        if log_e_fault(arrivals) >= -np.log(POLICY.router_alpha):
            return second
    return int(NEVER)


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


def segments() -> None:
    print("\nTen segments of a tenth of the traffic each, beside errors and latency; canary 25 %, a look every 200 requests")
    for name, here, elsewhere, runs in (
        ("nothing changed, 5 %", 0.05, 0.05, 2000),
        ("one 5 → 10 %, the whole unchanged", 0.1, 0.05 - 0.05 / 9, RUNS // 2),
        ("one 5 → 20 %, the whole unchanged", 0.2, 0.05 - 0.15 / 9, RUNS // 2),
    ):
        random, weights = np.random.default_rng(4), np.full(400, 0.25)
        own = random.binomial(20, 0.25, (10, runs, 400))
        rates = np.array([here] + [elsewhere] * 9)[:, None, None]
        canary, baseline = random.binomial(own, rates), random.binomial(20 - own, 0.05)
        by_segment = [log_mean(log_growth(weights, c + b, c).cumsum(axis=1)) for c, b in zip(canary, baseline, strict=True)]
        events, events_own = (canary + baseline).sum(axis=0), canary.sum(axis=0)
        whole = log_mean(log_growth(weights, events, events_own).cumsum(axis=1))
        latency = quiet_latency(weights, own.sum(axis=0), 200, random)
        said = harm([whole, latency, *by_segment], [0.4, 0.2, *[0.01] * 10], 200)
        print(f"  {name:35s} {share(said)}   requests: median, p90 {delay(said)}")


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
    router()
    objectives()
    segments()
    predictions()
    print(f"\n{perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
