"""The rollout's state machine: a table, and what each transition does to the rollout. Everything that moves a rollout is here.

`docs/explanation/rollout.md` draws the table; a test keeps drawing and table in step.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from lockgate.domain.holds import Compared
from lockgate.domain.rollouts import Outcome, Phase, Plan, RampStep, Rollout, Signal, Strategy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.kernel.machine import Machine

MACHINE: Machine[Phase, Signal] = Machine(
    "The rollout",
    {
        Phase.PREPARING: {
            Signal.READY: Phase.PROGRESSING,
            Signal.PROVEN: Phase.PROMOTED,  # replace: there is no step to prove
            Signal.SHOWN: Phase.PREVIEW,
            Signal.UNLOADABLE: Phase.ABORTED,
            Signal.ABORT: Phase.ABORTED,
        },
        Phase.PREVIEW: {
            Signal.PROVEN: Phase.PROMOTED,
            Signal.PROMOTE: Phase.PROMOTED,
            Signal.UNLOADABLE: Phase.ABORTED,
            Signal.ABORT: Phase.ABORTED,
        },
        Phase.PROGRESSING: {
            Signal.SAFE: Phase.PROGRESSING,
            Signal.ASK: Phase.AWAITING,
            Signal.PROVEN: Phase.PROMOTED,
            Signal.HARM: Phase.ABORTED,
            Signal.INCONCLUSIVE: Phase.HOLDING,
            Signal.ROUTER_FAULT: Phase.HOLDING,
            Signal.UNLOADABLE: Phase.ABORTED,
            Signal.PAUSE: Phase.PAUSED,
            Signal.PROMOTE: Phase.PROMOTED,
            Signal.ABORT: Phase.ABORTED,
        },
        Phase.AWAITING: {
            Signal.APPROVED: Phase.PROGRESSING,
            Signal.HARM: Phase.ABORTED,
            Signal.ROUTER_FAULT: Phase.HOLDING,
            Signal.UNLOADABLE: Phase.ABORTED,
            Signal.ABORT: Phase.ABORTED,
        },
        Phase.PAUSED: {
            Signal.RESUME: Phase.PROGRESSING,
            Signal.HARM: Phase.ABORTED,  # a pause stops the ramp, never the guard
            Signal.UNLOADABLE: Phase.ABORTED,
            Signal.PROMOTE: Phase.PROMOTED,
            Signal.ABORT: Phase.ABORTED,
        },
        Phase.HOLDING: {
            Signal.RESUME: Phase.PROGRESSING,
            Signal.HARM: Phase.ABORTED,
            Signal.UNLOADABLE: Phase.ABORTED,
            Signal.PROMOTE: Phase.PROMOTED,
            Signal.ABORT: Phase.ABORTED,
        },
        Phase.PROMOTED: {},
        Phase.ABORTED: {},
    },
)
ENDED = tuple(phase for phase in Phase if MACHINE.final(phase))
UNDER_WAY = tuple(phase for phase in Phase if not MACHINE.final(phase))
CONTESTS = (Strategy.AB, Strategy.BANDIT)
PAIRED = (
    Strategy.SHADOW,
    Strategy.ONLINE,
)  # judged by what version and champion say of the same; nobody gets the version's answers
_KEPT = 500  # of a contest's ramp: labels of predictions under earlier revisions come too late to be evidence


def advance(rollout: Rollout, signal: Signal, now: datetime, outcome: Outcome | None = None) -> Rollout:
    """The rollout after `signal`.

    Raises:
        IllegalSignal: the rollout cannot take it now; nothing changes.
    """
    phase = MACHINE.after(rollout.phase, signal)
    changed = replace(rollout, phase=phase)
    if signal in (Signal.READY, Signal.SAFE, Signal.APPROVED):
        changed = replace(changed, step=rollout.step + 1)
    if signal is Signal.SHOWN:
        changed = replace(changed, shown_at=now)
    if signal is Signal.ASK:  # who said yes when the step was asked for before said it to other evidence
        changed = replace(changed, approvals=tuple(one for one in rollout.approvals if one.step != rollout.step + 1))
    if signal is Signal.RESUME and rollout.phase is Phase.HOLDING:
        changed = replace(changed, extensions=rollout.extensions + 1)
    if MACHINE.final(phase):
        changed = replace(changed, ended_at=now, outcome=outcome)
    return changed


def weight(rollout: Rollout) -> float:
    """The share of units, 0..1, that the version answers in the rollout's phase and step; in a contest all challengers do."""
    if rollout.contestants:
        return 1.0 - shares(rollout)[0]
    if rollout.phase is Phase.PROMOTED:
        return 1.0
    if rollout.phase is Phase.ABORTED or rollout.step < 0 or not rollout.steps:
        return 0.0
    return rollout.steps[rollout.step]


def shares(rollout: Rollout) -> tuple[float, ...]:
    """Of a contest's arms, the champion's first; none of other rollouts."""
    if rollout.phase is Phase.PROMOTED or rollout.phase is Phase.ABORTED or rollout.step < 0:
        standing = entering(rollout) if rollout.phase is Phase.PROMOTED else rollout.baseline
        return tuple(float(one.version == standing) for one in rollout.contestants)
    return tuple(one.weight for one in rollout.contestants)


