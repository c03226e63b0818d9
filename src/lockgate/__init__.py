"""Lockgate: continuous delivery for machine-learning models. The public names, and no more."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lockgate.kernel.release import __version__

if TYPE_CHECKING:
    from lockgate.domain.data import Split
    from lockgate.stages.build.step import step

__all__ = ["Split", "__version__", "mlflow_model", "python_model", "step", "torch_model"]

_DECLARED = {f"{name}_model": f"lockgate.integrations.{name}.model" for name in ("mlflow", "python", "torch")}
_HOMES = {"Split": "lockgate.domain.data", "step": "lockgate.stages.build.step", **_DECLARED}


def __getattr__(name: str) -> Any:
    """Imported when somebody asks for them: a data plane has none of what they need."""
    if name not in _HOMES:
        raise AttributeError(f"module 'lockgate' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
