"""How a River model is asked: in one way by who serves it and by who lets it learn, so that both see the very same values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lockgate.boundary.manifest import Signature, names
from lockgate.kernel.errors import Invalid

PREDICT, PROBABILITIES, ARGMAX = "predict", "predict_proba", "argmax"
PANIC = "PanicException"  # of Rust code; no Exception, and nameable only once one was raised


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the model is called.

    method: predict, predict_proba (of each class, in the order of `classes`) or argmax; one for each output, or one for all.
    classes: the labels that a classifier learned. booleans: inputs that travel as numbers and that the model knows as booleans.
    """

    method: str | tuple[str, ...] = PREDICT
    classes: tuple[bool | int | float | str, ...] | None = None
    booleans: tuple[str, ...] = ()


def columns_of(signature: Signature, options: Options) -> dict[str, bool]:
    """Each input, and whether the model knows it as a boolean.

    Raises:
        Invalid: the options speak of others, or an input holds several values a row.
    """
    given = names(signature.inputs)
    if unknown := sorted(set(options.booleans) - set(given)):
        raise Invalid(f"the options speak of {', '.join(unknown)}; the inputs are {', '.join(given)}")
    if wide := [tensor.name for tensor in signature.inputs if tensor.shape[1:] not in ((), (1,))]:
        raise Invalid(f"inputs {', '.join(wide)} hold several values a row, and a River model takes one of each name")
    return {name: name in options.booleans for name in given}


def row_of(columns: Mapping[str, bool], values: Iterable[Any]) -> dict[str, Any]:
    """One row as the model takes it. values: plain ones, in the order of the columns."""
    told = zip(columns.items(), values, strict=True)
    return {name: bool(value) if boolean else value for (name, boolean), value in told}


def say(model: Any, method: str, rows: Sequence[Mapping[str, Any]], classes: Sequence[Any]) -> NDArray[Any]:
    """method: predict, shape (rows,), or predict_proba, shape (rows, classes)."""
    if method == PREDICT:
        return np.array([model.predict_one(row) for row in rows])
    said = (model.predict_proba_one(row) for row in rows)
    return np.array([[one.get(label, 0.0) for label in classes] for one in said], dtype=np.float64)
