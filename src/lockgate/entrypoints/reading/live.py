"""What is live: which version answers which share of a model's traffic, since when, who brought it there; and by what rules."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from lockgate.domain.environments import PRODUCTION
from lockgate.domain.events import Action
from lockgate.domain.holds import Hold
from lockgate.domain.models import ModelVersion, RequestState, Stage, TransitionRequest
from lockgate.domain.projects import Answers, TrafficRule
from lockgate.domain.rollouts import Phase, Rollout, Strategy
from lockgate.entrypoints.reading.segments import LiveSegment, live_segments
from lockgate.entrypoints.reading.staged import Staged, staged_in
from lockgate.entrypoints.reading.words import enumerated, moment
from lockgate.kernel.quantities import format_duration
from lockgate.ports.state import REQUESTS, VERSIONS, Reader
from lockgate.stages.deliver.rollout import weight
from lockgate.stages.deliver.routes import PREVIEW_HEADER, PREVIEWED, shadows_among, target
from lockgate.usecases.find_holds import holds_under_way
from lockgate.usecases.find_rollouts import rollouts_under_way
from lockgate.usecases.find_things import environment_of
from lockgate.usecases.note_missing_labels import missing_labels
from lockgate.usecases.publish_routes import route_table


@dataclass(frozen=True, slots=True)
class LiveRule:
    """leads_to: the version that answers what the rule sends; None while that one is not served, and the rule is left out."""

    rule: TrafficRule
    leads_to: int | None


@dataclass(frozen=True, slots=True)
class Live:
    """version: what stands in Production, None if nothing does. share: of units that it answers, 0..1.

    on_trial, trial_share: the version of the rollout under way, and what it answers. shadows: versions that are asked too, and
    answer nobody; then `on_trial` is the first of them. answers: how, as the project file says.
    rules: those of `answers`, and where they lead. held_back, held_share, held_until: the version before, which keeps a share
    for a while after a promotion. challengers: in a contest all versions that share `trial_share`. previewed: `on_trial` answers
    those who ask for it, and nobody else. missing_labels: what is said of rollouts whose labels do not come.
    segments: parts of the traffic that may have champions of their own; all else here is about the rest.
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
    answers: Answers
    rules: tuple[LiveRule, ...]
    shadows: tuple[int, ...] = ()
    held_back: int | None = None
    held_share: float = 0.0
    held_until: datetime | None = None
    challengers: tuple[int, ...] = ()
    staged: Staged | None = None
    previewed: bool = False
    checkpoint: bool = False  # `on_trial` is one of online learning: it is judged by rows of the log, and answers nobody
    missing_labels: tuple[str, ...] = ()
    segments: tuple[LiveSegment, ...] = ()


def live_models(tx: Reader, models: list[str]) -> dict[str, Live]:
    """For each model named; the number of reads hardly grows with the number of models."""
    production = {one.model: one for one in tx.find(VERSIONS, stage=Stage.PRODUCTION.value)}
    staging = {one.model: one for one in tx.find(VERSIONS, stage=Stage.STAGING.value)}
    trials = trials_in_production(tx)
    shadows, missing = _shadows(tx), _missing_labels(tx)
    holds = {one.model: one for one in holds_under_way(tx)}
    segments = live_segments(tx, models)
    loaded = {route.model: {arm.version for arm in route.arms} for route in route_table(tx).routes}
    told = {
        name: replace(
            _live(tx, name, production.get(name), staging.get(name), trials.get(name), loaded.get(name, set())),
            shadows=shadows.get(name, ()),
            staged=staged_in(tx, name) if name in staging else None,
            missing_labels=missing.get(name, ()),
            segments=segments[name],
        )
        for name in models
    }
    return {name: _beside(one, holds[name]) if name in holds else one for name, one in told.items()}


def _beside(live: Live, hold: Hold) -> Live:
    """The champion beside the version that is held back; a hold whose champion is gone has no share."""
    if live.version != hold.version:
        return live
    return replace(live, share=1.0 - hold.weight, held_back=hold.baseline, held_share=hold.weight, held_until=hold.until)


def answering_clause(live: Live) -> str:
    """`timeout 2s, redacts email, x-preview is yes → 4`: what is not as it is without being said; mostly nothing."""
    answers, usual = live.answers, Answers()
    said = [f"on failure {answers.on_failure.value}"] if answers.on_failure is not usual.on_failure else []
    said += [f"timeout {format_duration(answers.timeout)}"] if answers.timeout != usual.timeout else []
    said += [f"redacts {enumerated(answers.redacted)}"] if answers.redacted else []
    return ", ".join(said + [_rule_clause(one) for one in live.rules])


