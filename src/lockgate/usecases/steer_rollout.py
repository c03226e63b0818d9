"""Give a rollout a signal, from a person or from the evidence, with all that follows from it in one transaction."""

from __future__ import annotations

from datetime import datetime

from lockgate.domain.environments import STAGE_OF
from lockgate.domain.events import Action, Happened
from lockgate.domain.people import Actor
from lockgate.domain.rollouts import Outcome, Phase, Rollout, Signal, Strategy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.kernel.errors import Refused
from lockgate.kernel.quantities import format_share
from lockgate.ports.state import ROLLOUTS, Writer
from lockgate.stages.deliver.rollout import advance, asked_for, entering, met, skipped_yes, under_way, weight
from lockgate.usecases.apply_stage import apply_stage
from lockgate.usecases.find_rollouts import rollouts_under_way
from lockgate.usecases.find_things import rollout_by, version_of
from lockgate.usecases.hold_back import begin_hold
from lockgate.usecases.name_champion import name_champion
from lockgate.usecases.publish_routes import publish_rollout
from lockgate.usecases.world import World

_ACTION = {
    Signal.READY: Action.ROLLOUT_STEPPED,
    Signal.SAFE: Action.ROLLOUT_STEPPED,
    Signal.PROVEN: Action.ROLLOUT_PROMOTED,
    Signal.PROMOTE: Action.ROLLOUT_PROMOTED,
    Signal.SHOWN: Action.ROLLOUT_SHOWN,
    Signal.ASK: Action.ROLLOUT_AWAITING,
    Signal.APPROVED: Action.ROLLOUT_STEPPED,
    Signal.ROUTER_FAULT: Action.ROLLOUT_HELD,
    Signal.HARM: Action.ROLLOUT_ABORTED,
    Signal.UNLOADABLE: Action.ROLLOUT_ABORTED,
    Signal.ABORT: Action.ROLLOUT_ABORTED,
    Signal.INCONCLUSIVE: Action.ROLLOUT_HELD,
    Signal.PAUSE: Action.ROLLOUT_PAUSED,
    Signal.RESUME: Action.ROLLOUT_RESUMED,
}


def steer(world: World, rollout_id: str, signal: Signal, actor: Actor, reason: str = "") -> Rollout:
    """A person's signal: pause, resume, promote or abort.

    Raises:
        NotFound: no such rollout. IllegalSignal: it cannot take the signal now. Refused: a promotion would pass by a step that
        needs people's yes, or bring in what no worker can load.
    """
    now = world.clock.now()
    with world.state.write() as tx:
        rollout = rollout_by(tx, rollout_id)
        if signal is Signal.PROMOTE and under_way(rollout):
            _check_nobody_is_passed_by(rollout)
            _check_it_can_be_loaded(rollout)
        return give_signal(tx, rollout, signal, actor, now, Outcome(rollout.verdict, detail=reason))


def _check_nobody_is_passed_by(rollout: Rollout) -> None:
    step = skipped_yes(rollout)
    if step is not None:
        raise Refused(
            f"the step of {format_share(rollout.steps[step])} of rollout {rollout.id} needs the yes of"
            f" {asked_for(rollout, step)} more: nobody may promote the version past them",
            hint=f"They can say it as soon as the rollout asks for it: lockgate rollout approve {rollout.id}",
        )


def _check_it_can_be_loaded(rollout: Rollout) -> None:
    why = next((one.gone for one in rollout.contestants if one.version == rollout.version and one.gone), "")
    if why:
        raise Refused(
            f"version {rollout.version}, which rollout {rollout.id} would bring in, cannot be loaded: {why}",
            hint=f"Let the others go on, or end the contest: lockgate rollout abort {rollout.id}",
        )


def give_signal(tx: Writer, rollout: Rollout, signal: Signal, actor: Actor, now: datetime, outcome: Outcome) -> Rollout:
    """The rollout after the signal, with stage, alias, routes and events as they follow from it."""
    changed = advance(rollout, signal, now, outcome)
    tx.put(ROLLOUTS, changed)
    tx.record(_happened(changed, signal, actor, now, outcome))
    if changed.phase is Phase.PROMOTED:
        version = version_of(tx, changed.model, entering(changed))
        if changed.segment:
            name_champion(tx, changed, version, actor, now)
        else:
            apply_stage(tx, version, STAGE_OF[changed.environment], actor, now)
        begin_hold(tx, changed, actor, now)
        _end_those_beside(tx, changed, actor, now)
    return publish_rollout(tx, changed, now)


def _end_those_beside(tx: Writer, promoted: Rollout, actor: Actor, now: datetime) -> None:
    """What was compared with a version that serves no more: what it has shown is no proof now. Shadows beside the promoted one
    are, and where the general champion changed, rollouts in segments without a champion of their own.
    """
    for other in rollouts_under_way(tx, promoted.model):
        general = not promoted.segment and not other.own
        if other.environment == promoted.environment and (general or other.segment == promoted.segment):
            said = (
                f"version {entering(promoted)} was promoted in place of version {other.baseline}, with which this one was"
                f" compared: request it again, and it is compared with version {entering(promoted)}"
            )
            give_signal(tx, other, Signal.ABORT, actor, now, Outcome(other.verdict, detail=said))


def _happened(rollout: Rollout, signal: Signal, actor: Actor, now: datetime, outcome: Outcome) -> Happened:
    details: dict[str, object] = {"signal": signal.value, "weight": weight(rollout)}
    if rollout.segment:
        details["segment"] = rollout.segment
    if rollout.strategy is Strategy.SHADOW:
        details["share"] = met(rollout)
    if outcome.detail:
        details["detail"] = outcome.detail
    if outcome.verdict in (JudgeVerdict.HARM, JudgeVerdict.SAFE) and outcome.metrics:
        details["metrics"] = list(outcome.metrics)
    if rollout.winner is not None:
        details["winner"] = rollout.winner
    action = _ACTION[signal]
    return Happened(action, actor.name, actor.authenticated, now, rollout.id, rollout.model, rollout.version, details)
