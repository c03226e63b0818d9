"""Which runtime loads which package, and where it may run. Each is an island: its library is imported when a package needs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from typing import cast

from lockgate.boundary.manifest import Manifest
from lockgate.boundary.pickles import refuse_pickle
from lockgate.kernel.errors import Invalid
from lockgate.runtimes.model import Model, RuntimeFailure
from lockgate.runtimes.package import Files


@dataclass(frozen=True, slots=True)
class Runtime:
    """module: has `load(manifest, files) -> Model`. inline: trusted and quick enough for the worker's own process.

    extra: what `pip install 'lockgate[EXTRA]'` brings its library; None if it needs none. composed: of packages of other
    runtimes, so that each package says whether it is inline, which `load` does not believe but verify. code: a package may be, or
    hold, code of its author's, where the platform trusts such: it may start processes, and no other package may.
    """

    module: str
    inline: bool = False
    extra: str | None = None
    composed: bool = False
    code: bool = False


_HERE = __name__.rpartition(".")[0]  # a wheel carries these modules under another name
RUNTIMES: dict[str, Runtime] = {
    "onnx": Runtime(f"{_HERE}.onnx", inline=True),
    "sklearn": Runtime(f"{_HERE}.sklearn", extra="skops"),
    "xgboost": Runtime(f"{_HERE}.xgboost", extra="xgboost"),
    "lightgbm": Runtime(f"{_HERE}.lightgbm", extra="lightgbm"),
    "torch": Runtime(f"{_HERE}.torch", extra="torch"),
    "river": Runtime(f"{_HERE}.river", extra="river"),
    "mlflow": Runtime(f"{_HERE}.mlflow", extra="mlflow", code=True),
    "python": Runtime(f"{_HERE}.python", code=True),
    "graph": Runtime(f"{_HERE}.graph", composed=True, code=True),
}


def runtime_of(manifest: Manifest) -> Runtime:
    """As it runs this package.

    Raises:
        Invalid: there is no such runtime.
    """
    runtime = RUNTIMES.get(manifest.runtime)
    if runtime is None:
        known = ", ".join(RUNTIMES)
        raise Invalid(f"runtime {manifest.runtime!r} found, one of {known} expected", hint="Upgrade lockgate.")
    return replace(runtime, inline=manifest.options.get("inline") is True) if runtime.composed else runtime


def load_model(manifest: Manifest, files: Files) -> Model:
    """The package's model, loaded in this process.

    Raises:
        Refused: it is data, and holds a pickle. RuntimeFailure: its library is missing, or cannot load it.
        Invalid: the package is not what its runtime expects.
    """
    runtime = runtime_of(manifest)
    if not runtime.code:  # where there may be code, the platform's word on code decides
        for name, content in files.items():
            refuse_pickle(name, content)
    try:
        module = import_module(runtime.module)
    except ImportError as error:
        extra = runtime.extra or manifest.runtime
        raise RuntimeFailure(
            f"runtime {manifest.runtime!r} cannot be imported: {error}", hint=f"Install it: pip install 'lockgate[{extra}]'"
        ) from error
    load = cast("Callable[[Manifest, Files], Model]", module.load)
    return load(manifest, files)
