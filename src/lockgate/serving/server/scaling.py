"""How many workers there should be: more when requests wait, fewer when the rest could do the work with ease. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lockgate.kernel.errors import Invalid
from lockgate.serving.server.gauge import Load

CROWDED = 0.02  # seconds that requests wait for their turn: then one more worker would help
BUSY = 0.85  # share of a core, of each worker on average: then waiting is near
IDLE = 0.5  # share of a core that each would have if there were one fewer: then there may be
GROW_AFTER = 1.0  # seconds that it must stay so, so that a burst does not start a process
SHRINK_AFTER = 60.0


class Bounds(NamedTuple):
    least: int
    most: int


class Scale(NamedTuple):
    """crowded_since, idle_since: monotonic seconds since when, without a break; None if it is not so now."""

    workers: int
    crowded_since: float | None = None
    idle_since: float | None = None


def parse_bounds(text: str) -> Bounds:
    """`2` is always two, `1-4` is as many as are needed.

    Raises:
        Invalid: it is neither.
    """
    least, dash, most = text.partition("-")
    if not (least.isdigit() and (most.isdigit() or not dash)):
        raise Invalid(f"workers {text!r} found; a number such as 2, or a range such as 1-4, expected")
    bounds = Bounds(int(least), int(most or least))
    if not 1 <= bounds.least <= bounds.most:
        raise Invalid(f"workers {text!r} found; at least one, and no more at least than at most, expected")
    return bounds


def follow(scale: Scale, loads: Sequence[Load], bounds: Bounds, now: float) -> Scale:
    """The next state, from what the workers say of themselves. loads: of those that answer."""
    if len(loads) < scale.workers:
        return scale._replace(crowded_since=None, idle_since=None)  # one is starting or was lost: wait for what it says
    busy = sum(load.busy for load in loads)
    crowded = max(load.delay for load in loads) > CROWDED or busy > BUSY * len(loads)
    idle = not crowded and len(loads) > 1 and busy < IDLE * (len(loads) - 1)
    crowded_since = (scale.crowded_since if scale.crowded_since is not None else now) if crowded else None
    idle_since = (scale.idle_since if scale.idle_since is not None else now) if idle else None
    if crowded_since is not None and now - crowded_since >= GROW_AFTER and scale.workers < bounds.most:
        return Scale(scale.workers + 1)
    if idle_since is not None and now - idle_since >= SHRINK_AFTER and scale.workers > bounds.least:
        return Scale(scale.workers - 1)
    return Scale(scale.workers, crowded_since, idle_since)
