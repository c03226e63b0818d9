"""Verdicts have more than two values: could-not-tell is neither good nor bad, and never counts as a pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class GateVerdict(StrEnum):
    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    ERROR = "ERROR"


class JudgeVerdict(StrEnum):
    HARM = "HARM"
    SAFE = "SAFE"
    WAIT = "WAIT"
    INCONCLUSIVE = "INCONCLUSIVE"
    WINNER = "WINNER"  # of a contest: one arm is better than every other
    ROUTER_FAULT = "ROUTER_FAULT"  # units did not meet the arms as the weights say: nothing else can be said then


@dataclass(frozen=True, slots=True)
class GateResult:
    """One gate's verdict with what it was based on. `measured` holds numbers by name, for people and machines alike."""

    gate: str  # quality, …
    rule: str  # as written in the project file
    verdict: GateVerdict
    detail: str
    measured: dict[str, Any] = field(default_factory=dict)


_BADNESS = (GateVerdict.PASS, GateVerdict.INCONCLUSIVE, GateVerdict.FAIL, GateVerdict.ERROR)


def worst(verdicts: list[GateVerdict]) -> GateVerdict:
    """The verdict of several gates together; of none: PASS."""
    return max(verdicts, key=_BADNESS.index, default=GateVerdict.PASS)
