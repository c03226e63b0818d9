"""List what a package needs to run, to the version: what a bill of materials names, and what is held against known weaknesses.

Requirements of the package's own are a locked list already. Without them it runs by what is installed beside the data plane: the
server's libraries and those of its runtime, with all that they need in turn.
"""

from __future__ import annotations

import re

from lockgate.boundary.manifest import Manifest, decode
from lockgate.domain.distributions import Distribution, normalised
from lockgate.kernel.errors import Invalid
from lockgate.ports.artifacts import ArtifactStore
from lockgate.ports.distributions import Distributions
from lockgate.stages.build.packaging.graph_package import manifests_in

# Modules that the data plane imports whatever it serves, and those that each runtime loads. tests/unit/scans holds them to it.
SERVING = ("cryptography", "granian", "msgspec", "numpy", "onnxruntime", "uvloop")
RUNTIMES: dict[str, tuple[str, ...]] = {
    "onnx": (),
    "sklearn": ("pandas", "sklearn", "skops"),
    "xgboost": ("xgboost",),
    "lightgbm": ("lightgbm",),
    "torch": ("safetensors", "torch"),
    "river": ("river",),
    "mlflow": ("mlflow", "pandas"),
    "python": (),
    "graph": (),  # and what its nodes need
}
_PINNED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([A-Za-z0-9][A-Za-z0-9.!+_-]*)", re.ASCII)


def list_needs(distributions: Distributions, manifest: Manifest) -> tuple[Distribution, ...]:
    """In the order of their names.

    Raises:
        MissingExtra: what would serve it is not installed here. Invalid: a requirement is not pinned.
    """
    if manifest.requirements:
        return tuple(sorted(map(_pinned, manifest.requirements)))
    return distributions.needed_by((*SERVING, *RUNTIMES.get(manifest.runtime, ()), *_native(manifest)))


def _native(manifest: Manifest) -> tuple[str, ...]:
    """What MLflow saved in another library's own file is loaded by that library's runtime."""
    return RUNTIMES.get(str(manifest.options.get("flavor", "")), ()) if manifest.runtime == "mlflow" else ()


def needs_of(artifacts: ArtifactStore, distributions: Distributions, manifest: Manifest) -> tuple[Distribution, ...]:
    """The same of a stored package; of a graph also what the packages in it need.

    Raises:
        NotFound, Corrupt: the manifest of one inside. MissingExtra, Invalid: as `list_needs`.
    """
    packages = (manifest, *(decode(artifacts.get(one), one) for one in manifests_in(manifest)))
    return tuple(sorted({need for one in packages for need in list_needs(distributions, one)}))


def _pinned(requirement: str) -> Distribution:
    match = _PINNED.fullmatch(requirement)
    if match is None:
        raise Invalid(f"requirement {requirement!r:.100} is not pinned", hint="Write NAME==VERSION.")
    return Distribution(normalised(match[1]), match[2])
