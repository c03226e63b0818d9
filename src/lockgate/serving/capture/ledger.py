"""The open block: everything counted since the last one was closed. Touched by the event loop only."""

from __future__ import annotations

from lockgate.boundary.observations import Block, Feedback
from lockgate.boundary.routes import Arm, Revision, Role, Route
from lockgate.serving.capture.figures import Figures
from lockgate.serving.capture.tally import Tally


class Ledger:
    def __init__(self, worker: str, incarnation: str, figures: Figures, now: float) -> None:
        self.figures = figures
        self.sequence = 1  # of the block that is open
        self._worker = worker
        self._incarnation = incarnation
        self._opened_at = now
        self._tallies: list[Tally] = []
        self._feedback: list[Feedback] = []
        self._counts: dict[str, int] = {}
        self._known: dict[tuple[str, int, bool], Tally] = {}
        self._revision = Revision()

    def tally(self, revision: Revision, route: Route, arm: Arm, *, assigned: bool) -> Tally:
        """Where an arm's answers under one revision are counted: one tally, however often it is asked for."""
        if revision != self._revision:
            self._known = {}
            self._revision = revision
        key = route.model, arm.version, assigned
        if key not in self._known:
            limits = _limits(route, arm) if assigned else ()
            self._known[key] = Tally(
                route.model,
                arm.version,
                revision,
                judged=assigned,
                keyed=assigned and route.rollout is not None and route.unit != "request",
                thresholds_id=route.thresholds.id if route.thresholds and limits else 0,
                limits=limits,
            )
        return self._known[key]

    def success(self, tally: Tally, key: int, seconds: float, at: float) -> None:
        if not tally.completed:
            self._tallies.append(tally)
        tally.succeeded(key, seconds, at)

    def failure(self, tally: Tally, key: int, kind: str, at: float) -> None:
        if not tally.completed:
            self._tallies.append(tally)
        tally.failed(key, kind, at)

    def count(self, name: str, number: int = 1) -> None:
        """name: one of `figures.TOTALS`."""
        self._counts[name] = self._counts.get(name, 0) + number
        self.figures.count(name, number)

    def label(self, labels: list[Feedback]) -> None:
        self._feedback += labels
        self.count("labels", len(labels))

    def close(self, now: float) -> Block | None:
        """The block of all that was counted, and a new one is open; None if there was nothing."""
        tallies, self._tallies = self._tallies, []
        feedback, self._feedback = self._feedback, []
        counts, self._counts = self._counts, {}
        opened_at, self._opened_at = self._opened_at, now
        if not (tallies or feedback or counts):
            return None
        block = Block(
            worker=self._worker,
            incarnation=self._incarnation,
            sequence=self.sequence,
            opened_at=opened_at,
            closed_at=now,
            cells=tuple(tally.cell() for tally in tallies if tally.judged),
            feedback=tuple(feedback),
            records_logged=counts.get("records_logged", 0),
            records_dropped=counts.get("records_dropped", 0),
            rejected=counts.get("rejected", 0),
            shed=counts.get("shed", 0),
            unassigned=counts.get("unassigned", 0),
            cells_dropped=counts.get("cells_dropped", 0),
        )
        self.sequence += 1
        for tally in tallies:
            self.figures.add_tally(tally)
            tally.clear()
        return block


def _limits(route: Route, arm: Arm) -> tuple[float, ...]:
    if route.thresholds is None or arm.role not in (Role.CHAMPION, Role.CANARY):
        return ()
    return route.thresholds.canary if arm.role is Role.CANARY else route.thresholds.champion
