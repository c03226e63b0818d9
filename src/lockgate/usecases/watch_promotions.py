"""One look at what promotions left behind: journal what is new, let the guard look, roll back what does harm."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from lockgate.boundary.acknowledgements import Acknowledgement, Readiness
from lockgate.boundary.routes import Revision
from lockgate.domain.environments import PRODUCTION
from lockgate.domain.holds import Hold, HoldEnd, HoldRow, HoldState
from lockgate.domain.people import CONTROLLER
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.kernel.errors import Corrupt, Invalid, LockgateError
from lockgate.ports.state import HOLD_ROWS, HOLDS, Reader, Writer
from lockgate.stages.deliver.guard import BLOCK, Guard, Look, fold, follow, look, take
from lockgate.stages.deliver.hold_back import renewed
from lockgate.stages.deliver.hold_evidence import (
    Window,
    fault_told,
    harm_told,
    is_long,
    news,
    together,
    windows,
    with_figures,
)
from lockgate.stages.deliver.readiness import readiness
from lockgate.stages.deliver.segments import concerning
from lockgate.usecases.check_signature import against_signature
from lockgate.usecases.find_things import version_of
from lockgate.usecases.hold_back import end_hold, renew_hold
from lockgate.usecases.live_workers import live_workers
from lockgate.usecases.publish_routes import publish_routes
from lockgate.usecases.roll_back import return_to_retained
from lockgate.usecases.start_rollout import standing_in
from lockgate.usecases.take_observations import Taken, unread

PATIENCE = 60.0  # seconds for a held-back version that a worker has lost to come back: a process that died is started again

log = logging.getLogger(__name__)


@dataclass
class Watches:
    """The guards between ticks: a cache of what folding the journals gives, so losing it costs time only."""

    guards: dict[str, tuple[int, Guard]] = field(default_factory=dict)

    def guard(self, tx: Reader, hold: Hold) -> Guard:
        cached = self.guards.get(hold.id)
        if cached is not None and cached[0] == hold.looks:
            return cached[1]
        return fold(hold, tx.find(HOLD_ROWS, hold=hold.id))

    def keep(self, hold: Hold, guard: Guard) -> None:
        self.guards[hold.id] = (hold.looks, guard)

    def catch_up(self, tx: Reader, holds: Iterable[Hold]) -> None:
        """Fold what is not folded yet, and forget what has ended: not in others' way, for long journals take their time."""
        current = {hold.id: hold for hold in holds}
        self.guards = {name: kept for name, kept in self.guards.items() if name in current}
        for hold in current.values():
            with suppress(Corrupt):  # its own turn comes upon the same, and ends it
                self.keep(hold, self.guard(tx, hold))


def look_is_due(tx: Reader, holds: Iterable[Hold], now: datetime) -> bool:
    """Whether there is anything to do for them though nothing was observed."""
    workers = live_workers(tx, now)
    return any(
        now >= hold.until
        or hold.missing_since is not None
        or _lost(hold, workers) is not None
        or renewed(hold, now) is not None
        or not _stands(tx, hold)
        for hold in holds
    )


def watch_promotions(
    tx: Writer,
    holds: Iterable[Hold],
    taken: Mapping[str, Taken],
    workers: list[Acknowledgement],
    watches: Watches,
    now: datetime,
) -> None:
    """Compare what was promoted with what is held back.

    holds: as they stood before the rollouts took what was observed: what brought a promotion about is no evidence of it. taken:
    what concerns each model.
    """
    for hold in holds:
        current = tx.get(HOLDS, hold.id)
        if current is not None and current.state is HoldState.HELD:
            _tick(tx, current, taken[current.model], workers, watches, now)


def _tick(tx: Writer, hold: Hold, taken: Taken, workers: list[Acknowledgement], watches: Watches, now: datetime) -> None:
    if not _stands(tx, hold):
        _over(tx, hold, HoldEnd.LEFT, now, f"version {hold.version} is not in Production any more")
        return
    try:
        seen = windows(hold, *concerning(hold, taken.cells, taken.labels))
        at = min(now, hold.until)  # what is read later is of the last minute: the guard reckoned with so many blocks and no more
        hold, said = _consume(tx, hold, seen, taken.until, watches, at) if seen else (hold, None)
    except (Invalid, Corrupt) as error:
        _give_up(tx, hold, error, now)
        return
    if said is not None and said.verdict is JudgeVerdict.HARM:
        _return(tx, hold, harm_told(hold, said.metrics), now)
    elif said is not None and said.verdict is JudgeVerdict.ROUTER_FAULT:
        _over(tx, hold, HoldEnd.ROUTER_FAULT, now, fault_told(watches.guard(tx, hold)))
    elif now >= hold.until:
        if unread(tx, hold.until.timestamp()):
            return  # a controller that was away reads first what was seen meanwhile: it may be harm
        _over(tx, hold, HoldEnd.PASSED, now, f"no harm of version {hold.version} was found")
    else:
        _see_whether_it_is_there(tx, renew_hold(tx, hold, now), workers, now)


