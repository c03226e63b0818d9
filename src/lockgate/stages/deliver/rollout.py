"""The rollout's state machine: a table, and what each transition does to the rollout. Everything that moves a rollout is here.

`docs/explanation/rollout.md` draws the table; a test keeps drawing and table in step.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from lockgate.domain.rollouts import Outcome, Phase, Rollout, Signal
from lockgate.kernel.machine import Machine

MACHINE: Machine[Phase, Signal] = Machine(
    "The rollout",
    {
        Phase.PREPARING: {
            Signal.READY: Phase.PROGRESSING,
            Signal.PROVEN: Phase.PROMOTED,  # replace: there is no step to prove
            Signal.UNLOADABLE: Phase.ABORTED,
            Signal.ABORT: Phase.ABORTED,
        },
        Phase.PROGRESSING: {
            Signal.SAFE: Phase.PROGRESSING,
            Signal.PROVEN: Phase.PROMOTED,
            Signal.HARM: Phase.ABORTED,
            Signal.INCONCLUSIVE: Phase.HOLDING,
            Signal.UNLOADABLE: Phase.ABORTED,
            Signal.PAUSE: Phase.PAUSED,
            Signal.PROMOTE: Phase.PROMOTED,
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


def advance(rollout: Rollout, signal: Signal, now: datetime, outcome: Outcome | None = None) -> Rollout:
    """The rollout after `signal`.

    Raises:
        IllegalSignal: the rollout cannot take it now; nothing changes.
    """
    phase = MACHINE.after(rollout.phase, signal)
    changed = replace(rollout, phase=phase)
    if signal in (Signal.READY, Signal.SAFE):
        changed = replace(changed, step=rollout.step + 1)
    if signal is Signal.RESUME and rollout.phase is Phase.HOLDING:
        changed = replace(changed, extensions=rollout.extensions + 1)
    if MACHINE.final(phase):
        changed = replace(changed, ended_at=now, outcome=outcome)
    return changed


def weight(rollout: Rollout) -> float:
    """The canary's share of units, 0..1, in the rollout's present phase and step."""
    if rollout.phase is Phase.PROMOTED:
        return 1.0
    if rollout.phase in (Phase.PREPARING, Phase.ABORTED) or rollout.step < 0:
        return 0.0
    return rollout.steps[rollout.step]


def under_way(rollout: Rollout) -> bool:
    return rollout.phase in UNDER_WAY


def when_ready(rollout: Rollout) -> Signal:
    """What it means that every worker can answer with the version: the first step, or all there is to prove."""
    return Signal.READY if rollout.steps else Signal.PROVEN


def when_safe(rollout: Rollout) -> Signal:
    return Signal.SAFE if rollout.step + 1 < len(rollout.steps) else Signal.PROVEN


def weight_at(rollout: Rollout, epoch: int, n: int) -> float | None:
    """How probably a unit assigned under route revision (epoch, n) met the canary; None: the rollout had not begun."""
    found = None
    for ramp in rollout.ramp:
        if (ramp.epoch, ramp.n) <= (epoch, n):
            found = ramp.weight
    return found
