"""The route that a model should have: from what stands in which stage, the rollout under way, and what the project file says."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import structs

from lockgate.boundary.routes import Arm, Role, Route, Rule
from lockgate.domain.environments import PRODUCTION, STAGING
from lockgate.domain.models import ModelVersion, Stage
from lockgate.domain.projects import Answers, TrafficRule
from lockgate.domain.rollouts import Rollout
from lockgate.stages.deliver.rollout import weight


def route(
    model: str,
    versions: Sequence[ModelVersion],
    rollouts: Sequence[Rollout],
    retained: ModelVersion | None,
    answers: Answers | None = None,
) -> Route | None:
    """The desired route; None when nothing is to be served.

    versions: those in Staging and Production. rollouts: those under way. retained: what served before and is kept warm.
    answers: what the project file says of Production. The arm on trial stands first, so that its growing share moves only units
    that were not there before.
    """
    answers = answers or Answers()
    trial = next((one for one in rollouts if one.environment == PRODUCTION), None)
    arms = [*_production(versions, trial)]
    loaded = {arm.version for arm in arms}
    if retained is not None and retained.version not in loaded:
        arms.append(Arm(retained.version, retained.digest, Role.RETAINED))
        loaded.add(retained.version)
    for version, digest in _pinned(versions, rollouts):
        if version not in loaded:
            arms.append(Arm(version, digest, Role.PINNED))
            loaded.add(version)
    if not arms:
        return None
    staged = next((one.version for one in versions if one.stage is Stage.STAGING), None)
    told = Route(
        model,
        tuple(arms),
        rules=_rules(answers.rules, staged, loaded),
        on_failure=answers.on_failure,
        timeout=answers.timeout,
        redacted=answers.redacted,
    )
    if trial is None:
        return told
    return structs.replace(told, salt=trial.salt, unit=trial.unit, rollout=trial.id, thresholds=trial.thresholds)


def target(rule: TrafficRule, staged: int | None, loaded: Collection[int]) -> int | None:
    """The version that a rule sends to; None while it is not served: then the rule is left out.

    staged: the version in Staging. loaded: those that the route names.
    """
    version = staged if rule.to == STAGING else rule.to
    return version if isinstance(version, int) and version in loaded else None


def _rules(rules: Sequence[TrafficRule], staged: int | None, loaded: Collection[int]) -> tuple[Rule, ...]:
    found = ((rule, target(rule, staged, loaded)) for rule in rules)
    return tuple(Rule(version, rule.values, rule.header, rule.field) for rule, version in found if version is not None)


def _production(versions: Sequence[ModelVersion], trial: Rollout | None) -> list[Arm]:
    share = weight(trial) if trial else 0.0
    arms = [Arm(trial.version, trial.digest, Role.CANARY, share)] if trial else []
    champion = next((one for one in versions if one.stage is Stage.PRODUCTION), None)
    if champion is not None:
        arms.append(Arm(champion.version, champion.digest, Role.CHAMPION, 1.0 - share))
    return arms


def _pinned(versions: Sequence[ModelVersion], rollouts: Sequence[Rollout]) -> list[tuple[int, str]]:
    staged = [(one.version, one.digest) for one in versions if one.stage is Stage.STAGING]
    return staged + [(one.version, one.digest) for one in rollouts if one.environment != PRODUCTION]
