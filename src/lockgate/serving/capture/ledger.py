"""The open block: everything counted since the last one was closed. Touched by the event loop only."""

from __future__ import annotations

from typing import NamedTuple

from lockgate.boundary.observations import Block
from lockgate.boundary.routes import Arm, Revision, Role, Route, Shadow
from lockgate.serving.capture import fold
from lockgate.serving.capture.book import Book, Cut
from lockgate.serving.capture.figures import Figures
from lockgate.serving.capture.fold import Seen
from lockgate.serving.capture.tally import Tally

_TIMED = (Role.CHAMPION, Role.CANARY, Role.HELD_BACK)


class Closed(NamedTuple):
    """A block that is not durable yet, and what it was made of."""

    block: Block
    seen: list[Seen]
    cut: Cut


class Ledger:
    """Counts what becomes of requests. book: where it stands; without one it ends with the process.

    For each request that is given to a version: `admit`, and then exactly one of `succeed`, `fail`, `paired` and `withdraw` (see
    the book, whose they are).
    """

    def __init__(self, worker: str, incarnation: str, figures: Figures, now: float, book: Book | None = None) -> None:
        self.figures = figures
        self.book = book or Book.in_memory()
        self.book.begin(now)
        self._worker = worker
        self._incarnation = incarnation
        self._known: dict[tuple[str, int, bool, bool, str], Tally] = {}
        self._revision = Revision()
        # Bound once: a call less for every request.
        self.admit = self.book.admit
        self.succeed = self.book.succeed
        self.fail = self.book.fail
        self.paired = self.book.paired
        self.withdraw = self.book.withdraw

    def tally(self, revision: Revision, route: Route, arm: Arm | Shadow, *, assigned: bool, segment: str = "") -> Tally:
        """What an arm's answers under one revision in one segment are counted as: one tally, however often it is asked for."""
        if revision != self._revision:
            self._known = {}
            self._revision = revision
        key = route.model, arm.version, assigned, isinstance(arm, Shadow), segment
        if key not in self._known:
            self._known[key] = _tally(revision, route, arm, segment, assigned=assigned)
        return self._known[key]

    def count(self, name: str, number: int = 1) -> None:
        """name: one of `figures.TOTALS`."""
        self.book.count(name, number)
        self.figures.count(name, number)

    def cut(self, now: float, *, owed: bool = False) -> Cut | None:
        """What the next block is to tell, or None if there was nothing; a new block is open. The one before must be durable.

        owed: whether a block is needed also if there was nothing, for what goes out with it.
        """
        return self.book.cut(now, owed=owed)

    def close(self, cut: Cut) -> Closed:
        """The block of a cut: may take a while, and may be done in another thread."""
        seen = fold.fold(self.book.read(cut.entries), cut.tallies)
        identity = self._worker, self._incarnation, cut.sequence
        return Closed(fold.block(identity, cut.opened_at, cut.closed_at, seen, cut.counts), seen, cut)

    def show(self, closed: Closed) -> None:
        """Add what was seen to the figures."""
        lost = closed.cut.counts.get("requests_lost", 0)
        if lost:
            self.figures.count("requests_lost", lost)
        for one in closed.seen:
            self.figures.add_seen(one)

    def settle(self, closed: Closed) -> None:
        """The block is durable: what it was made of may be forgotten."""
        self.book.free(closed.cut)


def _tally(revision: Revision, route: Route, arm: Arm | Shadow, segment: str, *, assigned: bool) -> Tally:
    limits = _limits(route, arm) if assigned else ()
    scored = assigned and not isinstance(arm, Shadow) and (route.bins is not None or route.rollout is not None)
    return Tally(
        route.model,
        arm.version,
        revision,
        judged=assigned,
        keyed=assigned and route.rollout is not None and route.unit != "request",
        thresholds_id=route.thresholds.id if route.thresholds and limits else 0,
        limits=limits,
        shadow=isinstance(arm, Shadow),
        redacted=route.redacted,
        segment=segment,
        scored=scored,
        bins=route.bins if scored else None,
    )


def _limits(route: Route, arm: Arm | Shadow) -> tuple[float, ...]:
    if route.thresholds is None or isinstance(arm, Shadow) or arm.role not in _TIMED:
        return ()
    return route.thresholds.canary if route.on_trial(arm) else route.thresholds.champion
