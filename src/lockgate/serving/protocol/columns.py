"""Columns by a model's signature: from a request's values to the arrays that the runtime takes, every value checked."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from lockgate.boundary.manifest import Signature, Tensor
from lockgate.kernel.errors import Fault, Invalid, InvalidInput
from lockgate.serving.protocol.requests import SUBJECT, InferenceRequest, InputTensor

Array = NDArray[Any]

DTYPES: dict[str, Any] = {
    "BOOL": np.bool_,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "FP32": np.float32,
    "FP64": np.float64,
    "BYTES": np.object_,
}
_PLAIN: dict[str, frozenset[type]] = {
    "FP32": frozenset({float, int}),
    "FP64": frozenset({float, int}),
    "BYTES": frozenset({str}),
}
_FEW = 64  # up to so many values a loop is quicker than an array


def check_datatype(what: str, tensor: Tensor) -> None:
    """Raises Invalid if nothing here can read or write the tensor's datatype."""
    if tensor.datatype not in DTYPES:
        raise Invalid(f"{what} {tensor.name!r} has datatype {tensor.datatype!r}; expected one of {', '.join(DTYPES)}")


class Batch(NamedTuple):
    """The rows of one request, as the runtime takes them, and as the record keeps them."""

    rows: int
    feeds: dict[str, Array]
    values: dict[str, list[Any]]


class Column:
    """One input of a signature."""

    def __init__(self, tensor: Tensor) -> None:
        check_datatype("input", tensor)
        self.name = tensor.name
        self.datatype = tensor.datatype
        self.tail = tuple(tensor.shape[1:])
        self.width = prod(self.tail)
        if not tensor.shape or self.width < 1:
            raise Invalid(f"input {tensor.name!r} has shape {list(tensor.shape)}; expected rows first, then fixed lengths")
        self._dtype = DTYPES[tensor.datatype]
        self._values = {"FP": list[float], "BO": list[bool], "BY": list[str]}.get(tensor.datatype[:2], list[int])
        self._largest = float(np.finfo(self._dtype).max) if tensor.datatype in ("FP32", "FP64") else None
        self._plain = _PLAIN.get(tensor.datatype, frozenset()) if self.tail == (1,) else frozenset()

    def check_form(self, given: InputTensor) -> str | None:
        """What is wrong with datatype or shape; None if nothing is."""
        if given.datatype != self.datatype:
            return f"datatype {given.datatype!r} found, {self.datatype!r} expected"
        if tuple(given.shape[1:]) != self.tail:
            expected = ", ".join(["rows", *map(str, self.tail)])
            return f"shape {given.shape} found, [{expected}] expected"
        return None

    def array(self, data: list[Any]) -> Array:
        """Flat values as an array of this column's shape.

        Raises:
            ValueError: a value is null, not finite, out of range or of another type; the message says which row.
        """
        if len(data) == 1 and self._is_plain(data[0]):  # one row, as most requests have: half the time
            return np.array([data], dtype=self._dtype)
        try:
            values = msgspec.convert(data, self._values)
            if self._largest is not None:
                self._check_finite(values)
            return np.array(values, dtype=self._dtype).reshape(-1, *self.tail)
        except msgspec.ValidationError as error:
            raise ValueError(self._explain(str(error))) from error
        except OverflowError as error:
            raise ValueError(f"a value is out of the range of {self.datatype}") from error

    def _is_plain(self, value: Any) -> bool:
        largest = self._largest
        return type(value) in self._plain and (largest is None or -largest <= value <= largest)

    def _check_finite(self, values: list[Any]) -> None:
        largest = self._largest
        if largest is None:
            return
        if len(values) > _FEW:
            wide = np.array(values, dtype=np.float64)
            if -largest <= wide.min() and wide.max() <= largest:  # both are False if there is a NaN
                return
        for index, value in enumerate(values):
            if not -largest <= value <= largest:
                raise ValueError(f"row {index // self.width}: {value} is not a finite {self.datatype} number")

    def _explain(self, message: str) -> str:
        """`Expected `float`, got `null` - at `$[3]`` in our words."""
        what, _, index = message.partition(" - at `$[")
        row = int(index.split("]")[0]) // self.width if index else 0
        return f"row {row}: {what[:1].lower()}{what[1:].replace('`', '')}"


