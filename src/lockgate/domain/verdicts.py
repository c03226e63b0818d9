"""Verdicts have more than two values: could-not-tell is neither good nor bad, and never counts as a pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class GateVerdict(StrEnum):
    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    ERROR = "ERROR"
    WAIVED = "WAIVED"  # no gate measures it: a person answers for what was measured, until a day


class JudgeVerdict(StrEnum):
    HARM = "HARM"
    SAFE = "SAFE"
    WAIT = "WAIT"
    INCONCLUSIVE = "INCONCLUSIVE"
    WINNER = "WINNER"  # of a contest: one arm is better than every other
    ROUTER_FAULT = "ROUTER_FAULT"  # units did not meet the arms as the weights say: nothing else can be said then


@dataclass(frozen=True, slots=True)
class Waived:
    """Who answers for a gate that did not pass, until when, and why. waiver: the id of a domain.waivers.Waiver."""

    waiver: str
    by: str
    until: datetime
    why: str


@dataclass(frozen=True, slots=True)
class GateResult:
    """One gate's verdict with what it was based on. `measured` holds numbers by name, for people and machines alike.

    verdict: always as measured, also where it was waived. waived: as it stood when the run was judged; whether it still counts
    is for `stages.decide.waiving.effective` to say, at the time of asking.
    """

    gate: str  # quality, …
    rule: str  # as written in the project file
    verdict: GateVerdict
    detail: str
    measured: dict[str, Any] = field(default_factory=dict)
    waived: Waived | None = None

    @property
    def judged(self) -> GateVerdict:
        """The verdict that counted when `waived` was set."""
        return self.verdict if self.waived is None else GateVerdict.WAIVED


_BADNESS = (GateVerdict.PASS, GateVerdict.WAIVED, GateVerdict.INCONCLUSIVE, GateVerdict.FAIL, GateVerdict.ERROR)
PASSED = frozenset({GateVerdict.PASS, GateVerdict.WAIVED})  # with these the journey goes on


def worst(verdicts: list[GateVerdict]) -> GateVerdict:
    """The verdict of several gates together; of none: PASS."""
    return max(verdicts, key=_BADNESS.index, default=GateVerdict.PASS)
