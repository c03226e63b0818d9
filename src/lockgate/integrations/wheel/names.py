"""What a model's wheel is called, and imported as."""

from __future__ import annotations

import keyword
import re
import sys
from dataclasses import dataclass

from lockgate.boundary.releases import Release
from lockgate.boundary.wheels import DIST_INFO

_OTHERS = re.compile(r"[^a-z0-9]+")
_TAG = "py3-none-any"
# What a wheel may require, as it is imported and as it is installed: one of that name would take its place.
_TAKEN = frozenset(
    (
        *("lockgate", "numpy", "onnxruntime", "onnxruntime_gpu", "onnx", "msgspec", "scipy", "pandas", "pyarrow", "packaging"),
        *("pip", "setuptools", "wheel", "sklearn", "scikit_learn", "skops", "joblib", "threadpoolctl", "xgboost", "xgboost_cpu"),
        *("lightgbm", "torch", "safetensors", "river", "mlflow", "mlflow_skinny", "cloudpickle", "yaml", "pyyaml"),
    )
)


@dataclass(frozen=True, slots=True)
class Names:
    """package: what is imported. distribution: what is installed."""

    package: str
    distribution: str
    version: str

    @property
    def file(self) -> str:
        return f"{self.package}-{self.version}-{_TAG}.whl"

    @property
    def dist_info(self) -> str:
        return f"{self.package}-{self.version}{DIST_INFO}"


def names_of(release: Release) -> Names:
    """From a model's name, which may be no name of Python's, or one that is taken: then it is followed by `_model`."""
    package = _OTHERS.sub("_", release.model.lower()).strip("_") or "model"
    if package[0].isdigit():
        package = f"model_{package}"
    if keyword.iskeyword(package) or package in sys.stdlib_module_names or package in _TAKEN:
        package = f"{package}_model"
    return Names(package, package.replace("_", "-"), str(release.version))
