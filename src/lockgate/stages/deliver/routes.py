"""The route that a model should have: from what stands in which stage, the rollout under way, and what the project file says."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import structs

from lockgate.boundary.routes import Arm, Part, Role, Route, Rule, Segmentation, Shadow
from lockgate.domain.environments import PRODUCTION, STAGING
from lockgate.domain.holds import Compared, Hold
from lockgate.domain.models import ModelVersion, Stage
from lockgate.domain.projects import Answers, TrafficRule
from lockgate.domain.rollouts import Phase, Rollout, Strategy
from lockgate.stages.deliver import hold_back
from lockgate.stages.deliver.rollout import PAIRED, met, shares, weight

PREVIEW_HEADER, PREVIEWED = "x-lockgate-preview", "green"  # a request with this header meets the version that is previewed


@dataclass(frozen=True, slots=True)
class Apart:
    """How segments are told apart. champions: by segment, its own. retained: by segment, the own one before that, kept warm."""

    segmentation: Segmentation
    champions: Mapping[str, ModelVersion] = field(default_factory=dict)
    retained: Mapping[str, ModelVersion] = field(default_factory=dict)


def route(
    model: str,
    versions: Sequence[ModelVersion],
    rollouts: Sequence[Rollout],
    retained: ModelVersion | None,
    answers: Answers | None = None,
    hold: Hold | None = None,
    apart: Apart | None = None,
    *,
    learns: bool | None = None,
) -> Route | None:
    """The desired route; None when nothing is to be served. A segment with a champion or a rollout of its own is a part.

    apart: the segments that may be one, None if there are none. learns: as in Route. All else as below, where it is about no
    segment.
    """
    general = [one for one in rollouts if not one.segment]
    told = _general(model, versions, general, retained, answers, hold)
    if told is None:
        return None
    told = structs.replace(told, learns=learns)
    if apart is None:
        return told
    told = structs.replace(told, segments=apart.segmentation)
    champion, rules = _champion(versions), told.rules[len(_preview(_on_trial_in_production(general))) :]
    plain = structs.replace(told, rules=rules)  # who asks for a preview in a segment means the segment's
    parts = (_part(plain, segment, champion, rollouts, apart) for segment in apart.segmentation.values)
    return structs.replace(told, parts=tuple(part for part in parts if part is not None))


def _part(told: Route, segment: str, general: ModelVersion | None, rollouts: Sequence[Rollout], apart: Apart) -> Part | None:
    """How the segment is answered by itself; None where it is answered as `told`, which is for all that is in no part.

    Without a champion of its own a version is compared with the general one there. Beside its own one the general one is kept
    warm, if nothing else is: the segment falls back to it.
    """
    here, own = [one for one in rollouts if one.segment == segment], apart.champions.get(segment)
    if own is None and not here:
        return None
    shadows = shadows_among(here)
    trial = next((one for one in here if one not in shadows), None)
    arms = _production(own or general, trial)
    kept_warm = apart.retained.get(segment, general) if own else None
    _add(arms, Role.RETAINED, [(kept_warm.version, kept_warm.digest)] if kept_warm else [])
    _add(arms, Role.PINNED, [(one.version, one.digest) for one in shadows])
    nested = structs.replace(
        _plain(told),
        arms=tuple(arms),
        rules=(*_preview(trial), *told.rules),
        shadows=tuple(_shadow(one) for one in shadows),
        bins=trial.bins if trial else None,
    )
    return Part(segment, _sampled(nested, trial or next(iter(shadows), None)))


def _plain(told: Route) -> Route:
    """The same model, answered in the same way, without what concerns who answers."""
    return structs.replace(told, salt="", unit="request", rollout=None, thresholds=None, learns=None)


def _general(
    model: str,
    versions: Sequence[ModelVersion],
    rollouts: Sequence[Rollout],
    retained: ModelVersion | None,
    answers: Answers | None,
    hold: Hold | None,
) -> Route | None:
    """How everything is answered that is in no part.

    versions: those in Staging and Production. rollouts: those under way. retained: what served before and is kept warm.
    answers: what the project file says of Production. The arm on trial stands first, so that its growing share moves only units
    that were not there before. A shadow is loaded in the workers too, so that its promotion needs no load; so is a checkpoint of
    online learning, which is judged by its log of lessons and asked by nobody.
    hold: the hold-back that is under way; it has its share as long as its promoted version stands alone in Production.
    """
    answers = answers or Answers()
    shadows, checkpoints = shadows_among(rollouts), [one for one in rollouts if one.strategy is Strategy.ONLINE]
    aside = [*shadows, *checkpoints]  # nobody gets their answers
    trial = _on_trial_in_production(rollouts)
    kept = _kept(hold, versions, trial)
    arms = hold_back.arms(kept) if kept else _production(_champion(versions), trial)
    _add(arms, Role.RETAINED, [(retained.version, retained.digest)] if retained else [])
    _add(arms, Role.PINNED, _pinned(versions, rollouts, aside))
    if not arms:
        return None
    loaded = {arm.version for arm in arms}
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
    compared = trial or kept
    if compared is not None:
        segments, bins = compared.judge.segments, trial.bins if trial else None
        told = structs.replace(told, segments=Segmentation(segments.by, segments.values) if segments else None, bins=bins)
    return _sampled(told, trial or kept or next(iter(shadows), None))


def _on_trial_in_production(rollouts: Sequence[Rollout]) -> Rollout | None:
    """The one whose version answers there: shadows and checkpoints of online learning answer nobody."""
    return next((one for one in rollouts if one.environment == PRODUCTION and one.strategy not in PAIRED), None)


def _add(arms: list[Arm], role: Role, versions: Sequence[tuple[int, str]]) -> None:
    """What is to be loaded beside the arms, where it is not one of them."""
    for version, digest in versions:
        if version not in {arm.version for arm in arms}:
            arms.append(Arm(version, digest, role))


def _sampled(told: Route, sampled_by: Compared | None) -> Route:
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
    """While it prepares it is asked about nobody. Where agreement is not judged, people see it by what the labels are judged by:
    two scores on the same side of the threshold, or no farther apart than the tolerance.
    """
    agreement, event = rollout.judge.agreement, rollout.judge.label_event
    if agreement is None and event is not None and event.of_numbers:
        return Shadow(rollout.version, rollout.digest, met(rollout), None, event.threshold)
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


def _production(champion: ModelVersion | None, trial: Rollout | None) -> list[Arm]:
    share = weight(trial) if trial else 0.0
    arms = _on_trial(trial, share, champion) if trial else []
    if champion is not None:
        left = 1.0 - share - sum(arm.weight for arm in arms if arm.role is Role.CHAMPION)
        arms.append(Arm(champion.version, champion.digest, Role.CHAMPION, left))
    return arms


def _on_trial(trial: Rollout, share: float, champion: ModelVersion | None) -> list[Arm]:
    """In a contest all challengers are that can be loaded.

    A fixed split keeps its places: the champion has that of a version that somebody met and that was dropped, so no other unit
    moves.
    """
    if not trial.contestants or trial.contest is None:
        return [Arm(trial.version, trial.digest, Role.CANARY, share)]
    instead = champion if trial.strategy is Strategy.AB and share > 0.0 else None
    arms = []
    for place, (one, own) in enumerate(zip(trial.contestants, shares(trial), strict=True)):
        if one.version != trial.baseline and not one.gone:
            arms.append(Arm(one.version, one.digest, Role.CANARY, own))
        if one.version != trial.baseline and one.out and instead and any(step.shares[place] > 0 for step in trial.ramp):
            arms.append(Arm(instead.version, instead.digest, Role.CHAMPION, trial.contest.beginning[place]))
    return arms


def _champion(versions: Sequence[ModelVersion]) -> ModelVersion | None:
    return next((one for one in versions if one.stage is Stage.PRODUCTION), None)


def _pinned(versions: Sequence[ModelVersion], rollouts: Sequence[Rollout], shadows: Sequence[Rollout]) -> list[tuple[int, str]]:
    staged = [(one.version, one.digest) for one in versions if one.stage is Stage.STAGING]
    coming = [one for one in rollouts if one.environment != PRODUCTION]
    return staged + [(one.version, one.digest) for one in (*coming, *shadows)]