def entering(rollout: Rollout) -> int:
    """The version that a promotion brings in: the challenger that won, else the one that the rollout is of."""
    return rollout.version if rollout.winner in (None, rollout.baseline) else rollout.winner


def with_step(rollout: Rollout, step: RampStep) -> Rollout:
    """The rollout with one more step in its ramp.

    A bandit changes its shares for as long as it runs, so of a contest only the last ones are kept, and the first, under which
    the champion answered everybody: what came under those between is taken for that, and is no evidence.
    """
    ramp = (*rollout.ramp, step)
    if rollout.contestants and len(ramp) > _KEPT:
        ramp = (ramp[0], *ramp[-_KEPT + 1 :])
    return replace(rollout, ramp=ramp)


def met(rollout: Rollout) -> float:
    """The share of units, 0..1, that meet the version: it answers them or, as a shadow, is asked what they ask."""
    asked = rollout.strategy is Strategy.SHADOW and rollout.step >= 0 and under_way(rollout)
    return rollout.share if asked else weight(rollout)


def under_way(rollout: Rollout) -> bool:
    return rollout.phase in UNDER_WAY


_WHEN_READY = {
    Strategy.REPLACE: Signal.PROVEN,
    Strategy.SHADOW: Signal.READY,
    Strategy.CANARY: Signal.READY,
    Strategy.AB: Signal.READY,
    Strategy.BANDIT: Signal.READY,
    Strategy.ONLINE: Signal.READY,
    Strategy.BLUE_GREEN: Signal.SHOWN,
}


def when_ready(rollout: Rollout) -> Signal:
    """What it means that every worker can answer with the version: the first step, or all there is to prove."""
    return _WHEN_READY[rollout.strategy]


def when_safe(rollout: Rollout) -> Signal:
    """What it means that the present step is proven."""
    following = rollout.step + 1
    if following >= len(rollout.steps):
        return Signal.PROVEN
    return Signal.ASK if asked_for(rollout, following) > 0 else Signal.SAFE


def when_won(rollout: Rollout) -> Signal:
    """What it means that an arm of a contest won: a challenger comes in; where the champion did, there is nothing to bring in."""
    return Signal.ABORT if rollout.winner == rollout.baseline else Signal.PROVEN


def digests(rollout: Rollout) -> tuple[str, ...]:
    """The packages that must be loaded for it. What a contest has dropped is not needed any more."""
    left = (one.digest for one in rollout.contestants if not one.out and one.version != rollout.baseline)
    return tuple(left) or (rollout.digest,)


def when_judged(rollout: Rollout) -> Signal | None:
    """What the judge's last word means.

    While a person was asked or said wait, only harm moves the rollout; a router's fault hands it to a person.
    """
    verdict = rollout.verdict
    if verdict is JudgeVerdict.HARM:
        return Signal.HARM
    if verdict is JudgeVerdict.ROUTER_FAULT:
        return Signal.ROUTER_FAULT if rollout.phase in (Phase.PROGRESSING, Phase.AWAITING) else None
    if rollout.phase is not Phase.PROGRESSING:
        return None
    if verdict is JudgeVerdict.SAFE:
        return when_safe(rollout)
    if verdict is JudgeVerdict.WINNER:
        return when_won(rollout)
    if verdict is JudgeVerdict.INCONCLUSIVE:  # the next checkpoint is judged: nobody need be bothered with this one
        return Signal.ABORT if rollout.strategy is Strategy.ONLINE else Signal.INCONCLUSIVE
    return None


def asked_for(rollout: Rollout, step: int) -> int:
    """How many people must still say yes before `step` may begin."""
    needed = rollout.yes[step] if step < len(rollout.yes) else 0
    return max(0, needed - len(set(said_yes(rollout, step))))


def awaited_step(rollout: Rollout) -> int | None:
    """The step that people are asked about; None while nobody is asked."""
    following = rollout.step + 1
    return following if rollout.phase is Phase.AWAITING and following < len(rollout.steps) else None


def said_yes(rollout: Rollout, step: int) -> tuple[str, ...]:
    """Who said yes to the step, in the order in which they did."""
    return tuple(one.by for one in rollout.approvals if one.step == step)


def skipped_yes(rollout: Rollout) -> int | None:
    """The first step ahead that needs people's yes, which a promotion now would do without; None if there is none."""
    ahead = range(rollout.step + 1, len(rollout.steps))
    return next((step for step in ahead if asked_for(rollout, step)), None)


def preview_ends(rollout: Rollout) -> datetime | None:
    """When a preview switches by itself; None where a person does, and outside a preview."""
    if rollout.phase is not Phase.PREVIEW or rollout.shown_at is None or rollout.preview is None:
        return None
    return rollout.shown_at + timedelta(seconds=rollout.preview)


def has_judge(plan: Plan | Rollout) -> bool:
    """Whether there is anything to prove by evidence."""
    return plan.strategy in (Strategy.SHADOW, Strategy.CANARY, Strategy.ONLINE, *CONTESTS)


def weight_at(rollout: Compared, epoch: int, n: int) -> float | None:
    """How probably a unit assigned under route revision (epoch, n) met the version; None: the rollout had not begun."""
    found = None
    for ramp in rollout.ramp:
        if (ramp.epoch, ramp.n) <= (epoch, n):
            found = ramp.weight
    return found
