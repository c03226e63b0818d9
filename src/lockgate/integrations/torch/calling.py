"""Calling a module with the rows of a data frame, and reading scores from what it says."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pandas.api import types

from lockgate.integrations.torch.model import TorchModel
from lockgate.kernel.errors import Fault, Invalid, InvalidInput

_TWO = 2


def original_scores(model: TorchModel, rows: pd.DataFrame) -> NDArray[np.float64]:
    """What the module says of the rows, shape (rows,), as it will when it answers: not training.

    Raises:
        Invalid: see `scores`.
    """
    with _at_rest(model.module):
        return scores(model.module, model, rows)


def scores(call: Any, model: TorchModel, rows: pd.DataFrame) -> NDArray[np.float64]:
    """What a program made of the module, or the module itself, says of the rows, shape (rows,).

    Raises:
        Invalid: it cannot answer them, or its answers are no scores.
    """
    given = arguments(model, rows)
    try:
        with torch.inference_mode():
            answer = call(*given)
    except Exception as error:
        # A module may raise anything.
        raise Invalid(
            f"the module cannot answer rows of the split: {str(error).strip().partition(chr(10))[0]}",
            hint="Its forward takes one tensor of all columns (inputs='stacked') or the columns by name (inputs='named').",
        ) from error
    return _column(answer, len(rows), classifier=model.classes is not None)


def arguments(model: TorchModel, rows: pd.DataFrame) -> tuple[Any, ...]:
    """The tensors that the module takes, in its order.

    Raises:
        InvalidInput: columns that are no numbers. Invalid: the module takes others.
    """
    faults = [
        Fault(str(name), f"{rows[name].dtype} found, numbers expected")
        for name in rows.columns
        if not types.is_numeric_dtype(rows[name].dtype)
    ]
    if faults:
        raise InvalidInput("the rows", faults, hint="Encode these columns as numbers in a step before the split.")
    if model.inputs == "stacked":
        return (torch.from_numpy(rows.to_numpy(dtype=np.float32).copy()),)
    names = list(inspect.signature(model.module.forward).parameters)
    if set(names) != set(rows.columns):
        raise Invalid(
            f"forward takes {', '.join(names)}; the columns are {', '.join(map(str, rows.columns))}",
            hint="Name the arguments of forward as the columns.",
        )
    return tuple(_tensor(rows[name]) for name in names)


@contextmanager
def _at_rest(module: Any) -> Iterator[None]:
    """Without dropout and the like; afterwards each part trains again that did before."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


def _tensor(column: pd.Series[Any]) -> Any:
    whole = types.is_integer_dtype(column.dtype) or types.is_bool_dtype(column.dtype)
    return torch.from_numpy(column.to_numpy(dtype=np.int64 if whole else np.float32).reshape(-1, 1).copy())


def _column(answer: Any, rows: int, *, classifier: bool) -> NDArray[np.float64]:
    if not isinstance(answer, torch.Tensor):
        raise Invalid(f"the module answers with a {type(answer).__name__}, one tensor expected")
    shape = tuple(answer.shape)
    widths = (1, _TWO) if classifier else (1,)
    if shape != (rows,) and shape not in [(rows, width) for width in widths]:
        raise Invalid(f"the module answers {rows} rows with a tensor of shape {list(shape)}, one score for each row expected")
    numbers = np.asarray(answer.double().numpy()).reshape(rows, -1)[:, -1]
    if classifier and not bool(((numbers >= 0) & (numbers <= 1)).all()):
        raise Invalid(
            f"the module answers between {numbers.min():g} and {numbers.max():g}; a classifier's scores are probabilities",
            hint="Let its forward end with a sigmoid or a softmax.",
        )
    return numbers
