"""Lockgate: continuous delivery for machine-learning models. The public names, and no more."""

from lockgate.domain.data import Split
from lockgate.stages.build.step import step

__all__ = ["Split", "step"]
__version__ = "0.1.0"
