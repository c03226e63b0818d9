"""Run models that MLflow saved: their native files by our own runtimes, all else by MLflow where the platform trusts code."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from lockgate.boundary.folder import Folder
from lockgate.boundary.manifest import File, Manifest, Signature, names
from lockgate.boundary.mlmodel import DESCRIPTION, PYTHON, Flavor, flavors_of, native_file
from lockgate.kernel.errors import Invalid
from lockgate.runtimes import frames, registry
from lockgate.runtimes.damage import damage_as_failure
from lockgate.runtimes.failures import failing_as_runtime
from lockgate.runtimes.model import Array, Model, RuntimeFailure
from lockgate.runtimes.options import options_of
from lockgate.runtimes.outputs import Outputs
from lockgate.runtimes.package import Files
from lockgate.runtimes.trust import check_trusted

# What a schema's types are in the data frame that the model is given; of the others a feed's own type is right.
_DTYPES = {"boolean": "bool", "integer": "int32", "long": "int64", "float": "float32", "double": "float64"}


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """flavor: which of the model's flavours is run. categories: as `frames.Frames` takes them. method, classes: see `outputs`.

    native: more options for the runtime that reads a native flavour's file; it is given method, classes and categories too.
    """

    flavor: Flavor = PYTHON
    method: str | tuple[str, ...] | None = None
    classes: tuple[Any, ...] | None = None
    categories: dict[str, tuple[Any, ...]] = {}
    native: dict[str, Any] = {}


def load(manifest: Manifest, files: Files) -> Model:
    """The model of a package whose files are an MLflow model's folder.

    Raises:
        Refused: it is code, and the platform does not trust it; or it is a pickle where a native file was promised.
        RuntimeFailure: it cannot be loaded. Invalid: the description, the signature or the options are not those of such a model.
    """
    options = options_of(manifest, Options)
    with damage_as_failure():
        flavors = flavors_of(files[DESCRIPTION])
    if options.flavor not in flavors:
        raise Invalid(f"the MLflow model has the flavours {', '.join(flavors)}, {options.flavor} expected")
    if options.flavor != PYTHON:
        return _native(manifest, files, options, flavors[options.flavor])
    if options.native:
        raise Invalid("options for a native flavour found, and the flavour is python_function")
    check_trusted(manifest, f"MLflow's {PYTHON}, loaded by {flavors[PYTHON].get('loader_module')}")
    return PyfuncModel(Folder(files), manifest.signature, options)


class PyfuncModel:
    def __init__(self, folder: Folder, signature: Signature, options: Options) -> None:
        pyfunc = _pyfunc()
        with failing_as_runtime("mlflow cannot load the model"):
            self._model = pyfunc.load_model(str(folder.path), suppress_warnings=True)
        self._folder = folder  # kept as long as the model, which may read there at any time
        dtypes = _dtypes(self._model.metadata.get_input_schema(), signature, options)
        self._frames = frames.Frames(signature.inputs, options.categories, dtypes)
        self._outputs = Outputs(signature, options.method, options.classes)

    def run(self, feeds: Mapping[str, Array]) -> Sequence[Array]:
        """One array for each output of the signature, in its order.

        Raises:
            RuntimeFailure: the model raised, or its answers are not what the signature says.
        """
        with failing_as_runtime():
            rows = self._frames.assemble(feeds)
            return self._outputs.arrays(_plain(self._model.predict(rows)), len(rows))


def _plain(answer: Any) -> Any:
    """A data frame has its columns by name, a series is an array."""
    if getattr(answer, "ndim", None) == 2 and hasattr(answer, "columns"):  # noqa: PLR2004
        return {str(name): np.asarray(answer[name]) for name in answer.columns}
    return answer if isinstance(answer, (dict, tuple)) else np.asarray(answer)


def _pyfunc() -> Any:
    """MLflow takes seconds to import, and native flavours do without it."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # read when it is imported
    try:
        importlib.import_module("mlflow")
        return importlib.import_module("mlflow.pyfunc")
    except ImportError as error:
        raise RuntimeFailure(f"mlflow cannot be imported: {error}", hint="Install it: pip install 'lockgate[mlflow]'") from error


def _native(manifest: Manifest, files: Files, options: Options, flavor: dict[str, Any]) -> Model:
    """The flavour's file, as a package of the runtime that reads such files."""
    native = native_file(options.flavor, flavor)
    stored = manifest.file(native.source)
    shared = {"method": options.method, "classes": options.classes, "categories": options.categories or None}
    given = {**options.native, **{key: value for key, value in shared.items() if value is not None}}
    derived = msgspec.structs.replace(
        manifest, runtime=native.runtime, options=given, files=(File(native.name, stored.digest, stored.size),)
    )
    return registry.load_model(derived, files.renamed({native.name: native.source}))


def _dtypes(schema: Any, signature: Signature, options: Options) -> dict[str, str]:
    """As the model's own schema has them, which MLflow enforces."""
    if schema is None or not schema.has_input_names():
        return {}
    wanted = {one.name: one.type.name for one in schema.inputs if hasattr(one.type, "name")}
    if unknown := sorted(set(schema.input_names()) ^ set(names(signature.inputs))):
        raise Invalid(f"the model's inputs and its signature's differ in {', '.join(unknown)}")
    return {name: _DTYPES[kind] for name, kind in wanted.items() if kind in _DTYPES and name not in options.categories}
