"""Between feeds and tabular libraries: inputs become a data frame or a matrix, and what the model says becomes outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lockgate.boundary import tensors
from lockgate.boundary.manifest import Signature, Tensor, names
from lockgate.kernel.errors import Invalid
from lockgate.runtimes.model import Array, RuntimeFailure

DTYPES = tensors.DTYPES
ARGMAX, PROBABILITIES = "argmax", "predict_proba"

Categories = Mapping[str, Sequence[str | int | float | bool]]
"""For each column of categories its levels, in the order in which the model learned them."""


class Frames:
    """Data frames with a column for each input, as the model was trained on: floats with 64 bits, unless `dtypes` says otherwise.

    dtypes: column → a numpy dtype, as "bool" where the frame had booleans. A value that is none of a column's levels is kept, as
    a level after the others: what it means is the model's affair.

    Raises:
        ImportError: pandas is missing. Invalid: an input that is no single column, or a name that is no input.
    """

    def __init__(self, inputs: Sequence[Tensor], categories: Categories, dtypes: Mapping[str, str]) -> None:
        import pandas as pd  # noqa: PLC0415 - an extra's library, and not every tabular model needs it

        self._pandas = pd
        _check_known(inputs, {**categories, **dtypes})
        wide = [tensor.name for tensor in inputs if tensor.shape[1:] not in ((), (1,))]
        if wide:
            raise Invalid(f"inputs {', '.join(wide)} hold several values a row, which no column of a data frame can")
        self._columns = tuple((tensor.name, _dtype_in_frame(tensor, dtypes)) for tensor in inputs)
        self._levels = {name: (list(levels), frozenset(levels)) for name, levels in categories.items()}

    def assemble(self, feeds: Mapping[str, Array]) -> Any:
        """One pandas.DataFrame of shape (rows, inputs)."""
        return self._pandas.DataFrame({name: self._column(name, dtype, feeds[name]) for name, dtype in self._columns})

    def _column(self, name: str, dtype: Any, feed: Array) -> Any:
        values = feed.reshape(-1)
        if name not in self._levels:
            return values if dtype is None else values.astype(dtype, copy=False)
        levels, known = self._levels[name]
        plain = values.tolist()
        unknown = [value for value in dict.fromkeys(plain) if value not in known]
        return self._pandas.Categorical(plain, categories=levels + unknown)


class Matrices:
    """Matrices of shape (rows, values a row): the inputs side by side in the order `order`; categories as their level's number.

    A value that is none of its column's levels is NaN: missing, as the libraries read it.

    Raises:
        Invalid: an input is text without levels, or a name is no input.
    """

    def __init__(
        self, inputs: Sequence[Tensor], dtype: type[np.floating[Any]], categories: Categories, order: Sequence[str] = ()
    ) -> None:
        _check_known(inputs, categories)
        texts = [tensor.name for tensor in inputs if tensor.datatype == "BYTES" and tensor.name not in categories]
        if texts:
            raise Invalid(f"inputs {', '.join(texts)} are texts, and the options name no levels (categories) for them")
        self._dtype = dtype
        self._order = tuple(order) or names(inputs)
        self._numbers = {name: {level: float(i) for i, level in enumerate(levels)} for name, levels in categories.items()}

    def assemble(self, feeds: Mapping[str, Array]) -> NDArray[np.floating[Any]]:
        return np.concatenate([self._columns(name, feeds[name]) for name in self._order], axis=1, dtype=self._dtype)

    def _columns(self, name: str, feed: Array) -> Array:
        if (numbers := self._numbers.get(name)) is None:
            return feed.reshape(len(feed), -1)
        coded = [numbers.get(value, np.nan) for value in feed.reshape(-1).tolist()]
        return np.array(coded, dtype=self._dtype).reshape(len(feed), -1)


class Answers:
    """The outputs of a signature from what the model's methods give: `method` is one for each output, or one for all.

    Beside the model's own methods there is "argmax": the class with the greatest of the probabilities.

    Raises:
        Invalid: a method that is not among `known`, or not as many as outputs; argmax without classes.
    """

    def __init__(
        self, signature: Signature, method: str | Sequence[str], known: Sequence[str], classes: Sequence[Any] | None
    ) -> None:
        self._outputs = signature.outputs
        self._methods = (method,) * len(self._outputs) if isinstance(method, str) else tuple(method)
        self._classes = None if classes is None else np.asarray(classes)
        if len(self._methods) != len(self._outputs):
            raise Invalid(f"{len(self._methods)} methods found for {len(self._outputs)} outputs, one for each expected")
        if unknown := set(self._methods) - {*known, ARGMAX}:
            raise Invalid(f"method {', '.join(sorted(unknown))} found, of {', '.join([*known, ARGMAX])} expected")
        if ARGMAX in self._methods and classes is None:
            raise Invalid("argmax needs classes, and the model has none")
        self._asked = tuple(dict.fromkeys(PROBABILITIES if name == ARGMAX else name for name in self._methods))

    def arrays(self, say: Callable[[str], Any], rows: int) -> list[Array]:
        """One array for each output, with its datatype and shape; `say` is called once for each method.

        Raises:
            RuntimeFailure: an answer has another shape, or values that its datatype cannot hold (kind: output).
        """
        said = {method: np.asarray(say(method)) for method in self._asked}
        return [
            _conformed(tensor, self._one(name, said), rows) for tensor, name in zip(self._outputs, self._methods, strict=True)
        ]

    def _one(self, method: str, said: Mapping[str, Array]) -> Array:
        if method != ARGMAX or self._classes is None:
            return said[method]
        return np.asarray(self._classes[said[PROBABILITIES].argmax(axis=1)])


def two_columns(probability: Array) -> Array:
    """A probability of the positive class, shape (rows,), as those of both classes: (rows, 2). Those of more classes stay."""
    return probability if probability.ndim > 1 else np.column_stack([1.0 - probability, probability])


def feeds_of(signature: Signature, columns: Mapping[str, Sequence[Any]]) -> dict[str, Array]:
    """Plain values by column, laid flat, as feeds. None is a missing number; the caller vouches for all else.

    Raises:
        Invalid: a column is missing or is no such tensor.
    """
    return {tensor.name: _feed(tensor, columns) for tensor in signature.inputs}


def _feed(tensor: Tensor, columns: Mapping[str, Sequence[Any]]) -> Array:
    if tensor.name not in columns:
        raise Invalid(f"input {tensor.name!r} is missing; {', '.join(columns)} found")
    if tensor.datatype not in DTYPES:
        raise Invalid(f"input {tensor.name!r} has datatype {tensor.datatype!r}; {', '.join(DTYPES)} can be read")
    try:
        return np.asarray(columns[tensor.name], dtype=DTYPES[tensor.datatype]).reshape(-1, *tensor.shape[1:])
    except (TypeError, ValueError, OverflowError) as error:
        raise Invalid(f"input {tensor.name!r} is no {tensor.datatype}: {error}") from error


def _dtype_in_frame(tensor: Tensor, dtypes: Mapping[str, str]) -> Any:
    try:
        return np.dtype(dtypes[tensor.name]) if tensor.name in dtypes else np.float64 if tensor.datatype == "FP32" else None
    except TypeError as error:
        raise Invalid(f"dtype of column {tensor.name!r}: {error}") from error


def _check_known(inputs: Sequence[Tensor], named: Mapping[str, Any]) -> None:
    if unknown := sorted(set(named) - set(names(inputs))):
        raise Invalid(f"the options speak of {', '.join(unknown)}; the inputs are {', '.join(names(inputs))}")


def _conformed(tensor: Tensor, answer: Array, rows: int) -> Array:
    wanted = tuple(rows if size < 0 and place == 0 else size for place, size in enumerate(tensor.shape))
    array = answer.reshape(rows, -1) if len(wanted) == 2 and answer.shape == (rows,) else answer  # noqa: PLR2004
    if array.shape == (rows, 1) and len(wanted) == 1:
        array = array.reshape(rows)
    if len(array.shape) != len(wanted) or any(want not in (-1, found) for want, found in zip(wanted, array.shape, strict=True)):
        raise RuntimeFailure(f"output {tensor.name!r} has shape {list(answer.shape)} for {rows} rows", kind="output")
    return _cast(tensor, array)


def _cast(tensor: Tensor, array: Array) -> Array:
    if tensor.datatype == "BYTES":
        return np.array([str(value) for value in array.ravel().tolist()], dtype=np.object_).reshape(array.shape)
    try:
        return array.astype(DTYPES[tensor.datatype], copy=False)
    except (KeyError, TypeError, ValueError) as error:
        raise RuntimeFailure(f"output {tensor.name!r} is no {tensor.datatype}: {error}", kind="output") from error
