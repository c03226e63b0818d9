"""What a group of requests is counted as: one version under one revision, in one segment. The counting is done by the book."""

from __future__ import annotations

from itertools import count

import msgspec

from lockgate.boundary.routes import Bins, Revision
from lockgate.boundary.scores import step

_numbers = count(1)


class Tally(msgspec.Struct, frozen=True):
    """One (model, version, revision, segment), and what is to be told of its requests.

    judged: whether they become evidence. Requests that were not assigned by the table (asked for by version, without their
        unit, answered in place of another version) are counted for people to see, never for the judge.
    keyed: whether outcomes are told unit by unit. limits: the arm's latency thresholds in seconds, one for each quantile.
    shadow: nobody gets these answers. redacted: inputs that no record keeps. segment: see boundary.routes.Segmentation.
    scored: whether it is told where scores fell: into bins, or without bins into coarse steps.
    number: by which the book's entries name it; no two tallies of a process have the same.
    """

    model: str
    version: int
    revision: Revision
    judged: bool
    keyed: bool = False
    thresholds_id: int = 0
    limits: tuple[float, ...] = ()
    shadow: bool = False
    redacted: tuple[str, ...] = ()
    segment: str = ""
    scored: bool = False
    bins: Bins | None = None
    number: int = msgspec.field(default_factory=lambda: next(_numbers))

    def place(self, score: float) -> int:
        """Where the book says that a score fell, 0..255: the number of its bin, or of its step."""
        return self.bins.place(score) if self.bins is not None else step(score)
