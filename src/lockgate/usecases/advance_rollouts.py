"""One tick of the controller: consume what was observed, journal it, let the judge look, move the rollouts. One transaction."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from lockgate.boundary.acknowledgements import Acknowledgement, Readiness
from lockgate.boundary.routes import Revision
from lockgate.domain.people import CONTROLLER
from lockgate.domain.rollouts import Outcome, Phase, Rollout, Signal
from lockgate.kernel.errors import Corrupt, Invalid, LockgateError
from lockgate.ports.state import JOURNAL, ROLLOUTS, WORKERS, Reader, Writer
from lockgate.stages.deliver.contest import leavings, without_unloadable
from lockgate.stages.deliver.evidence import shown
from lockgate.stages.deliver.journal import State, fold, observed, seen, sentence
from lockgate.stages.deliver.judge import Report
from lockgate.stages.deliver.readiness import enforced_at, readiness_of_all
from lockgate.stages.deliver.rollout import ENDED, digests, has_judge, preview_ends, when_judged, when_ready
from lockgate.usecases.find_holds import holds_under_way
from lockgate.usecases.find_rollouts import rollouts_under_way
from lockgate.usecases.find_things import rollout_by
from lockgate.usecases.journal_looks import Judged, Told, journal_looks
from lockgate.usecases.live_workers import live_workers
from lockgate.usecases.note_staging import note_staging
from lockgate.usecases.pair_labels import take_pairs
from lockgate.usecases.publish_routes import publish_rollout
from lockgate.usecases.steer_rollout import give_signal
from lockgate.usecases.take_observations import Taken, anything_waits, take_observations
from lockgate.usecases.watch_promotions import Watches, look_is_due, watch_promotions
from lockgate.usecases.world import World

LATELY = 600.0  # seconds for which the end of a rollout is followed up
FOLLOWED = 20  # rollouts of each kind of end; by their start, so a long one must not fall behind the short ones of its time
FORGET = 3600.0  # seconds after which a silent worker's last word is removed

log = logging.getLogger(__name__)


@dataclass
class Judges:
    """The judges' states between ticks: a cache of what folding the journal gives, so losing it costs time only.

    watches: the same of the guards after promotions.
    """

    states: dict[str, tuple[int, State]] = field(default_factory=dict)
    watches: Watches = field(default_factory=Watches)

    def forget(self) -> None:
        self.states.clear()
        self.watches.guards.clear()

    def state(self, tx: Reader, rollout: Rollout) -> State:
        cached = self.states.get(rollout.id)
        if cached is not None and cached[0] == rollout.rows:
            return cached[1]
        return fold(rollout, tx.find(JOURNAL, rollout=rollout.id))

    def keep(self, rollout: Rollout, state: State) -> None:
        self.states[rollout.id] = (rollout.rows, state)

    def catch_up(self, tx: Reader, under_way: list[Rollout]) -> None:
        """Fold what is not folded yet, and forget the rollouts that ended. Long journals take their time: not in others' way."""
        self.states = {rollout.id: self.states[rollout.id] for rollout in under_way if rollout.id in self.states}
        for rollout in under_way:
            if rollout.rows:
                with suppress(Invalid, Corrupt):  # its own turn comes upon the same, and ends it
                    self.keep(rollout, self.state(tx, rollout))


def advance_rollouts(world: World, judges: Judges) -> bool:
    """True if there was anything to do."""
    with world.state.read() as tx:
        under_way, holds, now = rollouts_under_way(tx), holds_under_way(tx), world.clock.now()
        if not (under_way or anything_waits(tx) or _not_enforced(tx, now) or look_is_due(tx, holds, now)):
            return False
        judges.catch_up(tx, under_way)
        judges.watches.catch_up(tx, holds)
    try:
        with world.state.write() as tx:
            now = world.clock.now()  # only here: folding and waiting for the turn may have taken a while
            taken = take_observations(tx).by_model()
            workers = live_workers(tx, now)
            holds = holds_under_way(tx)
            _tick(tx, rollouts_under_way(tx), taken, workers, judges, now)
            watch_promotions(tx, holds, taken, workers, judges.watches, now)
            note_staging(tx, taken)
            _note_enforcement(tx, workers, now)
    except BaseException:
        judges.forget()  # what was folded in this tick was not committed
        raise
    return True


def _tick(
    tx: Writer,
    under_way: list[Rollout],
    taken: Mapping[str, Taken],
    workers: list[Acknowledgement],
    judges: Judges,
    now: datetime,
) -> None:
    """All are told what came, then their judges are asked together, which takes a fraction of the time, then each one moves."""
    turns = [_turn(tx, rollout, taken[rollout.model], workers, judges) for rollout in under_way]
    looks = {one.rollout.id: one for one in journal_looks(tx, [turn.told for turn in turns if turn.told], now)}
    ended: set[str] = set()
    for turn in turns:
        rollout = turn.rollout
        if rollout.model in ended and rollout_by(tx, rollout.id).ended_at:  # by the promotion of another one, a moment ago
            continue
        if _moved(tx, turn, looks.get(rollout.id), taken[rollout.model], judges, now).ended_at:
            ended.add(rollout.model)


@dataclass(frozen=True, slots=True)
class _Turn:
    """What a rollout found in this tick. reason: why it is not ready. told: None where there was nothing to tell its judge."""

    rollout: Rollout
    ready: Readiness
    reason: str
    told: Told | None = None
    error: LockgateError | None = None


