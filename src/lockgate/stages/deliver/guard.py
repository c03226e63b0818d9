"""The guard after a promotion: does the promoted version do harm, compared with the one that is held back? A fold over rows.

The same bets as the judge's, on the same events, with two differences. The null is SAFE's margin and not "no worse", for the
margin is what was proven. And harm may begin later, so capital that shrank in good weeks must not have to be won back: the
Shiryaev-Roberts detector starts a new bet with every block (`lockgate.stats.detector`).

A block is a minute in which something happened, where the unit is the request. With a sticky unit it is a window of the hold, a
day. Within one each unit counts by its first event, and of these the better version has the later ones, so a bet that began in
between would hold that against it: a bet looks at whole windows only. With each window units are drawn anew, under another salt,
so a unit's version there has nothing to do with what it was or did before, nor with what others do: given all that, a unit with
an event met the promoted version with at most the probability of the null, whoever it is and however alike its days are. What is
told late of a window (labels) counts for that window, and no bet that began after it sees it. So every bet's capital has a mean
of at most 1 at any time that the data chose, and only the windows' counts matter, not the order in which they came.

With at most M blocks the detector begins with a capital of M and alarms at 2·M/α. Its value is at most M plus the number of
blocks on average, at any time that the data chose, so within the hold a false alarm comes with probability at most α; without
an end the average run length would be M·(2/α − 1) blocks at least. The capital of the beginning is for harm that was there all
along, which late labels show. The evidence is told in parts of M: it begins at 1, and 2/α is an alarm.

What else the rollout's policy looks at is looked at here in the same way: segments by the bets on their own events, and
objectives by bets that the promoted version's rate has higher odds than the limit's (an event of a trial falls on it as an event
falls on an arm), each with its share of the sum as in `harm_shares`. Whether units meet the versions by their shares is a test of
its own (`judge.router`), with an α of its own.

Source: Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change detection" (arXiv:2203.03532).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from math import ceil, log

import numpy as np
from numpy.typing import NDArray

from lockgate.domain.holds import Events, Hold, HoldRow
from lockgate.domain.rollouts import JudgePolicy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.hold_memory import Memory
from lockgate.stages.deliver.journal import BY_REQUEST
from lockgate.stages.deliver.judge import SMALL_SEGMENTS
from lockgate.stages.deliver.judge.bounds import router_bound
from lockgate.stages.deliver.judge.margins import harm_shares, objective_name, segment_name
from lockgate.stages.deliver.judge.router import Arrivals, log_e_fault
from lockgate.stages.deliver.judge.rules import families
from lockgate.stages.deliver.judge.segments import segment_metrics
from lockgate.stages.deliver.judge.tally import Counts, added, by_weight, columns
from lockgate.stats.combine import log_mean, log_weighted_sum
from lockgate.stats.detector import shiryaev_roberts
from lockgate.stats.odds import HIGHER, log_growth

BLOCK = 60.0  # seconds
_IN_PART = 2  # blocks: at both ends, and whatever came while nobody looked

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Game:
    """One part of HARM's sum, the average over its events. ratios: by event, how many times as often the null allows it."""

    name: str
    ratios: dict[str, float]


def games(judge: JudgePolicy) -> tuple[Game, ...]:
    """Named and ordered as in `harm_shares`."""
    margins = {metric: judge.margins[metric].ratio for metric in judge.metrics}
    found = [Game(family.metric, dict.fromkeys(family.events, margins[family.metric])) for family in families(judge)]
    found += [Game(objective_name(metric), {objective_name(metric): 1.0}) for metric in sorted(judge.objectives)]
    for value in judge.segments.values if judge.segments else ():
        name = _segment(judge, value)
        found.append(Game(name, {f"{name}/{metric}": margins[metric] for metric in segment_metrics(judge)}))
    return tuple(found)


@dataclass(slots=True)
class Guard:
    """What the guard remembers; `take` and `close` change it in place.

    blocks: how many there can be. logs: for each event of the games, the logarithm of each bet's detector before the open blocks,
    of shape (events, bets). counts: of the open blocks, by window and event. arrivals: new units, without those of the open
    minute: `arriving`, of which the last came at `until`. segment_units: units seen in each segment.
    """

    judge: JudgePolicy
    sticky: bool
    blocks: int
    full: bool
    games: tuple[Game, ...]
    logs: Floats
    counts: dict[int, dict[str, Counts]] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
    arrivals: Arrivals = field(default_factory=Arrivals)
    arriving: Counts = field(default_factory=dict)
    until: float = 0.0
    segment_units: dict[str, int] = field(default_factory=dict)

    @property
    def bound(self) -> float:
        """The logarithm at which the sum of the evidence is an alarm."""
        return log(2 / self.judge.alpha)

    @property
    def events(self) -> tuple[tuple[str, float], ...]:
        """With their ratios, in the order of `logs`."""
        return tuple(one for game in self.games for one in game.ratios.items())


@dataclass(frozen=True, slots=True)
class Look:
    """verdict: HARM, ROUTER_FAULT or WAIT. metrics: those that carry HARM. evidence: as in HoldRow."""

    verdict: JudgeVerdict
    metrics: tuple[str, ...]
    evidence: dict[str, float]


