"""How each state of a thing is meant to be looked at. All tones stand here, so that a state without one is found by a test."""

from __future__ import annotations

from enum import StrEnum

from lockgate.domain.models import RequestState
from lockgate.domain.rollouts import Phase
from lockgate.domain.runs import RunStatus, StepStatus
from lockgate.domain.verdicts import GateVerdict, JudgeVerdict


class Tone(StrEnum):
    """`calm` needs nobody, `wait` needs time, `ask` needs a person, `bad` needs one now."""

    GOOD = "good"
    CALM = "calm"
    WAIT = "wait"
    ASK = "ask"
    BAD = "bad"


RUN_TONE = {
    RunStatus.RUNNING: Tone.WAIT,
    RunStatus.REGISTERED: Tone.GOOD,
    RunStatus.REFUSED: Tone.BAD,
    RunStatus.FAILED: Tone.BAD,
    RunStatus.INTERRUPTED: Tone.ASK,
}
STEP_TONE = {
    StepStatus.PENDING: Tone.CALM,
    StepStatus.RUNNING: Tone.WAIT,
    StepStatus.DONE: Tone.GOOD,
    StepStatus.REUSED: Tone.CALM,
    StepStatus.FAILED: Tone.BAD,
    StepStatus.SKIPPED: Tone.CALM,
}
GATE_TONE = {
    GateVerdict.PASS: Tone.GOOD,
    GateVerdict.FAIL: Tone.BAD,
    GateVerdict.INCONCLUSIVE: Tone.ASK,
    GateVerdict.ERROR: Tone.BAD,
    GateVerdict.WAIVED: Tone.WAIT,
}
REQUEST_TONE = {
    RequestState.OPEN: Tone.ASK,
    RequestState.APPROVED: Tone.GOOD,
    RequestState.REJECTED: Tone.BAD,
    RequestState.CANCELLED: Tone.CALM,
    RequestState.EXPIRED: Tone.CALM,
}
PHASE_TONE = {
    Phase.PREPARING: Tone.WAIT,
    Phase.PREVIEW: Tone.ASK,
    Phase.PROGRESSING: Tone.WAIT,
    Phase.AWAITING: Tone.ASK,
    Phase.PAUSED: Tone.ASK,
    Phase.HOLDING: Tone.ASK,
    Phase.PROMOTED: Tone.GOOD,
    Phase.ABORTED: Tone.BAD,
}
VERDICT_TONE = {
    JudgeVerdict.SAFE: Tone.GOOD,
    JudgeVerdict.HARM: Tone.BAD,
    JudgeVerdict.WAIT: Tone.WAIT,
    JudgeVerdict.INCONCLUSIVE: Tone.ASK,
    JudgeVerdict.WINNER: Tone.GOOD,
    JudgeVerdict.ROUTER_FAULT: Tone.ASK,
}
