"""What a group of requests is counted as: one version under one revision. A definition; the counting is done by the book."""

from __future__ import annotations

from itertools import count

import msgspec

from lockgate.boundary.routes import Revision

_numbers = count(1)


class Tally(msgspec.Struct, frozen=True):
    """One (model, version, revision), and what is to be told of its requests.

    judged: whether they become evidence. Requests that were not assigned by the table (asked for by version, without their
        unit, answered in place of another version) are counted for people to see, never for the judge.
    keyed: whether outcomes are told unit by unit. limits: the arm's latency thresholds in seconds, one for each quantile.
    shadow: nobody gets these answers. redacted: inputs that no record keeps.
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
    number: int = msgspec.field(default_factory=lambda: next(_numbers))
