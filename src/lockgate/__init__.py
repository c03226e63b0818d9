"""Lockgate: continuous delivery for machine-learning models. The public names, and no more."""

from lockgate.domain.data import Split

__all__ = ["Split"]