def _return(tx: Writer, hold: Hold, harm: str, now: datetime) -> None:
    """To the version that is held back. Where the policy does not let it answer any more, people must say what is to be."""
    against = against_signature(tx, version_of(tx, hold.model, hold.baseline))
    if against is None:
        return_to_retained(tx, hold.model, CONTROLLER, now, harm, hold.baseline, HoldEnd.HARM)
        return
    log.error("harm, and no way back", extra={"hold": hold.id, "harm": harm, "reason": against})
    _over(tx, hold, HoldEnd.HARM, now, f"{harm}; version {hold.baseline} cannot come back: {against}")


def _stands(tx: Reader, hold: Hold) -> bool:
    champion = standing_in(tx, hold.model, PRODUCTION)
    return champion is not None and champion.version == hold.version


def _give_up(tx: Writer, hold: Hold, error: LockgateError, now: datetime) -> None:
    log.error("what is held back cannot be compared", extra={"hold": hold.id, "error": error.message})
    _over(tx, hold, HoldEnd.UNJUDGED, now, f"it cannot be compared: {error.message}")


def _consume(
    tx: Writer, hold: Hold, seen: Sequence[Window], until: float, watches: Watches, now: datetime
) -> tuple[Hold, Look | None]:
    """Journal what is new and let the guard look; None if nothing is.

    Raises:
        Invalid, Corrupt: what was seen, or the journal, cannot be folded; nothing is kept of it.
    """
    guard = watches.guard(tx, hold)
    events = tuple(one for window in seen for one in news(guard, window.observations, window.number, arriving=window.arriving))
    hold = with_figures(hold, [one for window in seen for one in window.observations])
    if not events:
        tx.put(HOLDS, hold)
        return hold, None
    last = tx.get(HOLD_ROWS, hold.id, hold.rows - 1) if hold.rows else None
    if last is not None and _minute(last.at) == _minute(now) and not (guard.sticky and is_long(last)):
        row = replace(last, events=together(last.events, events))
        take(guard, events)
    else:
        row = HoldRow(hold.id, hold.rows, now, events, JudgeVerdict.WAIT)
        follow(guard, row)
    said = look(guard)
    tx.put(HOLD_ROWS, replace(row, verdict=said.verdict, evidence=said.evidence, observed_until=until))
    hold = replace(hold, rows=row.seq + 1, looks=hold.looks + 1)
    tx.put(HOLDS, hold)
    watches.keep(hold, guard)
    return hold, said


def _see_whether_it_is_there(tx: Writer, hold: Hold, workers: list[Acknowledgement], now: datetime) -> None:
    """Without the held-back version there is no comparison; its units are the champion's meanwhile."""
    reason = _lost(hold, workers)
    missing_since = None if reason is None else hold.missing_since or now
    if reason is not None and missing_since is not None and (now - missing_since).total_seconds() >= PATIENCE:
        _over(tx, hold, HoldEnd.LOST, now, f"version {hold.baseline} cannot be loaded: {reason}")
    elif missing_since != hold.missing_since:
        tx.put(HOLDS, replace(hold, missing_since=missing_since))


def _lost(hold: Hold, workers: list[Acknowledgement]) -> str | None:
    began = hold.ramp[-1]
    state, reason = readiness(workers, hold.baseline_digest, Revision(began.epoch, began.n))
    return reason if state is Readiness.FAILED else None


def _over(tx: Writer, hold: Hold, end: HoldEnd, now: datetime, detail: str) -> None:
    end_hold(tx, hold, end, CONTROLLER, now, detail)
    publish_routes(tx, hold.model)


def _minute(at: datetime) -> int:
    return int(at.timestamp() // BLOCK)
