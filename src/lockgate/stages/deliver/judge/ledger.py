"""One event per unit: the ledger of the units seen. Where the unit is sticky, the unit of assignment is the unit of analysis.

A user who fails is likely to fail again, always in the same arm; counted per request, such a user is evidence many times
over, and a canary that changes nothing is found harmful far more often than alpha allows. So

- HARM counts each unit's first event, once over the whole rollout, in the arm and under the weight of that request. If the
  canary changes nothing, the unit's place on the hash ring has nothing to do with when its first event comes, so it falls on
  the canary with probability `weight`, also for a unit that came back after a ramp step and met the other arm.
- SAFE may not use first events: in the end every unit fails once and the canary's share tends to its weight, however bad it
  is. It counts whether the event happened within a unit's first `horizon` requests, once, at the last of them. A unit that a
  ramp step moved to the other arm within its window has tried both and is left out. What remains are units below the smallest
  weight of their window (canary) and above the largest (baseline), so the odds of the two are smallest : 1 − largest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from lockgate.boundary.observations import FAILED
from lockgate.stages.deliver.judge.tally import Counts, Tally, cell


class Unit(msgspec.Struct, array_like=True, gc=False):
    """canary: it met the canary. low, high: the smallest and largest weight it was seen under.

    seen: requests in its window, which is closed at the horizon. happened: bits of the events that it had.
    """

    canary: bool
    low: float
    high: float
    seen: int = 0
    happened: int = 0


@dataclass(slots=True)
class Taken:
    """What one arm's records under one weight added. `first` and `closed` are (unit's bits, weight) of that arm, in order."""

    first: list[int] = field(default_factory=list)  # bits that are new to their unit
    closed: list[tuple[int, float]] = field(default_factory=list)  # bits and odds weight of a window that closed
    new: int = 0  # units seen for the first time
    units: int = 0  # seen under this weight or a larger one for the first time
    exposed: int = 0  # met the canary for the first time


class Ledger(msgspec.Struct):
    """Mutable: it belongs to the fold that fills it (see judge.state)."""

    horizon: int
    units: dict[int, Unit] = {}

    def take(self, records: Iterable[tuple[int, int]], weight: float, *, canary: bool) -> Taken:
        """Fold (key, outcome) records of one arm; the event is the outcome's bit FAILED."""
        taken = Taken()
        units, horizon = self.units, self.horizon
        for key, outcome in records:
            unit = units.get(key)
            if unit is None:
                unit = units[key] = Unit(canary, weight, weight)
                taken.new += 1
                taken.units += 1
                taken.exposed += canary
            elif weight != unit.high or canary is not unit.canary:
                self._returned(unit, weight, canary, taken)
            if outcome & FAILED and not unit.happened:
                unit.happened = FAILED
                taken.first.append(FAILED)
            if unit.seen < horizon:
                unit.seen += 1
                if unit.seen == horizon:
                    taken.closed.append((unit.happened, odds_weight(unit.low, unit.high)))
        return taken

    def _returned(self, unit: Unit, weight: float, canary: bool, taken: Taken) -> None:  # noqa: FBT001
        if weight > unit.high:
            taken.units += 1
        unit.low, unit.high = min(unit.low, weight), max(unit.high, weight)
        if canary is not unit.canary:
            unit.seen = self.horizon  # it tried both arms: its window is void
            taken.exposed += canary
            unit.canary = True


def odds_weight(low: float, high: float) -> float:
    """By which a window counts that closed between these weights."""
    return low if low == high else low / (low + 1.0 - high)


def tally_of(bit: int, weight: float, canary: Taken, baseline: Taken) -> Tally:
    """The tally of the event at `bit`, from what both arms added under one weight."""
    own, other = _events(bit, canary), _events(bit, baseline)
    return Tally(
        cell(weight, sum(new >> bit & 1 for new in canary.first), sum(new >> bit & 1 for new in baseline.first)),
        _merged(own, other),
        len(canary.closed),
        sum(own.values()),
        len(baseline.closed),
        sum(other.values()),
    )


def _events(bit: int, taken: Taken) -> dict[float, int]:
    found: dict[float, int] = {}
    for happened, weight in taken.closed:
        if happened >> bit & 1:
            found[weight] = found.get(weight, 0) + 1
    return found


def _merged(canary: dict[float, int], baseline: dict[float, int]) -> Counts:
    weights = sorted(canary.keys() | baseline.keys())
    return {weight: (canary.get(weight, 0) + baseline.get(weight, 0), canary.get(weight, 0)) for weight in weights}
