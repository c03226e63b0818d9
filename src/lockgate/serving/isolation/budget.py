"""Whether there is memory for one more package, known before it is loaded. Pure: figures in, a refusal or none out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from lockgate.serving.isolation.memory import human
from lockgate.serving.isolation.orders import Footprint


class Need(NamedTuple):
    """Bytes, in all processes together. steady: once it is loaded; peak: while it is being loaded. copies: how many load it."""

    steady: int
    peak: int
    copies: int = 1


def inline_need(footprint: Footprint, workers: int) -> Need:
    """In every worker, and all of them load it at the same time."""
    return Need(footprint.growth * workers, max(footprint.growth, footprint.spike) * workers, workers)


def isolated_need(footprint: Footprint) -> Need:
    """In one process of its own, libraries and all."""
    more = max(0, footprint.spike - footprint.growth)
    return Need(footprint.process, footprint.process + more)


def free(budget: int, held: Iterable[Need]) -> int:
    return max(0, budget - sum(need.steady for need in held))


def refusal(budget: int, held: Iterable[Need], need: Need) -> str | None:
    """Why it may not be loaded beside what is there (old and new are there together for a while), or None."""
    room = free(budget, held)
    if need.peak <= room:
        return None
    times = f"{need.copies} × {human(need.peak / need.copies)} = " if need.copies > 1 else ""
    return f"loading it needs up to {times}{human(need.peak)} of memory, {human(room)} of the budget of {human(budget)} are free"