class Decoder:
    """All inputs of a signature."""

    def __init__(self, signature: Signature) -> None:
        if not signature.inputs:
            raise Invalid("the signature has no inputs")
        self.columns = tuple(Column(tensor) for tensor in signature.inputs)
        self._inputs = frozenset(column.name for column in self.columns)
        self._outputs = frozenset(tensor.name for tensor in signature.outputs)

    def decode(self, request: InferenceRequest) -> Batch:
        """The rows of a request.

        Raises:
            InvalidInput: they do not fit the signature; each fault names its input.
        """
        if request.outputs is not None:
            self._check_outputs([output.name for output in request.outputs])
        if request.inputs is not msgspec.UNSET:
            return self._batch(*self._from_columns(request.inputs))
        assert request.instances is not msgspec.UNSET  # noqa: S101 - the parser let one of the two pass
        return self._batch(*self._from_rows(request.instances))

    def decode_columns(self, values: dict[str, list[Any]]) -> Batch:
        """Rows given as columns of values, as golden rows are kept.

        Raises:
            InvalidInput: they do not fit the signature.
        """
        self._check_names(values.keys(), "")
        return self._batch(values, len(next(iter(values.values()))) // self.columns[0].width)

    def _batch(self, values: dict[str, list[Any]], rows: int) -> Batch:
        faults = []
        feeds = {}
        kept = {}
        for column in self.columns:
            data = kept[column.name] = values[column.name]
            try:
                feeds[column.name] = column.array(data)
            except ValueError as error:
                faults.append(Fault(column.name, str(error)))
        if faults:
            raise InvalidInput(SUBJECT, faults)
        return Batch(rows, feeds, kept)

    def _from_columns(self, inputs: list[InputTensor]) -> tuple[dict[str, list[Any]], int]:
        given = {tensor.name: tensor for tensor in inputs}
        self._check_names(given.keys(), "")
        rows = inputs[0].shape[0]
        faults = []
        for column in self.columns:
            tensor = given[column.name]
            if fault := column.check_form(tensor):
                faults.append(Fault(column.name, fault))
            elif tensor.shape[0] != rows:
                faults.append(Fault(column.name, f"has {tensor.shape[0]} rows, {inputs[0].name!r} has {rows}"))
        if rows == 0:
            faults.append(Fault(inputs[0].name, "expected at least one row, found none"))
        if faults:
            raise InvalidInput(SUBJECT, faults)
        return {name: tensor.data for name, tensor in given.items()}, rows

    def _from_rows(self, instances: list[dict[str, Any]]) -> tuple[dict[str, list[Any]], int]:
        for index, row in enumerate(instances):
            self._check_names(row.keys(), f"instances[{index}].")
        values: dict[str, list[Any]] = {}
        for column in self.columns:
            cells = [row[column.name] for row in instances]
            values[column.name] = cells if column.width == 1 and not isinstance(cells[0], list) else _joined(column, cells)
        return values, len(instances)

    def _check_names(self, names: Any, prefix: str) -> None:
        if names == self._inputs:
            return
        faults = [Fault(prefix + name, "this input is missing") for name in sorted(self._inputs - names)]
        expected = ", ".join(column.name for column in self.columns)
        faults += [Fault(prefix + name, f"unknown input; expected {expected}") for name in sorted(names - self._inputs)]
        raise InvalidInput(SUBJECT, faults)

    def _check_outputs(self, names: list[str]) -> None:
        expected = ", ".join(sorted(self._outputs))
        faults = [
            Fault("outputs", f"unknown output {name!r}; expected {expected}") for name in names if name not in self._outputs
        ]
        if faults:
            raise InvalidInput(SUBJECT, faults)


def _joined(column: Column, cells: list[Any]) -> list[Any]:
    """Cells that hold several values each, laid flat."""
    for index, cell in enumerate(cells):
        if not isinstance(cell, list) or len(cell) != column.width:
            raise InvalidInput(SUBJECT, [Fault(f"instances[{index}].{column.name}", f"expected a list of {column.width} values")])
    return [value for cell in cells for value in cell]
