"""Lockgate: continuous delivery for machine-learning models. The public names, and no more."""

from importlib import import_module
from typing import Any

from lockgate.domain.data import Split
from lockgate.kernel.release import __version__
from lockgate.stages.build.step import step

__all__ = ["Split", "__version__", "mlflow_model", "python_model", "step", "torch_model"]

_DECLARED = {f"{name}_model": f"lockgate.integrations.{name}.model" for name in ("mlflow", "python", "torch")}


def __getattr__(name: str) -> Any:
    """Names that need more than every process has: imported when a pipeline asks for them."""
    if name not in _DECLARED:
        raise AttributeError(f"module 'lockgate' has no attribute {name!r}")
    return getattr(import_module(_DECLARED[name]), name)
