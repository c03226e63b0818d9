"""The route that a model should have: from what stands in which stage, the rollout under way, and what the project file says."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import structs

from lockgate.boundary.routes import Arm, Role, Route, Rule, Segmentation, Shadow
from lockgate.domain.environments import PRODUCTION, STAGING
from lockgate.domain.holds import Hold
from lockgate.domain.models import ModelVersion, Stage
from lockgate.domain.projects import Answers, TrafficRule
from lockgate.domain.rollouts import Phase, Rollout, Strategy
from lockgate.stages.deliver import hold_back
from lockgate.stages.deliver.rollout import met, shares, weight

PREVIEW_HEADER, PREVIEWED = "x-lockgate-preview", "green"  # a request with this header meets the version that is previewed


def route(
    model: str,
    versions: Sequence[ModelVersion],
    rollouts: Sequence[Rollout],
    retained: ModelVersion | None,
    answers: Answers | None = None,
    hold: Hold | None = None,
) -> Route | None:
    """The desired route; None when nothing is to be served.

    versions: those in Staging and Production. rollouts: those under way. retained: what served before and is kept warm.
    answers: what the project file says of Production. The arm on trial stands first, so that its growing share moves only units
    that were not there before. A shadow is loaded in the workers too, so that its promotion needs no load.
    hold: the hold-back that is under way; it has its share as long as its promoted version stands alone in Production.
    """
    answers = answers or Answers()
    shadows = shadows_among(rollouts)
    trial = next((one for one in rollouts if one.environment == PRODUCTION and one not in shadows), None)
    kept = _kept(hold, versions, trial)
    arms = hold_back.arms(kept) if kept else _production(versions, trial)
    loaded = {arm.version for arm in arms}
    if retained is not None and retained.version not in loaded:
        arms.append(Arm(retained.version, retained.digest, Role.RETAINED))
        loaded.add(retained.version)
    for version, digest in _pinned(versions, rollouts, shadows):
        if version not in loaded:
            arms.append(Arm(version, digest, Role.PINNED))
            loaded.add(version)
    if not arms:
        return None
    staged = next((one.version for one in versions if one.stage is Stage.STAGING), None)
    told = Route(
        model,
        tuple(arms),
        rules=(*_preview(trial), *_rules(answers.rules, staged, loaded)),
        on_failure=answers.on_failure,
        timeout=answers.timeout,
        redacted=answers.redacted,
        shadows=tuple(_shadow(one) for one in shadows),
    )
    if trial is not None:
        segments = trial.judge.segments
        told = structs.replace(told, segments=Segmentation(segments.by, segments.values) if segments else None, bins=trial.bins)
    sampled_by = trial or kept or next(iter(shadows), None)
    if sampled_by is None:
        return told
    return structs.replace(
        told, salt=sampled_by.salt, unit=sampled_by.unit, rollout=sampled_by.id, thresholds=sampled_by.thresholds
    )


def shadows_among(rollouts: Sequence[Rollout]) -> list[Rollout]:
    """In the order in which they started, whatever their phases are. They have salt and unit in common."""
    shadows = (one for one in rollouts if one.strategy is Strategy.SHADOW and one.environment == PRODUCTION)
    return sorted(shadows, key=lambda one: (one.started_at, one.id))


def _shadow(rollout: Rollout) -> Shadow:
    """While it prepares it is asked about nobody. Where agreement is not judged, people see it by the threshold of the labels."""
    agreement, event = rollout.judge.agreement, rollout.judge.label_event
    if agreement is None:
        return Shadow(rollout.version, rollout.digest, met(rollout), event.threshold if event else None)
    return Shadow(rollout.version, rollout.digest, met(rollout), agreement.threshold, agreement.tolerance)


def target(rule: TrafficRule, staged: int | None, loaded: Collection[int]) -> int | None:
    """The version that a rule sends to; None while it is not served: then the rule is left out.

    staged: the version in Staging. loaded: those that the route names.
    """
    version = staged if rule.to == STAGING else rule.to
    return version if isinstance(version, int) and version in loaded else None


def _rules(rules: Sequence[TrafficRule], staged: int | None, loaded: Collection[int]) -> tuple[Rule, ...]:
    found = ((rule, target(rule, staged, loaded)) for rule in rules)
    return tuple(Rule(version, rule.values, rule.header, rule.field) for rule, version in found if version is not None)


def _preview(trial: Rollout | None) -> tuple[Rule, ...]:
    """Before all other rules: who asks for a preview means the version that is previewed."""
    if trial is None or trial.phase is not Phase.PREVIEW:
        return ()
    return (Rule(trial.version, (PREVIEWED,), header=PREVIEW_HEADER),)


def _kept(hold: Hold | None, versions: Sequence[ModelVersion], trial: Rollout | None) -> Hold | None:
    champion = _champion(versions)
    return hold if hold and champion and champion.version == hold.version and trial is None else None


def _production(versions: Sequence[ModelVersion], trial: Rollout | None) -> list[Arm]:
    share = weight(trial) if trial else 0.0
    arms = _on_trial(trial, share) if trial else []
    champion = _champion(versions)
    if champion is not None:
        arms.append(Arm(champion.version, champion.digest, Role.CHAMPION, 1.0 - share))
    return arms


def _on_trial(trial: Rollout, share: float) -> list[Arm]:
    """In a contest all challengers are."""
    if not trial.contestants:
        return [Arm(trial.version, trial.digest, Role.CANARY, share)]
    told = zip(trial.contestants, shares(trial), strict=True)
    return [Arm(one.version, one.digest, Role.CANARY, own) for one, own in told if one.version != trial.baseline]


def _champion(versions: Sequence[ModelVersion]) -> ModelVersion | None:
    return next((one for one in versions if one.stage is Stage.PRODUCTION), None)


def _pinned(versions: Sequence[ModelVersion], rollouts: Sequence[Rollout], shadows: Sequence[Rollout]) -> list[tuple[int, str]]:
    staged = [(one.version, one.digest) for one in versions if one.stage is Stage.STAGING]
    coming = [one for one in rollouts if one.environment != PRODUCTION]
    return staged + [(one.version, one.digest) for one in (*coming, *shadows)]
