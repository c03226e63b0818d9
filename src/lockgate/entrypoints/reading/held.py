"""A hold-back in words and figures: what pages, command line and API tell of the time after a promotion."""

from __future__ import annotations

from dataclasses import dataclass

from lockgate.domain.holds import Hold, HoldEnd
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.entrypoints.reading.words import moment, percent
from lockgate.ports.state import HOLD_ROWS, Reader
from lockgate.stages.deliver.guard import begin
from lockgate.stages.deliver.hold_evidence import rates
from lockgate.stages.deliver.journal import BY_REQUEST
from lockgate.usecases.find_holds import hold_after


@dataclass(frozen=True, slots=True)
class Side:
    """How often an event came about, and of how many, with the promoted version and with the one held back."""

    event: str
    promoted: tuple[int, int]
    before: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Held:
    """evidence: natural logarithms of the detectors' values, by metric and as `harm`, their sum; at `bound` it is an alarm."""

    hold: Hold
    says: str
    sides: tuple[Side, ...]
    evidence: dict[str, float]
    verdict: JudgeVerdict
    bound: float

    @property
    def tag(self) -> str:
        """What a page that shows it depends on."""
        seen = self.hold.promoted.completed + self.hold.before.completed
        return f"{self.hold.state.value}.{self.hold.looks}.{seen}"


def held_after(tx: Reader, rollout: str) -> Held | None:
    """What the rollout's promotion left behind; None if nothing."""
    hold = hold_after(tx, rollout)
    if hold is None:
        return None
    row = tx.get(HOLD_ROWS, hold.id, hold.rows - 1) if hold.rows else None
    sides = tuple(Side(event, *both) for event, both in rates(hold).items())
    evidence, verdict = (row.evidence, row.verdict) if row else ({}, JudgeVerdict.WAIT)
    return Held(hold, held_line(hold), sides, evidence, verdict, begin(hold).bound)


def held_line(hold: Hold) -> str:
    """One sentence."""
    what = f"{percent(hold.weight)} of {'requests' if hold.unit == BY_REQUEST else 'units'}"
    what += ", other ones every day," if hold.window and hold.ended_at is None else ""
    if hold.ended_at is None:
        return f"Version {hold.baseline} keeps {what} until {moment(hold.until)}, so that late labels have a comparison."
    over = f"Version {hold.baseline} kept {what} until {moment(hold.ended_at)}"
    return f"{over}: {hold.detail}." if hold.detail else f"{over}: {_WHY[hold.end or HoldEnd.PASSED]}."


_WHY = {
    HoldEnd.PASSED: "its time was over",
    HoldEnd.HARM: "harm was found",
    HoldEnd.SUPERSEDED: "the next rollout began",
    HoldEnd.ROLLED_BACK: "it was rolled back",
    HoldEnd.RELEASED: "a person gave them to the promoted version",
    HoldEnd.LOST: "it could not be loaded any more",
    HoldEnd.LEFT: "the promoted version left Production",
    HoldEnd.UNJUDGED: "what was observed cannot be compared",
    HoldEnd.ROUTER_FAULT: "units did not meet the versions by their shares",
}