def begin(hold: Hold) -> Guard:
    judge = hold.judge if hold.full else replace(hold.judge, objectives={}, segments=None)
    sticky, length = hold.unit != BY_REQUEST, (hold.until - hold.since).total_seconds()
    blocks = (ceil(length / hold.window) if hold.window else 1) if sticky else ceil(length / BLOCK) + _IN_PART
    playing = games(judge)
    logs = np.full((sum(len(game.ratios) for game in playing), len(HIGHER)), log(blocks))
    return Guard(judge, sticky, blocks, hold.full, playing, logs)


def take(guard: Guard, events: Iterable[Events]) -> None:
    """Add to the open blocks."""
    for one in events:
        open_ = guard.counts.setdefault(one.day, {})
        for event, counts in one.counts.items():
            _add(open_, event, one.weight, counts)
        for event, counts in one.inside.counts.items():
            _add(open_, f"{_segment(guard.judge, one.segment)}/{event}", one.weight, counts)
        for metric, trials in one.outcomes.trials.items():
            _add(open_, objective_name(metric), guard.judge.objectives[metric], trials)
        guard.memory.keep(one)
        if one.arrived[0]:
            guard.arriving = added(guard.arriving, {one.weight: one.arrived})
            guard.until = max(guard.until, one.until)
            guard.segment_units[one.segment] = guard.segment_units.get(one.segment, 0) + one.arrived[0]


def close(guard: Guard) -> None:
    """The minute is over; with a sticky unit the blocks go on."""
    guard.arrivals, guard.arriving = _arrived(guard), {}
    if not guard.sticky:
        guard.logs, guard.counts = _stepped(guard), {}


def look(guard: Guard) -> Look:
    """What the guard says now: the open blocks count as if they ended here."""
    by_event = iter(log_mean(_stepped(guard)).tolist())
    found = {game.name: float(log_mean([next(by_event) for _ in game.ratios])) - log(guard.blocks) for game in guard.games}
    shares = harm_shares(guard.judge)
    total = float(log_weighted_sum([found[name] for name in shares], list(shares.values())))
    evidence = {f"harm/{metric}": value for metric, value in found.items()} | {"harm": total}
    if guard.full:
        evidence["router"] = log_e_fault(_arrived(guard)) if guard.arrivals.counted or guard.arriving else 0.0
        if evidence["router"] >= router_bound(guard.judge):
            return Look(JudgeVerdict.ROUTER_FAULT, (), evidence)
    if total < guard.bound:
        return Look(JudgeVerdict.WAIT, (), evidence)
    parts = {name: found[name] + log(share) for name, share in shares.items()}
    bar = min(guard.bound - log(len(parts)), max(parts.values()))  # an even share: by the pigeonhole principle one reaches it
    metrics = tuple(name for name, part in parts.items() if part >= bar and not _small(guard, name))
    return Look(JudgeVerdict.HARM, metrics or (SMALL_SEGMENTS,), evidence)


def fold(hold: Hold, rows: Iterable[HoldRow]) -> Guard:
    """The guard after the journal's rows: the same as when they were written, bit for bit. The last row's minute is open."""
    guard = begin(hold)
    for row in rows:
        follow(guard, row)
    return guard


def follow(guard: Guard, row: HoldRow) -> None:
    """Fold one more row, which is the next."""
    if row.seq > 0:
        close(guard)
    take(guard, row.events)


def _add(counts: dict[str, Counts], event: str, weight: float, more: tuple[int, int]) -> None:
    counts[event] = added(counts.get(event, {}), {weight: more})


def _segment(judge: JudgePolicy, value: str) -> str:
    return segment_name(judge.segments, value) if judge.segments else value


def _small(guard: Guard, name: str) -> bool:
    """A segment that has had too few units to be named."""
    segments = guard.judge.segments
    if segments is None:
        return False
    units = {segment_name(segments, value): guard.segment_units.get(value, 0) for value in segments.values}
    return name in units and units[name] < segments.min_units


def _arrived(guard: Guard) -> Arrivals:
    """With those of the open minute, whatever ticks they came in."""
    return guard.arrivals.plus(guard.arriving, guard.until, guard.judge.settled) if guard.arriving else guard.arrivals


def _stepped(guard: Guard) -> Floats:
    """The logarithm of each bet's detector with the open blocks as steps, in their order."""
    logs = guard.logs
    for window in sorted(guard.counts):
        logs = _step(guard, logs, guard.counts[window])
    return logs


def _step(guard: Guard, logs: Floats, counts: dict[str, Counts]) -> Floats:
    """A block without an event is no step for it."""
    events = [(place, event, ratio) for place, (event, ratio) in enumerate(guard.events) if counts.get(event)]
    if not events:
        return logs
    places = [place for place, _, _ in events]
    weights, every, own = columns([by_weight(counts[event]) for _, event, _ in events])
    ratios = np.array([ratio for _, _, ratio in events])[:, np.newaxis]
    stepped = logs.copy()
    stepped[places] = shiryaev_roberts(logs[places], log_growth(weights, every, own, ratios).sum(axis=-2))
    return stepped
