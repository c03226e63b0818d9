"""What a wheel requires: the libraries that run its model, as loosely as the model's form allows.

A program that embeds a model has libraries of its own, so nothing is pinned that need not be:

- What reads a format that newer releases go on reading is required from the version on that made the file.
- What restores a library's own objects (scikit-learn's by skops, River's) is required in the same minor release: the next one may
  give an attribute another meaning, and would answer otherwise without saying so.
- What the package pins is pinned: its author said that these, and no others, are what its code was tried with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from lockgate.boundary.mlmodel import PYTHON
from lockgate.integrations.wheel.parts import MLFLOW, ONNX, Part


@dataclass(frozen=True, slots=True)
class Library:
    """since: the first version that Lockgate runs with. restored: it keeps objects of its own, see above."""

    name: str
    since: str
    restored: bool = False


_NUMPY = Library("numpy", "1.26")
_ONNXRUNTIME = Library("onnxruntime", "1.22")
_MSGSPEC = Library("msgspec", "0.20")
_PANDAS = Library("pandas", "2.2")
_BOOSTERS = (Library("xgboost", "3.1"), Library("lightgbm", "4.6"))
_SKLEARN = (
    Library("scikit-learn", "1.6", restored=True),
    Library("skops", "0.13"),
    Library("joblib", "1.4"),
    Library("threadpoolctl", "3.5"),
    _PANDAS,
)
_LIBRARIES: dict[str, tuple[Library, ...]] = {
    "onnx": (_ONNXRUNTIME,),
    "sklearn": _SKLEARN,
    "xgboost": _BOOSTERS[:1],
    "lightgbm": _BOOSTERS[1:],
    "torch": (Library("torch", "2.8"), Library("safetensors", "0.6")),
    "river": (Library("river", "0.22", restored=True),),
    "mlflow": (Library("pyyaml", "6"),),
}
_PYFUNC = (Library("mlflow-skinny", "3.4"), _PANDAS)
_ALIASES = {"mlflow-skinny": "mlflow", "scikit-learn": "sklearn"}  # under which environments may know a library too


def requirements(parts: Sequence[Part]) -> list[str]:
    """As `Requires-Dist` has them, in the order of their names."""
    libraries = [_NUMPY] if all(part.manifest.runtime == ONNX for part in parts) else [_NUMPY, _MSGSPEC]
    found = {one.name: _worded(one, {}) for one in libraries}
    for part in parts:
        found |= {one.name: _worded(one, part.manifest.environment) for one in _libraries(part)}
    found |= {canonicalize_name(Requirement(pin).name): pin for part in parts for pin in part.manifest.requirements}
    return [found[name] for name in sorted(found)]


def _libraries(part: Part) -> Iterable[Library]:
    manifest = part.manifest
    for runtime in part.runtimes:
        yield from _LIBRARIES.get(runtime, ())
    if manifest.runtime == MLFLOW and manifest.options.get("flavor", PYTHON) == PYTHON:
        yield from _PYFUNC
    if "sklearn" in part.runtimes:  # whose pipelines may hold a model of these
        yield from (one for one in _BOOSTERS if one.name in manifest.environment)


def _worded(library: Library, environment: dict[str, str]) -> str:
    made = environment.get(library.name) or environment.get(_ALIASES.get(library.name, ""))
    if made is None or library is _NUMPY or Version(made) < Version(library.since):
        return f"{library.name}>={library.since}"
    version = Version(made)
    if library.restored:
        return f"{library.name}~={version.major}.{version.minor}.{version.micro}"
    return f"{library.name}>={version.public}"
