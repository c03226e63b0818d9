"""Are the lessons still believed? A detector over the champion's judged events, row by row, and since when they are suspected.

The champion is fixed while it serves, and scores each row before anybody has learned it. So if its rate of the judged event
rises above a limit that people set, then the world has moved faster than checkpoints could follow, or the labels are not true:
in either case nothing that was learned meanwhile is proven. With q the limit, a bet on odds that are o times higher multiplies
its capital by

    o / (1 + q·(o − 1)) for an event, by 1 / (1 + q·(o − 1)) for none:   mean 1 where the rate is q, below 1 where it is less.

Each row starts new bets (Shiryaev-Roberts, see `lockgate.stats.detector`); the alarm is raised when the average over the bets
reaches `run_length`, so without reason every `run_length` rows on average at the earliest, whatever the rate is, as long as it is
at most q given the past. When it began is estimated as by CUSUM: the row by which the bet that has won most since it last had
nothing began to win, under that bet the most likely place of the change (Page, Biometrika 41, 1954).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import log

import numpy as np
from numpy.typing import NDArray

from lockgate.domain.learning import Learning, Online
from lockgate.stats.combine import log_mean
from lockgate.stats.detector import begin, cusum, shiryaev_roberts
from lockgate.stats.odds import HIGHER, log_growth

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def unsuspected(learning: Learning) -> Learning:
    """The learning with detectors that have seen nothing; `learned` is the next row that they see."""
    nothing = tuple(begin(len(HIGHER)).tolist())
    starts = (learning.learned,) * len(HIGHER)
    return replace(learning, bets=nothing, cusums=nothing, starts=starts, clean=learning.learned, rows=0, events=0)


def judged(learning: Learning, events: Sequence[bool | None], online: Online) -> tuple[Learning, bool]:
    """The learning after further rows, and whether the alarm was raised.

    events: for each row from `learned` on, whether the champion had the judged event; None for one that could not be judged. The
    row that raises the alarm is the last that counts. Rows in several portions end in the same as all at once, bit for bit.
    """
    growths, bar = log_growth([online.at_most] * 2, [1, 1], [0, 1]), log(online.run_length)
    bets, cusums, starts = np.array(learning.bets), np.array(learning.cusums), np.array(learning.starts)
    place, rows, happened, alarmed = learning.learned, learning.rows, learning.events, False
    for event in events:
        if event is not None:
            growth = growths[int(event)]
            starts = np.where(cusums <= 0.0, place, starts)
            bets, cusums = shiryaev_roberts(bets, growth), cusum(cusums, growth)
            rows, happened = rows + 1, happened + event
            alarmed = bool(bets.max() >= bar and log_mean(bets) >= bar)  # mostly the quick half is enough
        place += 1
        if alarmed:
            break
    after = replace(learning, learned=place, rows=rows, events=happened, bets=tuple(bets.tolist()), cusums=tuple(cusums.tolist()))
    return replace(after, starts=tuple(starts.tolist()), clean=_clean(cusums, starts, place)), alarmed


def _clean(cusums: Floats, starts: Integers, place: int) -> int:
    strongest = int(cusums.argmax())
    return int(starts[strongest]) if cusums[strongest] > 0.0 else place
