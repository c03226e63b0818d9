"""The mean losses of shadow and champion, and what speaks against them: bets on the differences, one after the other.

A difference d = shadow's loss − champion's lies in [−1, 1], so x = (d + 1) / 2 lies in [0, 1]. "No worse on average" is a mean of
x of at most ½, "worse by at least the margin" one of at least (1 + margin) / 2: capital against either grows as stats.betting
says. Unlike counts, it depends on the order. All is kept as plain numbers, so that a state can be stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lockgate.stages.deliver.judge.report import LossFigures
from lockgate.stats import bernstein, betting
from lockgate.stats.bernstein import MeanSequence
from lockgate.stats.betting import Capital
from lockgate.stats.moments import Moments

LossPair: TypeAlias = tuple[float, float]  # the shadow's, the champion's
_ALPHA = 0.05  # of the interval that people see
_NO_WORSE = 0.5  # the mean of x where both losses are the same


@dataclass(frozen=True, slots=True)
class MeanLosses:
    """Of each unit's first pair. own, other: sums of the losses; the rest as in stats.bernstein.MeanSequence, of x."""

    units: int = 0
    own: float = 0.0
    other: float = 0.0
    total: float = 0.0
    squares: float = 0.0
    weights: float = 0.0
    weighted: float = 0.0
    cost: float = 0.0

    def plus(self, pairs: Sequence[LossPair]) -> MeanLosses:
        if not pairs:
            return self
        after = bernstein.fold(self._sequence, differences(pairs))
        own, other = (sum(one[side] for one in pairs) for side in (0, 1))
        numbers = (after.seen.total, after.seen.squares, after.weights, after.weighted, after.cost)
        return MeanLosses(after.seen.n, self.own + own, self.other + other, *(float(number) for number in numbers))

    def figures(self, left_out: int) -> LossFigures:
        low, high = (2 * float(end) - 1 for end in bernstein.interval(self._sequence))
        units = max(self.units, 1)
        return LossFigures(self.units, self.own / units, self.other / units, low, high, left_out)

    @property
    def _sequence(self) -> MeanSequence:
        seen = Moments(self.units, self.total, self.squares)
        return MeanSequence(_ALPHA, seen, self.weights, self.weighted, self.cost)


@dataclass(frozen=True, slots=True)
class Bet:
    """The capital of a bet on x, as a logarithm, and the moments of x that the next stake is made from."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    log_e: float = 0.0

    def higher(self, pairs: Sequence[LossPair]) -> Bet:
        """After a bet, on each pair, that the shadow's mean loss is higher."""
        after = betting.fold(Capital(_NO_WORSE, self._seen, log_at_most=self.log_e), differences(pairs))
        return _kept(after.seen, after.log_at_most)

    def within(self, margin: float, pairs: Sequence[LossPair]) -> Bet:
        """After a bet, on each pair, that the shadow's mean loss is higher by less than the margin."""
        after = betting.fold(Capital((1 + margin) / 2, self._seen, log_at_least=self.log_e), differences(pairs))
        return _kept(after.seen, after.log_at_least)

    @property
    def _seen(self) -> Moments:
        return Moments(self.n, self.total, self.squares)


@dataclass(frozen=True, slots=True)
class LossTally:
    """pairs: labelled ones that had a loss, however often a unit came. left_out: those that had none.

    harm bets on each unit's first pair, safe on the mean of each unit's window, when that is closed.
    """

    pairs: int = 0
    left_out: int = 0
    mean: MeanLosses = field(default_factory=MeanLosses)
    harm: Bet = field(default_factory=Bet)
    safe: Bet = field(default_factory=Bet)

    def plus(self, first: Sequence[LossPair], windows: Sequence[LossPair], margin: float, pairs: int, left_out: int) -> LossTally:
        """first: of units that are new. windows: means of those that were closed."""
        return LossTally(
            self.pairs + pairs,
            self.left_out + left_out,
            self.mean.plus(first),
            self.harm.higher(first) if first else self.harm,
            self.safe.within(margin, windows) if windows else self.safe,
        )


def differences(pairs: Sequence[LossPair]) -> NDArray[np.float64]:
    """Of each pair, as x."""
    own, other = np.asarray(pairs, dtype=float).T
    return np.asarray((own - other + 1) / 2)


def _kept(seen: Moments, log_e: object) -> Bet:
    return Bet(seen.n, *(float(np.asarray(number)) for number in (seen.total, seen.squares, log_e)))
