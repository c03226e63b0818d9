"""The environments that a version is rolled out into, and the stage in which it stands once it is there."""

from __future__ import annotations

from lockgate.domain.models import Stage

STAGING = "staging"
PRODUCTION = "production"
STAGE_OF = {STAGING: Stage.STAGING, PRODUCTION: Stage.PRODUCTION}
ENVIRONMENT_OF = {stage: environment for environment, stage in STAGE_OF.items()}
