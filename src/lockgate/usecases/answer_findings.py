"""What a finding sets off: a trigger for each action that the project asks for, fired or suppressed; a job for a retraining."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from lockgate.domain.events import Action, Happened
from lockgate.domain.findings import Finding, Job, JobState, Trigger, TriggerDecision
from lockgate.domain.models import ModelVersion, RequestState, Stage
from lockgate.domain.people import WATCH
from lockgate.kernel.digest import digest_json, short
from lockgate.ports.state import JOBS, LABELS, REQUESTS, TRIGGERS, VERSIONS, Reader, Writer
from lockgate.stages.watch.spec import RetrainSpec, WatchSpec
from lockgate.stages.watch.triggers import RETRAIN, Choice, History, Retraining, decide
from lockgate.usecases.find_rollouts import rollouts_under_way

_LOOKED_BACK = 200  # triggers and jobs; more than any budget's runs in its period


@dataclass(frozen=True, slots=True)
class Answer:
    trigger: Trigger
    job: Job | None = None


def answer(tx: Reader, finding: Finding, version: ModelVersion, folder: str, spec: WatchSpec, now: datetime) -> list[Answer]:
    """What is to be kept about this finding that is not kept yet: nothing, when every action has the answer that it had."""
    actions = spec.on.get(finding.kind, ())
    if not actions:
        return []
    history = _history(tx, version, spec.retrain) if RETRAIN in actions else History()
    answers = (_answer(finding, choice, folder, now) for choice in decide(finding.id, actions, spec.retrain, history, now))
    return [one for one in answers if tx.get(TRIGGERS, one.trigger.id) is None]


def keep_answer(tx: Writer, answer: Answer, version: ModelVersion) -> None:
    trigger = answer.trigger
    tx.add(TRIGGERS, trigger)
    if answer.job:
        tx.add(JOBS, answer.job)
    action = Action.TRIGGER_FIRED if trigger.decision is TriggerDecision.FIRED else Action.TRIGGER_SUPPRESSED
    details = {"finding": trigger.finding, "action": trigger.action, "reason": trigger.reason, "job": trigger.job}
    happened = Happened(
        action=action,
        actor=WATCH.name,
        authenticated=WATCH.authenticated,
        at=trigger.at,
        subject=trigger.id,
        model=trigger.model,
        version=version.version,
        details=details,
    )
    tx.record(happened)


def _answer(finding: Finding, choice: Choice, folder: str, now: datetime) -> Answer:
    """Ids follow from the finding and the answer: the same answer twice is one."""
    name = short(digest_json([finding.id, choice.action, choice.cause]))
    job = None
    if choice.action == RETRAIN and choice.decision is TriggerDecision.FIRED:
        cause = f"{finding.kind.value} of version {finding.version} ({finding.id})"
        job = Job(f"job-{name}", finding.model, folder, cause, JobState.QUEUED, now)
    trigger = Trigger(
        id=f"trigger-{name}",
        model=finding.model,
        finding=finding.id,
        action=choice.action,
        decision=choice.decision,
        reason=choice.reason,
        at=now,
        job=job.id if job else None,
    )
    return Answer(trigger, job)


def _history(tx: Reader, version: ModelVersion, spec: RetrainSpec) -> History:
    model = version.model
    jobs = tx.find(JOBS, model=model, newest_first=True, limit=_LOOKED_BACK)
    fired = tx.find(TRIGGERS, model=model, decision=TriggerDecision.FIRED.value, newest_first=True, limit=_LOOKED_BACK)
    retrainings = tuple(_retraining(one, jobs) for one in fired if one.job)
    since = max([version.created_at, *(one.at for one in retrainings)])
    return History(
        retrainings=retrainings,
        failures=_failures(tx, model, jobs),
        open_job=next((job.id for job in jobs if not _over(job)), None),
        underway=_underway(tx, version),
        new_labels=_labels_since(tx, model, since.timestamp(), spec.min_new_labels),
    )


def _retraining(trigger: Trigger, jobs: Sequence[Job]) -> Retraining:
    """The trigger with how its job ended; a job too old to be looked at was no success that still matters."""
    job = next((job for job in jobs if job.id == trigger.job), None)
    succeeded = job is not None and job.state is JobState.DONE
    return Retraining(trigger.finding, trigger.at, succeeded if job is None or _over(job) else None)


def _over(job: Job) -> bool:
    return job.state in (JobState.DONE, JobState.FAILED)


def _failures(tx: Reader, model: str, jobs: Iterable[Job]) -> int:
    """Runs that failed since one made a version, also one that nobody queued."""
    newest = tx.find(VERSIONS, model=model, newest_first=True, limit=1)
    failures = 0
    for job in filter(_over, jobs):
        if job.state is JobState.DONE or (newest and job.created_at < newest[0].created_at):
            break
        failures += 1
    return failures


def _underway(tx: Reader, version: ModelVersion) -> str:
    """A newer version that rolls out, or that somebody is asked to let into Production."""
    for rollout in rollouts_under_way(tx, version.model):
        if rollout.version > version.version:
            return f"version {rollout.version} is {rollout.phase.value} ({rollout.id})"
    for request in tx.find(REQUESTS, model=version.model, state=RequestState.OPEN.value):
        if request.version > version.version and request.to_stage is Stage.PRODUCTION:
            return f"version {request.version} waits for a decision ({request.id})"
    return ""


def _labels_since(tx: Reader, model: str, since: float, needed: int) -> int:
    """How many of the newest labels are of predictions answered from `since` on; `needed` are enough.

    Labels come about in the order of their answers, so the place where they become older is found by halving.
    """
    low, high = 0, needed
    while low < high:
        middle = (low + high) // 2
        label = tx.find(LABELS, model=model, newest_first=True, limit=1, offset=middle)
        if label and label[0].answered_at >= since:
            low = middle + 1
        else:
            high = middle
    return low
