"""The environments of a project, as people write them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from lockgate.domain.environments import PRODUCTION, STAGING
from lockgate.domain.projects import Environment
from lockgate.domain.rollouts import Strategy
from lockgate.stages.deliver.environment_spec import EnvironmentSpec
from lockgate.stages.deliver.production_spec import ProductionSpec
from lockgate.stages.fields import Spec


def _without_traffic(value: EnvironmentSpec) -> EnvironmentSpec:
    if value.strategy is Strategy.CANARY:
        raise ValueError("strategy replace expected: staging has no traffic of its own that a canary could be judged by")
    if value.strategy is Strategy.BLUE_GREEN:
        raise ValueError("strategy replace expected: staging has no traffic of its own that could be switched")
    if value.strategy is Strategy.SHADOW:
        raise ValueError("strategy replace expected: staging has no traffic of its own that a shadow could be asked about")
    if value.strategy in (Strategy.AB, Strategy.BANDIT):
        raise ValueError("strategy replace expected: staging has no traffic of its own that could be dealt out")
    if value.strategy is Strategy.ONLINE:
        raise ValueError("strategy replace expected: staging has no traffic of its own that could be learned from")
    return value


class DeliverySpec(Spec):
    """The environments that there are: the stages Staging and Production of the registry."""

    staging: Annotated[EnvironmentSpec, AfterValidator(_without_traffic)] = EnvironmentSpec()
    production: ProductionSpec = ProductionSpec()

    def environments(self) -> dict[str, Environment]:
        return {STAGING: self.staging.environment(), PRODUCTION: self.production.environment()}