def _turn(tx: Writer, before: Rollout, taken: Taken, workers: list[Acknowledgement], judges: Judges) -> _Turn:
    since = Revision(before.ramp[0].epoch, before.ramp[0].n)
    rollout = without_unloadable(before, workers, since)
    ready, reason = readiness_of_all(workers, digests(rollout), since)
    if ready is Readiness.FAILED or not has_judge(rollout):
        return _Turn(rollout, ready, reason)
    try:
        new = seen(rollout, taken.cells, taken.labels, take_pairs(tx, rollout, taken.labels))
        new = (*leavings(before, rollout), *new)
        told = Told(rollout, taken, new, observed(judges.state(tx, rollout), new)) if new else None
    except (Invalid, Corrupt) as error:
        return _Turn(rollout, ready, reason, error=error)
    return _Turn(rollout, ready, reason, told)


def _moved(tx: Writer, turn: _Turn, judged: Judged | None, taken: Taken, judges: Judges, now: datetime) -> Rollout:
    rollout = turn.rollout
    if turn.ready is Readiness.FAILED:
        return give_signal(tx, rollout, Signal.UNLOADABLE, CONTROLLER, now, Outcome(None, detail=turn.reason))
    if turn.error:
        return _give_up(tx, rollout, turn.error, now)
    if judged:
        judges.keep(judged.rollout, judged.state)
        same = _dealt(judged.rollout) == _dealt(rollout)
        rollout = judged.rollout if same else publish_rollout(tx, judged.rollout, now)
    if rollout.phase is Phase.PREPARING:
        if turn.ready is not Readiness.READY:
            return rollout
        return give_signal(tx, rollout, when_ready(rollout), CONTROLLER, now, Outcome(None))
    if rollout.phase is Phase.PREVIEW:
        return _preview(tx, rollout, taken, now, ready=turn.ready is Readiness.READY)
    signal = _signal(rollout, turn.rollout) if judged else None
    if judged is None or signal is None:
        return rollout
    said = sentence(rollout, judged.state, judged.report)
    return give_signal(tx, rollout, signal, CONTROLLER, now, outcome(judged.report, said, taken.since or now.timestamp()))


def _signal(rollout: Rollout, before: Rollout) -> Signal | None:
    return Signal.PAUSE if rollout.differed and not before.differed else when_judged(rollout)


def _preview(tx: Writer, rollout: Rollout, taken: Taken, now: datetime, *, ready: bool) -> Rollout:
    """Keep what the version answered to those who asked for it; switch when the preview's time is over.

    ready: every live worker can answer with the version. One that began a moment ago is waited for.
    """
    so_far = shown(rollout, taken.aside)
    if so_far != rollout.shown:
        rollout = replace(rollout, shown=so_far)
        tx.put(ROLLOUTS, rollout)
    ends = preview_ends(rollout)
    if not ready or ends is None or now < ends:
        return rollout
    return give_signal(tx, rollout, Signal.PROVEN, CONTROLLER, now, Outcome(None, detail="the preview's time is over"))


def _give_up(tx: Writer, rollout: Rollout, error: LockgateError, now: datetime) -> Rollout:
    """A canary that cannot be judged gets no traffic, and does not keep the other rollouts from being judged."""
    log.error("a rollout cannot be judged", extra={"rollout": rollout.id, "error": error.message})
    detail = f"It cannot be judged: {error.message}"
    return give_signal(tx, rollout, Signal.ABORT, CONTROLLER, now, Outcome(rollout.verdict, detail=detail))


def _dealt(rollout: Rollout) -> tuple[object, ...]:
    """What a look can change of the route. All else of it moves by signals."""
    return rollout.thresholds, rollout.bins, tuple(one.weight for one in rollout.contestants)


def outcome(judged: Report, said: str, since: float) -> Outcome:
    return Outcome(
        verdict=judged.verdict,
        metrics=judged.metrics,
        detail=said,
        requests=judged.requests,
        exposed_requests=judged.exposed_requests,
        exposed_units=judged.exposed_units,
        crossed_at=datetime.fromtimestamp(since, UTC),
    )


def _not_enforced(tx: Reader, now: datetime) -> list[Rollout]:
    """Rollouts that ended lately and whose end not every worker is known to follow."""
    ended = [rollout for phase in ENDED for rollout in tx.find(ROLLOUTS, phase=phase.value, newest_first=True, limit=FOLLOWED)]
    return [
        rollout
        for rollout in ended
        if rollout.outcome
        and rollout.outcome.enforced_at is None
        and rollout.ended_at
        and (now - rollout.ended_at).total_seconds() < LATELY
    ]


def _note_enforcement(tx: Writer, workers: list[Acknowledgement], now: datetime) -> None:
    """When did the last worker follow the end of a rollout? Known from the acknowledgements, some moments later."""
    for rollout in _not_enforced(tx, now):
        last = rollout.ramp[-1]
        at = enforced_at(workers, Revision(last.epoch, last.n))
        if at is not None and rollout.outcome is not None:
            reached = replace(rollout.outcome, enforced_at=datetime.fromtimestamp(at, UTC))
            tx.put(ROLLOUTS, replace(rollout, outcome=reached))


def forget_workers(world: World) -> None:
    """Remove the last words of workers that are long gone."""
    now = world.clock.now().timestamp()
    with world.state.write() as tx:
        for worker in tx.find(WORKERS):
            if now - worker.seen_at > FORGET:
                tx.remove(WORKERS, worker.incarnation)
