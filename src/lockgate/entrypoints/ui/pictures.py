"""The geometry of what templates draw as SVG: a flight of locks for a rollout's plan, intervals on a scale, rates in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lockgate.domain.rollouts import Phase, Rollout, Strategy
from lockgate.entrypoints.reading.learning import Checkpoint
from lockgate.entrypoints.reading.words import percent
from lockgate.stages.deliver.rollout import asked_for

CHAMBER = 120.0  # width of one chamber, in the picture's units
RISE = 18.0  # from one chamber's floor to the next
DEPTH = 30.0  # of the water in a full chamber


@dataclass(frozen=True, slots=True)
class Chamber:
    """One step of the plan. state: passed | here | ahead | refused. Coordinates grow to the right and downwards.

    weight: 0 for a preview. needs: people who must still say yes before it begins.
    """

    weight: float
    state: str
    x: float
    floor: float
    surface: float  # of the water; equals `floor` in an empty chamber
    sill: float  # top of the wall at its right
    needs: int = 0


@dataclass(frozen=True, slots=True)
class Flight:
    """A staircase of locks. The boat is the version on trial: it floats where the rollout stands."""

    width: float
    height: float
    chambers: tuple[Chamber, ...]
    boat_x: float
    boat_y: float
    sunk: bool  # sent home


def flight(rollout: Rollout) -> Flight | None:
    """None for a rollout that does not come in by steps: there is no staircase to climb."""
    weights = _levels(rollout)
    if not weights:
        return None
    height = RISE * len(weights) + DEPTH + 26
    chambers = tuple(_chamber(rollout, index, weight, height) for index, weight in enumerate(weights))
    width = CHAMBER * (len(weights) + 1)
    return Flight(width, height, chambers, *_boat(chambers, height), sunk=rollout.phase is Phase.ABORTED)


def _levels(rollout: Rollout) -> tuple[float, ...]:
    if rollout.strategy is Strategy.BLUE_GREEN:
        return 0.0, 1.0
    return (*rollout.steps, 1.0) if rollout.steps else ()


def _chamber(rollout: Rollout, index: int, weight: float, height: float) -> Chamber:
    floor = height - 6 - RISE * (index + 1)
    state = _state(rollout, index)
    surface = floor - DEPTH if state in ("passed", "here") else floor
    needs = asked_for(rollout, index) if state == "ahead" else 0
    return Chamber(weight, state, CHAMBER * (index + 1), floor, surface, floor - DEPTH - 10, needs)


def _state(rollout: Rollout, index: int) -> str:
    place = _place(rollout)
    if index != place:
        return "passed" if index < place else "ahead"
    return "refused" if rollout.phase is Phase.ABORTED else "here"


def _place(rollout: Rollout) -> int:
    """In which chamber the version is, or was when it was sent home; −1 below the first."""
    if rollout.phase is Phase.PROMOTED:
        return len(_levels(rollout)) - 1
    if rollout.strategy is Strategy.BLUE_GREEN:
        return 0 if rollout.shown_at else -1
    return rollout.step


def _boat(chambers: tuple[Chamber, ...], height: float) -> tuple[float, float]:
    """On the water of the chamber where it stands; below the staircase before the first step and when it was sent home."""
    here = next((chamber for chamber in chambers if chamber.state == "here"), None)
    return (here.x + CHAMBER / 2, here.surface) if here else (CHAMBER / 2, height - 6 - DEPTH / 2)


def spread(values: list[float]) -> list[float]:
    """The values on a scale on which the least stands at 8 and the greatest at 92."""
    least, most = min(values), max(values)
    room = (most - least) or 1.0
    return [round(8 + 84 * (value - least) / room, 2) for value in values]


@dataclass(frozen=True, slots=True)
class Dot:
    """One checkpoint's event rate. state: promoted | harm | open."""

    x: float
    y: float
    state: str
    says: str


@dataclass(frozen=True, slots=True)
class Rates:
    """Event rates of checkpoints, from the oldest to the newest, in a picture of 600 × 120.

    line: the dots' path. limit: height of the rate above which lessons are not believed; None where it is not known. top: the
    rate at the upper edge.
    """

    dots: tuple[Dot, ...]
    line: str
    limit: float | None
    top: float


_STATES = {"promoted": "promoted", "harm": "harm"}


def learned_rates(checkpoints: Sequence[Checkpoint], at_most: float | None) -> Rates | None:
    """checkpoints: the newest first. None before there are two whose rate is known: one makes no line."""
    known = [one for one in reversed(checkpoints) if one.event_rate is not None]
    if len(known) < 2:  # noqa: PLR2004
        return None
    rates = [one.event_rate or 0.0 for one in known]
    top = 1.15 * max(*rates, at_most or 0.0) or 1.0
    ends = [one.learned.end for one in known]
    width = (ends[-1] - ends[0]) or 1
    places = [round(8 + 584 * (end - ends[0]) / width, 1) for end in ends]
    dots = tuple(_dot(one, place, rate, top) for one, place, rate in zip(known, places, rates, strict=True))
    line = "M" + "L".join(f"{dot.x} {dot.y}" for dot in dots)
    return Rates(dots, line, _height(at_most, top) if at_most else None, top)


def _height(rate: float, top: float) -> float:
    return round(112 - 104 * rate / top, 1)


def _dot(one: Checkpoint, x: float, rate: float, top: float) -> Dot:
    says = f"version {one.version}, rows {one.learned.first} to {one.learned.end - 1}: {percent(rate)}, {one.says}"
    return Dot(x, _height(rate, top), _STATES.get(one.says, "open"), says)
