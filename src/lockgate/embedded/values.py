"""Values that came as JSON, text or arrays, made into flat arrays of one datatype; nothing is rounded to fit, nothing guessed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import hypot, isfinite
from typing import Any, NoReturn

import numpy as np

from lockgate.embedded.datatypes import Array, Datatype, round_to_bf16, widen_bf16

_NUMBERS: frozenset[type] = frozenset({float, int})
_WHOLE: frozenset[type] = frozenset({int})
_TRUTH: frozenset[type] = frozenset({bool})
_TEXT: frozenset[type] = frozenset({str})
_BINARY: frozenset[type] = frozenset({bytes})
_FEW = 256  # up to so many numbers one call that looks at all of them is quicker than an array
_EXPECTED = {"float": "float", "int": "int", "bool": "bool", "bytes": "str"}
_CALLED = {type(None): "null", list: "array", dict: "object"}
_TRUTHS = {"true": True, "false": False, "1": True, "0": False}


class BadValue(ValueError):
    """One value that is not of its datatype. index: where it stands in the flat data."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


def read(values: Sequence[Any], datatype: Datatype) -> Array:
    """Python values as a flat array; whole floats are ints where ints are wanted.

    Raises:
        BadValue: a value is of another type, not finite, or out of range.
    """
    return READERS[datatype.kind](values, datatype)


def cast(array: Array, datatype: Datatype) -> Array:
    """An array of whatever numbers as one of the datatype, flat and aligned; without a copy if it is that already.

    Raises:
        BadValue: as `read`.
    """
    flat = array.reshape(-1)
    if datatype.kind == "bytes" or flat.dtype == object:
        return read(flat.tolist(), datatype)
    if flat.dtype.kind not in {"float": "fiu", "int": "fiu", "bool": "b"}[datatype.kind]:
        raise BadValue(0, f"{flat.dtype} found, {datatype.name} expected")
    if datatype.kind == "float":
        return _cast_floats(flat, datatype)
    if datatype.kind == "int":
        flat = _cast_ints(flat, datatype)
    return _as(flat, datatype)


def from_text(cells: Sequence[str], datatype: Datatype) -> list[Any]:
    """Cells of a CSV file as Python values.

    Raises:
        BadValue: a cell is empty, or no number, where a number is wanted.
    """
    if datatype.kind == "bytes":
        return list(cells)
    convert = _FROM_TEXT[datatype.kind]
    values = []
    for index, cell in enumerate(cells):
        try:
            values.append(convert(cell))
        except (ValueError, KeyError, OverflowError) as error:
            found = f"{cell[:40]!r}" if cell.strip() else "nothing"
            raise BadValue(index, f"{found} found, {datatype.name} expected") from error
    return values


def _floats(values: Sequence[Any], datatype: Datatype) -> Array:
    if not _NUMBERS.issuperset(map(type, values)):
        _refuse_types(values, _NUMBERS, datatype)
    if len(values) > _FEW:
        return _many_floats(values, datatype)
    try:
        fits = hypot(*values) <= datatype.largest  # False if one of them is not finite, or too large
    except OverflowError:
        fits = False
    if not fits:
        _check_each(values, datatype)
    array = np.array(values, datatype.dtype)
    return array if datatype.name != "BF16" else widen_bf16(round_to_bf16(array))


def _many_floats(values: Sequence[Any], datatype: Datatype) -> Array:
    try:
        return _cast_floats(np.array(values, np.float64), datatype)
    except OverflowError:
        _check_each(values, datatype)
        raise


def _cast_floats(array: Array, datatype: Datatype) -> Array:
    if array.size and not _fits(array, datatype):
        _check_each(array.tolist(), datatype)
    if datatype.name == "BF16":
        return widen_bf16(round_to_bf16(array))
    return _as(array, datatype)


def _fits(array: Array, datatype: Datatype) -> bool:
    """Whether all numbers are finite and within range."""
    if array.dtype == datatype.dtype and datatype.name != "BF16":
        return bool(np.isfinite(array).all())
    return -datatype.largest <= float(array.min()) and float(array.max()) <= datatype.largest  # False if there is a NaN


def _as(array: Array, datatype: Datatype) -> Array:
    """The same array, if it is of the datatype and aligned; else a copy that is."""
    return array if array.dtype == datatype.dtype and array.flags.aligned else array.astype(datatype.dtype)


def _check_each(values: Sequence[Any], datatype: Datatype) -> None:
    largest = datatype.largest
    for index, value in enumerate(values):
        if not -largest <= value <= largest:
            found = value if isinstance(value, float) else f"a number of {len(str(abs(value)))} digits"
            raise BadValue(index, f"{found} is not a finite {datatype.name} number")


def _ints(values: Sequence[Any], datatype: Datatype) -> Array:
    if not _WHOLE.issuperset(map(type, values)):
        if not _NUMBERS.issuperset(map(type, values)):
            _refuse_types(values, _NUMBERS, datatype)
        values = [_whole(value, index) for index, value in enumerate(values)]
    try:
        return np.array(values, datatype.dtype)
    except OverflowError:
        limits = np.iinfo(datatype.dtype)
        index = next(index for index, value in enumerate(values) if not int(limits.min) <= value <= int(limits.max))
        raise BadValue(index, f"a value is out of the range of {datatype.name}") from None


def _cast_ints(array: Array, datatype: Datatype) -> Array:
    """The same, if every number is whole and within range."""
    if array.dtype.kind == "f" or not np.can_cast(array.dtype, datatype.dtype):
        return _ints(array.tolist(), datatype)
    return array


def _whole(value: float, index: int) -> int:
    if not isfinite(value) or value != int(value):
        raise BadValue(index, f"expected int, got {value}")
    return int(value)


def _bools(values: Sequence[Any], datatype: Datatype) -> Array:
    if not _TRUTH.issuperset(map(type, values)):
        _refuse_types(values, _TRUTH, datatype)
    return np.array(values, datatype.dtype)


def _texts(values: Sequence[Any], datatype: Datatype) -> Array:
    """Strings; or bytes, if what came was not UTF-8. Whether a model takes these is its column's to say."""
    if not _TEXT.issuperset(map(type, values)) and not _BINARY.issuperset(map(type, values)):
        _refuse_types(values, _TEXT, datatype)
    return np.array(values, datatype.dtype)


def _refuse_types(values: Sequence[Any], allowed: frozenset[type], datatype: Datatype) -> NoReturn:
    index, found = next((index, type(value)) for index, value in enumerate(values) if type(value) not in allowed)
    raise BadValue(index, f"expected {_EXPECTED[datatype.kind]}, got {_CALLED.get(found, found.__name__)}")


def _whole_of_text(cell: str) -> int | float:
    try:
        return int(cell)
    except ValueError:
        return float(cell)


def _truth_of_text(cell: str) -> bool:
    return _TRUTHS[cell.strip().lower()]


_FROM_TEXT: dict[str, Callable[[str], Any]] = {"float": float, "int": _whole_of_text, "bool": _truth_of_text}
READERS: dict[str, Callable[[Sequence[Any], Datatype], Array]] = {"float": _floats, "int": _ints, "bool": _bools, "bytes": _texts}
