"""A package of any runtime, in the program that asks it: what a wheel of a model that is not ONNX loads it with."""

from __future__ import annotations

from lockgate.embedded.package import Package
from lockgate.runtimes.model import Model
from lockgate.runtimes.package import read_folder
from lockgate.runtimes.registry import load_model
from lockgate.runtimes.trust import granted


def load(package: Package) -> Model:
    """Code that the package holds may run: who installed the wheel trusts its author already, as with every wheel.

    Raises:
        NotFound, Corrupt, Invalid, RuntimeFailure: as `registry.load_model`, and `package.read_folder`.
    """
    with granted():
        return load_model(*read_folder(package.folder, package.digest))
