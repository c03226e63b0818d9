"""The guard after a promotion in figures: false alarms in a week, and how much it must see to find harm.

Run as `python -m benchmarks.hold_back`. One label event in ten, 100 labels a minute, the week that is the default; the guard
looks after every minute. Of sticky users each has one label a day at most; how they differ, and that they come again, is in a
table of its own. Seeds are fixed.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from lockgate.stages.deliver.hold_back import DAY
from lockgate.stages.deliver.journal import BY_REQUEST
from lockgate.stats.combine import log_mean
from lockgate.stats.detector import shiryaev_roberts
from lockgate.stats.odds import HIGHER, log_growth

POLICY = JudgePolicy(metrics=("labels",), label_event=LabelEvent("missed", 0.5))
MARGIN = POLICY.margins["labels"].ratio
START = datetime(2026, 1, 5, tzinfo=UTC)
MINUTES = 1440  # of a day
WEEK = 7 * MINUTES
LABELS, RATE = 100, 0.1  # a minute; of the held-back version's labels
NEVER = np.iinfo(np.int64).max

Integers = NDArray[np.int64]


def hold(share: float, unit: str) -> Hold:
    until = START + timedelta(days=7)
    window = None if unit == BY_REQUEST else DAY
    names = ("hold-1", "rollout-1", "m", 2, "sha256:2", 1, "sha256:1")
    return Hold(*names, share, "salt", unit, POLICY, (), START, until, window=window, full=True)


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
            if minute % MINUTES == 0:
                logs, growth = (shiryaev_roberts(logs, growth), growth * 0) if minute else (logs, growth)
            growth += step
            value = shiryaev_roberts(logs, growth)
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


def sticky_users(runs: int = 5000, users: int = 1000, share: float = 0.05) -> None:
    """Users who come again every day and differ much: a tenth of them have half of the events. 12 looks a day."""
    print(f"\nFalse alarms in a week, {users} users who come every day, a tenth of them has half of the events, {runs} runs")
    for ratio, drawn in product((1.0, MARGIN), ("every day", "once")):
        alarms = np.mean(_alarms(runs, users, share, (ratio,) * 7, drawn=drawn))
        print(f"  missed {ratio:.1f} × as often, units drawn {drawn:10} {alarms:7.2%}")
    for times, days in product((1.5, 2.0, 3.0), (3, 4, 7)):
        found = np.mean(_alarms(500, 20 * users, share, ((1.0,) * 2 + (times,) * 5)[:days], drawn="every day"))
        print(f"  {20 * users} users, {times:.1f} × as often from the third day on: found by the end of day {days}  {found:7.2%}")


def _alarms(runs: int, users: int, share: float, ratios: Sequence[float], *, drawn: str) -> NDArray[np.bool_]:
    """Whether there is an alarm. ratios: by day. drawn: whether a user's version is another one every day."""
    random, guard, looks = np.random.default_rng(3), begin(hold(share, "header:x-user-id")), 12
    logs, alarmed = np.full((runs, len(HIGHER)), log(guard.blocks)), np.zeros(runs, dtype=bool)
    for part in np.array_split(np.arange(runs), max(1, runs * users // 5_000_000)):
        prone = np.where(random.random((len(part), users)) < 0.1, 0.5, 0.056)  # each user's chance of an event in a day
        own = random.random((len(part), users)) < 1 - share
        for ratio in ratios:
            own = random.random(own.shape) < 1 - share if drawn == "every day" else own
            happened = random.random(own.shape) < np.where(own, np.minimum(1.0, prone * ratio), prone)
            when = random.integers(0, looks, own.shape)
            for until in range(looks):
                so_far = happened & (when <= until)
                growth = log_growth(1 - share, so_far.sum(axis=1), (so_far & own).sum(axis=1), MARGIN)
                value = shiryaev_roberts(logs[part], growth)
                alarmed[part] |= log_mean(value) - log(guard.blocks) >= guard.bound
            logs[part] = value
    return alarmed


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
    sticky_users()
    detection()
    print(f"\n{perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
