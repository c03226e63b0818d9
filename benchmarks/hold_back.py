"""The guard after a promotion in figures: false alarms in a week, and how much it must see to find harm.

Run as `python -m benchmarks.hold_back`. One label event in ten, 100 labels a minute, the week that is the default; the guard
looks after every minute. Seeds are fixed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from math import log
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.holds import Hold
from lockgate.domain.rollouts import JudgePolicy
from lockgate.stages.deliver.guard import begin
from lockgate.stats.combine import log_mean
from lockgate.stats.detector import shiryaev_roberts
from lockgate.stats.odds import HIGHER, log_growth

POLICY = JudgePolicy(metrics=("labels",), label_event=LabelEvent("missed", 0.5))
MARGIN = POLICY.margins["labels"].ratio
START = datetime(2026, 1, 5, tzinfo=UTC)
WEEK = 7 * 1440  # minutes
LABELS, RATE = 100, 0.1  # a minute; of the held-back version's labels
NEVER = np.iinfo(np.int64).max

Integers = NDArray[np.int64]


def hold(share: float, unit: str) -> Hold:
    until = START + timedelta(days=7)
    return Hold("hold-1", "rollout-1", "m", 2, "sha256:2", 1, "sha256:1", share, "salt", unit, POLICY, (), START, until)


def minutes_until(share: float, ratio: float, runs: int, seed: int, *, unit: str = "request", good: int = 0) -> Integers:
    """Minutes until the alarm, NEVER where there is none in the week. good: minutes in which both versions are alike before."""
    random, guard = np.random.default_rng(seed), begin(hold(share, unit))
    logs, growth = np.full((runs, len(HIGHER)), log(guard.blocks)), np.zeros((runs, len(HIGHER)))
    crossed = np.full(runs, NEVER)
    for minute in range(WEEK):
        own = random.binomial(LABELS, 1 - share, runs)
        canary = random.binomial(own, RATE * (ratio if minute >= good else 1.0))
        every = canary + random.binomial(LABELS - own, RATE)
        step = log_growth(1 - share, every, canary, MARGIN)
        if guard.sticky:
            growth += step
            value = np.logaddexp(logs, 0.0) + growth
        else:
            value = logs = np.where(every[:, None] > 0, shiryaev_roberts(logs, step), logs)
        alarmed = log_mean(value) - log(guard.blocks) >= guard.bound
        crossed = np.where((crossed == NEVER) & alarmed, minute + 1, crossed)
    return crossed


def false_alarms(runs: int = 1000) -> None:
    print(f"\nFalse alarms in a week, {runs} runs, α = {POLICY.alpha:.0%}, margin {MARGIN}")
    for unit in ("request", "header:x-user-id"):
        for ratio in (1.0, MARGIN):
            alarms = np.mean(minutes_until(0.05, ratio, runs, 1, unit=unit) < NEVER)
            print(f"  unit {unit:18} held back 5 %, missed {ratio:.1f} × as often   {alarms:7.2%}")


def detection(runs: int = 200) -> None:
    print(f"\nLabels until harm is found (median / p90), {RATE:.0%} missed by the version before, {runs} runs")
    for good, when in ((0, "from the beginning"), (3 * 1440, "three days after the promotion, counted from then")):
        print(f"  {when}; in brackets: found within the week")
        for share, ratio, unit in product((0.05, 0.2), (1.5, 2.0, 3.0), ("request", "header:x-user-id")):
            told = _told(share, ratio, runs, unit, good)
            print(f"    {share:4.0%} held back, {ratio:.1f} × as often, {unit:17} {told}")


def _told(share: float, ratio: float, runs: int, unit: str, good: int) -> str:
    crossed = minutes_until(share, ratio, runs, 2, unit=unit, good=good)
    found = np.sort(np.where(crossed == NEVER, np.inf, (crossed - good) * float(LABELS)))
    median, p90 = found[len(found) // 2], found[len(found) * 9 // 10]
    return f"{median:10,.0f} / {p90:10,.0f}   ({np.mean(crossed < NEVER):.0%})"


def main() -> None:
    started = perf_counter()
    false_alarms()
    detection()
    print(f"\n{perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
