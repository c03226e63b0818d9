"""The guard after a promotion: does the promoted version do harm, compared with the one that is held back? A fold over rows.

The same bets as the judge's, on the same events, with two differences. The null is SAFE's margin and not "no worse", for the
margin is what was proven. And harm may begin later, so capital that shrank in good weeks must not have to be won back: the
Shiryaev-Roberts detector starts a new bet with every block (`lockgate.stats.detector`).

A block is a minute in which something happened, where the unit is the request. With a sticky unit it is the whole hold: there
each unit counts by its first event, and of these the better version has the later ones, so a bet that began in between would
hold that against it. One bet from the beginning looks at the counts, whenever they came.

With at most M blocks the detector begins with a capital of M and alarms at 2·M/α. Its value is at most M plus the number of
blocks on average, at any time that the data chose, so within the hold a false alarm comes with probability at most α; without
an end the average run length would be M·(2/α − 1) blocks at least. The capital of the beginning is for harm that was there all
along, which late labels show. The evidence is told in parts of M: it begins at 1, and 2/α is an alarm.

Source: Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change detection" (arXiv:2203.03532).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil, log

import numpy as np
from numpy.typing import NDArray

from lockgate.domain.holds import Events, Hold, HoldRow
from lockgate.domain.rollouts import JudgePolicy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.journal import BY_REQUEST
from lockgate.stages.deliver.judge.margins import SHARES
from lockgate.stages.deliver.judge.state import Family, families
from lockgate.stages.deliver.judge.tally import Counts, added
from lockgate.stats.combine import log_mean, log_weighted_sum
from lockgate.stats.detector import shiryaev_roberts
from lockgate.stats.odds import HIGHER, log_growth

BLOCK = 60.0  # seconds
_IN_PART = 2  # blocks: at both ends, and whatever came while nobody looked

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Guard:
    """What the guard remembers; `take` and `close` change it in place.

    blocks: how many there can be. logs: by event, the logarithm of each bet's detector before the open block. counts: the open
    block's, by event. units: by key, bits of the events that it had. labels: keys that had the judged event.
    """

    judge: JudgePolicy
    sticky: bool
    blocks: int
    logs: dict[str, Floats]
    counts: dict[str, Counts] = field(default_factory=dict)
    units: dict[int, int] = field(default_factory=dict)
    labels: set[int] = field(default_factory=set)

    @property
    def bound(self) -> float:
        """The logarithm at which the sum of the evidence is an alarm."""
        return log(2 / self.judge.alpha)


@dataclass(frozen=True, slots=True)
class Look:
    """verdict: HARM or WAIT. metrics: those that carry HARM. evidence: as in HoldRow."""

    verdict: JudgeVerdict
    metrics: tuple[str, ...]
    evidence: dict[str, float]


def begin(hold: Hold) -> Guard:
    sticky = hold.unit != BY_REQUEST
    blocks = 1 if sticky else ceil((hold.until - hold.since).total_seconds() / BLOCK) + _IN_PART
    events = [event for family in families(hold.judge) for event in family.events]
    return Guard(hold.judge, sticky, blocks, {event: np.full(len(HIGHER), log(blocks)) for event in events})


def take(guard: Guard, events: Iterable[Events]) -> None:
    """Add to the open block."""
    for one in events:
        for event, counts in one.counts.items():
            guard.counts[event] = added(guard.counts.get(event, {}), {one.weight: counts})
        for key, bits in one.units:
            guard.units[key] = guard.units.get(key, 0) | bits
        guard.labels.update(one.labels)


def close(guard: Guard) -> None:
    """The minute is over; with a sticky unit the block goes on."""
    if not guard.sticky:
        guard.logs = {event: _stepped(guard, family, event) for family in families(guard.judge) for event in family.events}
        guard.counts = {}


def look(guard: Guard) -> Look:
    """What the guard says now: the open block counts as if it ended here."""
    found = {
        family.metric: float(log_mean([float(log_mean(_stepped(guard, family, event))) for event in family.events]))
        - log(guard.blocks)
        for family in families(guard.judge)
    }
    shares = np.array([SHARES[metric] for metric in found])
    shares /= shares.sum()
    total = float(log_weighted_sum(list(found.values()), shares))
    evidence = {f"harm/{metric}": value for metric, value in found.items()} | {"harm": total}
    if total < guard.bound:
        return Look(JudgeVerdict.WAIT, (), evidence)
    bar = guard.bound - log(len(found))  # an even share: by the pigeonhole principle one reaches it
    metrics = (metric for (metric, value), share in zip(found.items(), shares, strict=True) if value + log(share) >= bar)
    return Look(JudgeVerdict.HARM, tuple(metrics), evidence)


def fold(hold: Hold, rows: Iterable[HoldRow]) -> Guard:
    """The guard after the journal's rows: the same as when they were written, bit for bit. The last row's block is open."""
    guard = begin(hold)
    for row in rows:
        follow(guard, row)
    return guard


def follow(guard: Guard, row: HoldRow) -> None:
    """Fold one more row, which is the next."""
    if row.seq > 0:
        close(guard)
    take(guard, row.events)


def _stepped(guard: Guard, family: Family, event: str) -> Floats:
    """The logarithm of each bet's detector with the open block as a step; a block without such events is none."""
    counts = guard.counts.get(event)
    if not counts:
        return guard.logs[event]
    rows = sorted(counts.items())
    weights, every, own = [weight for weight, _ in rows], [one[0] for _, one in rows], [one[1] for _, one in rows]
    increments = log_growth(weights, every, own, guard.judge.margins[family.metric].ratio).sum(axis=-2)
    return shiryaev_roberts(guard.logs[event], increments)