def trial_clause(live: Live) -> str:
    """`version 2 at 5% (rollout-…)`, `versions 2 and 3 as shadows`; of a preview how it is reached; empty while nothing is on
    trial.
    """
    if live.previewed:
        return f"version {live.on_trial} is previewed, for requests with {PREVIEW_HEADER}: {PREVIEWED} ({live.rollout})"
    if live.shadows:
        named = enumerated([str(one) for one in live.shadows])
        return f"versions {named} as shadows" if len(live.shadows) > 1 else f"version {named} as a shadow"
    if live.checkpoint:
        return f"version {live.on_trial} is judged as a checkpoint ({live.rollout})"
    if live.challengers:
        named = f"version{'s' * (len(live.challengers) > 1)} {enumerated([str(one) for one in live.challengers])}"
        return f"{named} at {live.trial_share:.0%} ({live.rollout})"
    return f"version {live.on_trial} at {live.trial_share:.0%} ({live.rollout})" if live.on_trial else ""


def _rule_clause(one: LiveRule) -> str:
    looked_at, values = one.rule.header or one.rule.field, " or ".join(one.rule.values)
    leads_to = f"version {one.leads_to}" if one.leads_to else f"{_named(one.rule)}, which is not served: the rule is left out"
    return f"{looked_at} is {values} → {leads_to}"


def _named(rule: TrafficRule) -> str:
    return f"version {rule.to}" if isinstance(rule.to, int) else "the version in Staging"


def held_clause(live: Live) -> str:
    """`version 1 keeps 5% until 2026-01-12 09:00:00 UTC`; empty while nothing is held back."""
    if live.held_back is None or live.held_until is None:
        return ""
    return f"version {live.held_back} keeps {live.held_share:.0%} until {moment(live.held_until)}"


def trials_in_production(tx: Reader) -> dict[str, Rollout]:
    """By model, the rollout under way into production and into no segment; of shadows beside each other the first."""
    coming = [one for one in rollouts_under_way(tx) if one.environment == PRODUCTION and not one.segment]
    return {one.model: one for one in sorted(coming, key=lambda one: (one.started_at, one.id), reverse=True)}


def _shadows(tx: Reader) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for one in shadows_among([one for one in rollouts_under_way(tx) if not one.segment]):
        found[one.model] = (*found.get(one.model, ()), one.version)
    return found


def _missing_labels(tx: Reader) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for one in rollouts_under_way(tx):
        if said := missing_labels(tx, one):
            found[one.model] = (*found.get(one.model, ()), f"version {one.version}: {said}")
    return found


def waiting_requests(tx: Reader) -> list[TransitionRequest]:
    """Requests that wait for people."""
    return tx.find(REQUESTS, state=RequestState.OPEN.value)


def _live(
    tx: Reader,
    model: str,
    standing: ModelVersion | None,
    staged: ModelVersion | None,
    trial: Rollout | None,
    loaded: Collection[int],
) -> Live:
    since, by = entered_stage(tx, standing) if standing else (None, None)
    share = weight(trial) if trial else 0.0
    in_staging = staged.version if staged else None
    answers = environment_of(tx, model, PRODUCTION).answers
    return Live(
        model=model,
        version=standing.version if standing else None,
        share=1.0 - share if standing else 0.0,
        since=since,
        by=by,
        staging=in_staging,
        rollout=trial.id if trial else None,
        on_trial=trial.version if trial else None,
        trial_share=share,
        answers=answers,
        challengers=tuple(one.version for one in trial.contestants[1:] if not one.figures.dropped) if trial else (),
        previewed=trial is not None and trial.phase is Phase.PREVIEW,
        checkpoint=trial is not None and trial.strategy is Strategy.ONLINE,
        rules=tuple(LiveRule(rule, target(rule, in_staging, loaded)) for rule in answers.rules),
    )


def entered_stage(tx: Reader, version: ModelVersion) -> tuple[datetime | None, str | None]:
    """When the version came to the stage where it stands, and who brought it there, as its events tell."""
    subject = f"{version.model}/{version.version}"
    for event in tx.events(subject=subject, newest_first=True, limit=50):
        if event.happened.action is Action.STAGE_APPLIED:
            return event.happened.at, event.happened.actor
    return None, None
