"""What the description of an MLflow model (its file `MLmodel`) says, and which of its flavours' files are data.

MLflow's own loaders trust the folder that they read: it may name a Python module to load it by, a class to make, and even the
types that a skops file may hold. So a file in a library's own format is read by the runtime for such files, and never by
MLflow; all else counts as code.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple, cast

import msgspec
import yaml

from lockgate.kernel.errors import Invalid, Refused

DESCRIPTION = "MLmodel"
PYTHON: Final = "python_function"
Flavor = Literal["python_function", "sklearn", "xgboost", "lightgbm"]
_LONGEST = 1 << 20  # bytes of a description
_FILE_KEYS = ("pickled_model", "data")  # what flavours call their file
_SKLEARN = ("sklearn", "model.skops")
# How a native flavour's file may end, the runtime that reads such files, and the name under which it looks for them.
_ENDINGS: dict[str, dict[str, tuple[str, str]]] = {
    "sklearn": {".skops": _SKLEARN},
    "xgboost": {".ubj": ("xgboost", "model.ubj"), ".json": ("xgboost", "model.json"), ".skops": _SKLEARN},
    "lightgbm": {".lgb": ("lightgbm", "model.txt"), ".txt": ("lightgbm", "model.txt"), ".skops": _SKLEARN},
}


class NativeFile(NamedTuple):
    """runtime: what reads it. source: its name among the model's files. name: the one under which the runtime looks for it."""

    runtime: str
    source: str
    name: str


def flavors_of(description: bytes | memoryview) -> dict[str, dict[str, Any]]:
    """Each flavour with what is said of it.

    Raises:
        Invalid: this describes no MLflow model.
    """
    if len(description) > _LONGEST:
        raise Invalid(f"{DESCRIPTION} has {len(description):,} bytes, at most {_LONGEST:,} expected")
    try:
        found: Any = yaml.safe_load(bytes(description))
        return msgspec.convert(found["flavors"], dict[str, dict[str, Any]])
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, KeyError, TypeError, msgspec.ValidationError) as error:
        raise Invalid(f"{DESCRIPTION} describes no MLflow model: {str(error).partition(chr(10))[0]}") from error


def native_file(name: str, flavor: dict[str, Any]) -> NativeFile:
    """The file of a native flavour.

    Raises:
        Refused: it is none that is data alone.
    """
    source = str(next((flavor[key] for key in _FILE_KEYS if key in flavor), None))
    endings = _ENDINGS.get(name, {})
    ending = next((ending for ending in endings if source.endswith(ending)), None)
    if ending is None:
        raise Refused(
            f"the {name} model is in {source[:100]!r}, which is none of the files that are data alone ({', '.join(endings)})",
            hint="Save it in its library's own format, or with serialization_format='skops'.",
        )
    runtime, stored_as = endings[ending]
    return NativeFile(runtime, source, stored_as)


def native_flavor(flavors: dict[str, dict[str, Any]]) -> Flavor | None:
    """The first flavour that needs no code; None if there is none, or if the model brings modules of its own along."""
    for name in _ENDINGS:
        if name not in flavors or flavors[name].get("code"):
            continue
        try:
            native_file(name, flavors[name])
        except Refused:
            continue
        return cast("Flavor", name)
    return None
