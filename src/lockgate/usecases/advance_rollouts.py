"""One tick of the controller: consume what was observed, journal it, let the judge look, move the rollouts. One transaction."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from lockgate.boundary.acknowledgements import Acknowledgement, Readiness
from lockgate.boundary.routes import Revision
from lockgate.domain.evidence import JournalRow, Observation
from lockgate.domain.people import CONTROLLER
from lockgate.domain.rollouts import Outcome, Phase, Rollout, Signal
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.kernel.errors import Corrupt, Invalid, LockgateError
from lockgate.ports.state import JOURNAL, ROLLOUTS, WORKERS, Reader, Writer
from lockgate.stages.deliver.evidence import observations
from lockgate.stages.deliver.explain import sentence
from lockgate.stages.deliver.journal import fold, observed
from lockgate.stages.deliver.judge import JudgeState, Report, report, thresholds
from lockgate.stages.deliver.readiness import enforced_at, readiness
from lockgate.stages.deliver.rollout import ENDED, when_ready, when_safe
from lockgate.usecases.find_rollouts import rollouts_under_way
from lockgate.usecases.live_workers import live_workers
from lockgate.usecases.publish_routes import publish_rollout
from lockgate.usecases.steer_rollout import give_signal
from lockgate.usecases.take_observations import Taken, anything_waits, take_observations
from lockgate.usecases.world import World

LATELY = 600.0  # seconds for which the end of a rollout is followed up
FOLLOWED = 20  # rollouts of each kind of end; by their start, so a long one must not fall behind the short ones of its time
FORGET = 3600.0  # seconds after which a silent worker's last word is removed

log = logging.getLogger(__name__)


@dataclass
class Judges:
    """The judges' states between ticks: a cache of what folding the journal gives, so losing it costs time only."""

    states: dict[str, tuple[int, JudgeState]] = field(default_factory=dict)

    def state(self, tx: Reader, rollout: Rollout) -> JudgeState:
        cached = self.states.get(rollout.id)
        if cached is not None and cached[0] == rollout.rows:
            return cached[1]
        return fold(rollout, tx.find(JOURNAL, rollout=rollout.id))

    def keep(self, rollout: Rollout, state: JudgeState) -> None:
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
        under_way = rollouts_under_way(tx)
        if not (under_way or anything_waits(tx) or _not_enforced(tx, world.clock.now())):
            return False
        judges.catch_up(tx, under_way)
    try:
        with world.state.write() as tx:
            now = world.clock.now()  # only here: folding and waiting for the turn may have taken a while
            taken = take_observations(tx)
            workers = live_workers(tx, now)
            for rollout in rollouts_under_way(tx):
                _tick(tx, rollout, taken, workers, judges, now)
            _note_enforcement(tx, workers, now)
    except BaseException:
        judges.states.clear()  # what was folded in this tick was not committed
        raise
    return True


def _tick(tx: Writer, rollout: Rollout, taken: Taken, workers: list[Acknowledgement], judges: Judges, now: datetime) -> Rollout:
    began = rollout.ramp[0]
    state, reason = readiness(workers, rollout.digest, Revision(began.epoch, began.n))
    if state is Readiness.FAILED:
        return give_signal(tx, rollout, Signal.UNLOADABLE, CONTROLLER, now, Outcome(None, detail=reason))
    try:
        seen = observations(rollout, taken.cells, taken.labels) if rollout.steps else ()
        judged = None
        if seen:
            rollout, judged = _consume(tx, rollout, seen, taken.until, judges, now)
    except (Invalid, Corrupt) as error:
        return _give_up(tx, rollout, error, now)
    if rollout.phase is Phase.PREPARING:
        if state is not Readiness.READY:
            return rollout
        return give_signal(tx, rollout, when_ready(rollout), CONTROLLER, now, Outcome(None))
    if judged is None:
        return rollout
    signal = _signal(rollout, judged.verdict)
    return give_signal(tx, rollout, signal, CONTROLLER, now, outcome(judged, taken.since)) if signal else rollout


def _give_up(tx: Writer, rollout: Rollout, error: LockgateError, now: datetime) -> Rollout:
    """A canary that cannot be judged gets no traffic, and does not keep the other rollouts from being judged."""
    log.error("a rollout cannot be judged", extra={"rollout": rollout.id, "error": error.message})
    detail = f"It cannot be judged: {error.message}"
    return give_signal(tx, rollout, Signal.ABORT, CONTROLLER, now, Outcome(rollout.verdict, detail=detail))


def _consume(
    tx: Writer, rollout: Rollout, seen: tuple[Observation, ...], until: float, judges: Judges, now: datetime
) -> tuple[Rollout, Report]:
    """Journal what was seen and fold it; set the latency thresholds once the baseline has shown enough.

    Raises:
        Invalid, Corrupt: what was seen, or the journal, cannot be folded; nothing is kept of it.
    """
    state = observed(judges.state(tx, rollout), seen)
    judged = report(state, max(rollout.step, 0), extensions=rollout.extensions)
    tx.put(
        JOURNAL,
        JournalRow(
            rollout=rollout.id,
            seq=rollout.rows,
            at=now,
            step=rollout.step,
            observations=seen,
            verdict=judged.verdict,
            evidence=dict(judged.evidence),
            extensions=rollout.extensions,
            observed_until=until,
        ),
    )
    changed = replace(rollout, rows=rollout.rows + 1, verdict=judged.verdict)
    if changed.thresholds is None and (found := thresholds(state, id=changed.rows)) is not None:
        changed = replace(changed, thresholds=found)
    tx.put(ROLLOUTS, changed)
    judges.keep(changed, state)
    return publish_rollout(tx, changed, now), judged


def _signal(rollout: Rollout, verdict: JudgeVerdict) -> Signal | None:
    """While a person was asked or said wait, only harm moves the rollout."""
    if verdict is JudgeVerdict.HARM:
        return Signal.HARM
    if rollout.phase is not Phase.PROGRESSING:
        return None
    if verdict is JudgeVerdict.SAFE:
        return when_safe(rollout)
    return Signal.INCONCLUSIVE if verdict is JudgeVerdict.INCONCLUSIVE else None


def outcome(judged: Report, since: float) -> Outcome:
    return Outcome(
        verdict=judged.verdict,
        metrics=judged.metrics,
        detail=sentence(judged),
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
