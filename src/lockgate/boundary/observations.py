"""Observation blocks: what the data plane tells the control plane of what it saw.

A worker closes a block every 200 ms while there is traffic. A block has an id (worker, incarnation, sequence), so that sending it
twice counts once. Its cells are counted under the revision by which each request was *assigned*, never the one at completion; no
cell spans two revisions, so one routing weight belongs to each cell. Nor does one span two segments of a route that declares
some: then an arm has several cells in a block. (What is aside, and no evidence, is not told apart by segments.)

A worker that was killed is told of by another one, in one last block under the dead one's id: what it had counted and not told,
and the requests that it had in its hands, as failures of kind `aborted`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lockgate.boundary.routes import Revision

FAILED = 1  # bit 0 of a unit's outcome; bit 1 + i says that quantile i's threshold was exceeded
DISAGREED = 2  # bit 1 of a shadow's, which has no thresholds: it was paired with the answer that was given, and said otherwise


class UnitOutcome(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One completed request of one unit: its key (the unit under the rollout's salt) and what happened, as bits."""

    key: int
    bits: int


class Cell(msgspec.Struct, frozen=True):
    """What one arm of one model did under one revision, in one segment, within one block."""

    model: str
    version: int
    revision: Revision
    completed: int  # answered or failed; shed and malformed requests are not among them
    failures: dict[str, int]  # kind (error, timeout, output, aborted, …) → count
    latency: dict[int, int]  # boundary.histogram counts of the runtime's time, without queueing
    thresholds_id: int = 0
    exceeded: tuple[int, ...] = ()  # for each quantile: requests above the arm's threshold
    units: tuple[UnitOutcome, ...] = ()  # in the order of completion; only while a rollout with a sticky unit runs
    first_at: float = 0.0  # Unix seconds
    last_at: float = 0.0
    shadow: bool = False  # nobody got these answers; they were paired with those that were given
    agreed: int = 0
    disagreed: int = 0
    deltas: dict[int, int] = {}  # boundary.histogram counts of the paired scores' absolute difference
    segment: str = ""  # the declared segment that the requests fell into, "" for none
    bins_id: int = 0
    bins: tuple[int, ...] = ()  # for each bin of the route: answers whose first row scored there; a shadow's are not counted
    scores: dict[int, int] = {}  # boundary.scores counts of first rows' scores; only while a rollout has no bins yet


class Feedback(msgspec.Struct, frozen=True):
    """One label that came in, joined with its prediction by the prediction id itself (see boundary.predictions)."""

    prediction_id: str
    model: str
    version: int
    revision: Revision
    key: int
    score: float
    label: float
    at: float  # Unix seconds: when the truth became known, as the caller says
    answered_at: float  # Unix seconds: when the prediction was made
    segment: int = 0  # the place of its request's segment among those that the route declared, from 1; 0 if it was in none


class Lesson(msgspec.Struct, frozen=True, array_like=True):
    """Rows with their truth, from one request, that a model which learns online is to learn from.

    id: the caller's own for the request, or one of ours: what comes again under it is learned once. version: by whose signature
    the rows were read. inputs: columns, as the runtime sees them. labels: one for each row.
    """

    id: str
    model: str
    version: int
    inputs: dict[str, list[Any]]
    labels: tuple[float, ...]
    at: float  # Unix seconds: when it was taken in


class Block(msgspec.Struct, frozen=True):
    worker: str
    incarnation: str
    sequence: int
    opened_at: float
    closed_at: float
    cells: tuple[Cell, ...] = ()
    feedback: tuple[Feedback, ...] = ()
    lessons: tuple[Lesson, ...] = ()
    records_logged: int = 0
    records_dropped: int = 0
    rejected: int = 0  # requests that were the caller's fault (4xx)
    shed: int = 0  # 429
    unassigned: int = 0  # answered, but not assigned by the table (unit missing, an arm not ready): no evidence
    cells_dropped: int = 0  # cells that found no room while the control plane was away
    records_lost: int = 0  # records that a killed worker had not written yet
    requests_lost: int = 0  # requests that found no room in the worker's book: they are in no cell
    aside: tuple[Cell, ...] = ()  # what was answered and not assigned by the table (asked for, sent by a rule): no evidence

    @property
    def id(self) -> tuple[str, str, int]:
        return self.worker, self.incarnation, self.sequence
