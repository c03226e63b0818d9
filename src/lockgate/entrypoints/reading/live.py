"""What is live: which version answers which share of a model's traffic, since when, and who brought it there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lockgate.domain.environments import PRODUCTION
from lockgate.domain.events import Action
from lockgate.domain.models import ModelVersion, RequestState, Stage, TransitionRequest
from lockgate.domain.rollouts import Rollout
from lockgate.ports.state import REQUESTS, VERSIONS, Reader
from lockgate.stages.deliver.rollout import weight
from lockgate.usecases.find_rollouts import rollouts_under_way


@dataclass(frozen=True, slots=True)
class Live:
    """version: what stands in Production, None if nothing does. share: of units that it answers, 0..1.

    on_trial, trial_share: the version of the rollout under way, and what it answers.
    """

    model: str
    version: int | None
    share: float
    since: datetime | None
    by: str | None
    staging: int | None
    rollout: str | None
    on_trial: int | None
    trial_share: float


def live_models(tx: Reader, models: list[str]) -> dict[str, Live]:
    """For each model named; the number of reads hardly grows with the number of models."""
    production = {one.model: one for one in tx.find(VERSIONS, stage=Stage.PRODUCTION.value)}
    staging = {one.model: one for one in tx.find(VERSIONS, stage=Stage.STAGING.value)}
    trials = trials_in_production(tx)
    return {name: _live(tx, name, production.get(name), staging.get(name), trials.get(name)) for name in models}


def trials_in_production(tx: Reader) -> dict[str, Rollout]:
    """By model, the rollout under way into production: there is at most one."""
    return {one.model: one for one in rollouts_under_way(tx) if one.environment == PRODUCTION}


def waiting_requests(tx: Reader) -> list[TransitionRequest]:
    """Requests that wait for people."""
    return tx.find(REQUESTS, state=RequestState.OPEN.value)


def _live(tx: Reader, model: str, standing: ModelVersion | None, staged: ModelVersion | None, trial: Rollout | None) -> Live:
    since, by = entered_stage(tx, standing) if standing else (None, None)
    share = weight(trial) if trial else 0.0
    return Live(
        model=model,
        version=standing.version if standing else None,
        share=1.0 - share if standing else 0.0,
        since=since,
        by=by,
        staging=staged.version if staged else None,
        rollout=trial.id if trial else None,
        on_trial=trial.version if trial else None,
        trial_share=share,
    )


def entered_stage(tx: Reader, version: ModelVersion) -> tuple[datetime | None, str | None]:
    """When the version came to the stage where it stands, and who brought it there, as its events tell."""
    subject = f"{version.model}/{version.version}"
    for event in tx.events(subject=subject, newest_first=True, limit=50):
        if event.happened.action is Action.STAGE_APPLIED:
            return event.happened.at, event.happened.actor
    return None, None
