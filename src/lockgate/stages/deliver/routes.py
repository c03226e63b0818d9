"""The route that a model should have, derived from what stands in which stage and from the rollout under way."""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.boundary.routes import Arm, Role, Route
from lockgate.domain.environments import PRODUCTION
from lockgate.domain.models import ModelVersion, Stage
from lockgate.domain.rollouts import Rollout
from lockgate.stages.deliver.rollout import weight


def route(
    model: str, versions: Sequence[ModelVersion], rollouts: Sequence[Rollout], retained: ModelVersion | None
) -> Route | None:
    """The desired route; None when nothing is to be served.

    versions: those in Staging and Production. rollouts: those under way. retained: what served before and is kept warm.
    The arm on trial stands first, so that its growing share moves only units that were not there before.
    """
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
    if trial is None:
        return Route(model, tuple(arms))
    return Route(model, tuple(arms), trial.salt, trial.unit, trial.id, trial.thresholds)


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
