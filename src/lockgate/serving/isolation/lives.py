"""When a process that died, or a package that cannot be loaded, is tried again. Pure: what happened in, how long to wait out."""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class Patience(msgspec.Struct, frozen=True):
    """All in seconds but `most_short_lives`. A process that dies sooner than `short_life` after it was ready was hardly born."""

    short_life: float = 3.0
    most_short_lives: int = 5  # in a row: then the package has failed, and is tried ever more rarely
    first_pause: float = 0.05
    longest_pause: float = 5.0
    first_retry: float = 1.0
    longest_retry: float = 300.0


class Lives(msgspec.Struct, frozen=True):
    """Short lives in a row, and refusals in a row."""

    short: int = 0
    refusals: int = 0


class Next(NamedTuple):
    """failed: workers are told so, and nobody waits for it."""

    lives: Lives
    pause: float
    failed: bool


def after_death(lives: Lives, lived: float, patience: Patience) -> Next:
    """lived: seconds from ready to the end."""
    if lived >= patience.short_life:
        return Next(Lives(), patience.first_pause, failed=False)
    lives = Lives(lives.short + 1, 0)
    rest = lives.short - patience.most_short_lives
    if rest < 0:
        return Next(lives, _grown(patience.first_pause, lives.short - 1, patience.longest_pause), failed=False)
    return Next(lives, _grown(patience.first_retry, rest, patience.longest_retry), failed=True)


def after_refusal(lives: Lives, patience: Patience) -> Next:
    """It never was ready: it cannot be loaded, or something that it needs is not there."""
    pause = _grown(patience.first_retry, lives.refusals, patience.longest_retry)
    return Next(Lives(lives.short, lives.refusals + 1), pause, failed=True)


def _grown(first: float, times: int, longest: float) -> float:
    return min(longest, first * 2.0 ** min(times, 30))
