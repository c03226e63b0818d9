"""A finding asks for actions; is each to be taken now? Retraining has brakes, and a brake that holds says why.

While a finding stands, a retraining that was suppressed is asked for again at each tick: a cooldown ends, labels come in. `cause`
names the answer, so that the same answer to the same question is recorded once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from lockgate.domain.findings import TriggerDecision
from lockgate.kernel.quantities import format_duration
from lockgate.stages.watch.spec import RetrainSpec

RETRAIN = "retrain"
Held = tuple[str, str] | None  # cause and reason
MAX_FAILURES = 3  # consecutive retrainings without a version: the circuit opens


@dataclass(frozen=True, slots=True)
class Retraining:
    """One that a finding caused. `succeeded` is None while it is not over; success = a version was registered."""

    finding: str
    at: datetime
    succeeded: bool | None


@dataclass(frozen=True, slots=True)
class History:
    """What the brakes look at.

    retrainings: newest first. failures: consecutive runs of the model, newest first, that ended without a version, whoever asked.
    open_job: the id of a run that waits or goes on. underway: what newer version is on its road, as a clause; empty = none.
    new_labels: labels of predictions answered since the last retraining, or since the version was made.
    """

    retrainings: tuple[Retraining, ...] = ()
    failures: int = 0
    open_job: str | None = None
    underway: str = ""
    new_labels: int = 0


@dataclass(frozen=True, slots=True)
class Choice:
    action: str
    decision: TriggerDecision
    cause: str
    reason: str


def decide(finding: str, actions: Iterable[str], spec: RetrainSpec, history: History, now: datetime) -> tuple[Choice, ...]:
    """For each action that the project asks for: fired or suppressed, and why. `finding` is the finding's id.

    Nothing is decided about a retraining that this finding has caused already, unless it failed.
    """
    asked = [action for action in dict.fromkeys(actions) if action != RETRAIN or not _answered(finding, history)]
    return tuple(
        _retrain(finding, spec, history, now)
        if action == RETRAIN
        else Choice(action, TriggerDecision.FIRED, "fired", "recorded for people")
        for action in asked
    )


def _retrain(finding: str, spec: RetrainSpec, history: History, now: datetime) -> Choice:
    held = (
        _busy(history)
        or _circuit(history)
        or _cooldown(spec, history, now)
        or _budget(spec, history, now)
        or _labels(spec, history)
    )
    if held:
        return Choice(RETRAIN, TriggerDecision.SUPPRESSED, *held)
    earlier = sum(one.finding == finding for one in history.retrainings)
    reason = f"{history.new_labels} new labels; no brake holds"
    return Choice(
        RETRAIN, TriggerDecision.FIRED, f"fired-{earlier}", reason + (f"; {earlier} earlier attempts failed" if earlier else "")
    )


def _answered(finding: str, history: History) -> bool:
    return any(one.finding == finding and one.succeeded is not False for one in history.retrainings)


def _busy(history: History) -> Held:
    if history.open_job is not None:
        return "busy", f"{history.open_job} is not over"
    return ("underway", history.underway) if history.underway else None


def _circuit(history: History) -> Held:
    if history.failures < MAX_FAILURES:
        return None
    return "circuit", f"the last {history.failures} runs made no version; a run that makes one closes the circuit"


def _cooldown(spec: RetrainSpec, history: History, now: datetime) -> Held:
    last = max((one.at for one in history.retrainings), default=None)
    cooldown = timedelta(seconds=spec.cooldown)
    if last is None or now >= last + cooldown:
        return None
    return (
        f"cooldown-{last.isoformat()}",
        f"cooldown of {format_duration(cooldown.total_seconds())} until {_moment(last + cooldown)}",
    )


def _budget(spec: RetrainSpec, history: History, now: datetime) -> Held:
    runs, period = spec.budget.count, timedelta(seconds=spec.budget.period)
    spent = sum(one.at > now - period for one in history.retrainings)
    return ("budget", f"{spent} of {runs} retrainings in {period} are spent") if spent >= runs else None


def _labels(spec: RetrainSpec, history: History) -> Held:
    if history.new_labels >= spec.min_new_labels:
        return None
    return "labels", f"{history.new_labels} new labels, {spec.min_new_labels} needed"


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
