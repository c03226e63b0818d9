"""Rows as programs have them, made into what the model takes: dictionaries, arrays, data frames, Arrow tables, columns.

Every value is checked as the gateway checks those of a request, by the same code; what is refused there is refused here. pandas
and pyarrow are never imported: who has a data frame has the library, and its columns say what they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from lockgate.embedded.column import Column
from lockgate.embedded.datatypes import Array
from lockgate.embedded.signature import Signature
from lockgate.embedded.single_row import Feeds, SingleRow
from lockgate.kernel.errors import Fault, Invalid, InvalidInput

_MOST = 20  # faults that one refusal tells of
_SUBJECT = "the input"
_NO_ROWS = "expected at least one row, found none"
_NUMBERS = "biuf"  # NumPy's kinds of them, and of booleans
_PLAIN = _NUMBERS + "OSUT"  # and of objects and texts
_KINDS = "a dict, a list of dicts, a NumPy array, a data frame, an Arrow table or a mapping of columns"


@runtime_checkable
class Frame(Protocol):
    """pandas' and Polars' data frames."""

    @property
    def columns(self) -> Any: ...

    @property
    def dtypes(self) -> Any: ...

    def __getitem__(self, name: Any, /) -> Any: ...


@runtime_checkable
class Table(Protocol):
    """Arrow's tables and record batches."""

    @property
    def num_rows(self) -> int: ...

    @property
    def schema(self) -> Any: ...

    def column(self, place: int, /) -> Any: ...


Rows = Sequence[Mapping[str, Any]] | Array | Frame | Table
"""Many rows. Beside these a mapping of columns is taken, name → list or array."""


class Given(NamedTuple):
    """one: a single row was given as such, so a single answer is expected."""

    feeds: Feeds
    rows: int
    one: bool = False


class Inputs:
    """Everything that a signature takes."""

    def __init__(self, signature: Signature) -> None:
        if not signature.inputs:
            raise Invalid("the signature has no inputs")
        self._columns = tuple(Column(tensor) for tensor in signature.inputs)
        self._names = tuple(column.name for column in self._columns)
        self._known = frozenset(self._names)
        self._single = SingleRow(self._columns)

    def quickly(self, row: Mapping[str, Any]) -> Feeds | None:
        """One row of plain values; None for whatever else it is, right or wrong."""
        return self._single.instance(row) if row.keys() == self._known else None

    def given(self, rows: Any) -> Given:
        """Whatever was given.

        Raises:
            InvalidInput: it does not fit the signature; each fault names its input.
        """
        if isinstance(rows, Mapping):
            return self._from_mapping(rows)
        if isinstance(rows, np.ndarray):
            return self._from_array(rows)
        if isinstance(rows, Table):
            return self._from_named(rows.schema.names, rows.column)
        if isinstance(rows, Frame):
            names = [str(name) for name in rows.columns]
            return self._from_named(names, lambda place: rows[rows.columns[place]])
        if isinstance(rows, Sequence) and not isinstance(rows, str | bytes):
            return self._from_rows(rows)
        raise refused([Fault("", f"{type(rows).__name__} found, {_KINDS} expected")])

    def flat(self, columns: Mapping[str, Sequence[Any]]) -> Given:
        """Columns of values laid flat, as golden rows are kept.

        Raises:
            InvalidInput: as `given`.
        """
        self._check_names(columns.keys())
        shaped = {}
        for column in self._columns:
            cells = columns[column.name]
            nested = column.width is None or (cells and isinstance(cells[0], list))
            shaped[column.name] = cells if nested else _folded(cells, column.tail)
        return self._from_columns(shaped)

    def _from_mapping(self, given: Mapping[str, Any]) -> Given:
        """One row, or columns: these lie one level deeper than a cell of the first input."""
        self._check_names(given.keys())
        first = self._columns[0]
        if _depth(given[first.name]) > (0 if first.tail == (1,) else len(first.tail)):
            return self._from_columns(given)
        return self._from_columns({name: [given[name]] for name in self._names})._replace(one=True)

    def _from_rows(self, rows: Sequence[Any]) -> Given:
        if not rows:
            raise refused([Fault("", _NO_ROWS)])
        for index, row in enumerate(rows):
            if not isinstance(row, Mapping):
                raise refused([Fault(f"[{index}]", f"{type(row).__name__} found, a dict with a value for each input expected")])
            self._check_names(row.keys(), f"[{index}].")
        return self._from_columns({name: [row[name] for row in rows] for name in self._names})

    def _from_array(self, array: Array) -> Given:
        """Columns in the order of the signature, side by side; of a model with one input its rows; or an array with fields."""
        if array.dtype.names is not None:
            return self._from_named(array.dtype.names, lambda place: array[array.dtype.names[place]])
        if len(self._columns) == 1 and (self._columns[0].width != 1 or array.ndim == 1):
            return self._from_columns({self._names[0]: array})
        widths = [column.width or 0 for column in self._columns]
        if array.ndim != 2 or array.shape[1] != sum(widths) or not all(widths):  # noqa: PLR2004 - rows and columns
            expected = f"[rows, {sum(widths)}] expected: {', '.join(self._names)}"
            raise refused([Fault("", f"an array of shape {list(array.shape)} found, {expected}")])
        ends = np.cumsum(widths).tolist()
        parts = zip(self._columns, widths, ends, strict=True)
        return self._from_columns({one.name: array[:, end - width : end].reshape(-1, *one.tail) for one, width, end in parts})

    def _from_named(self, names: Sequence[str], column: Any) -> Given:
        if twice := [name for name in dict.fromkeys(names) if list(names).count(name) > 1]:
            raise refused(Fault(name, "this column is given twice") for name in twice)
        self._check_names(names)
        faults, found = [], {}
        for place, name in enumerate(names):
            try:
                found[name] = _cells(column(place))
            except ValueError as error:
                faults.append(Fault(name, str(error)))
        if faults:
            raise refused(faults)
        return self._from_columns(found)

    def _from_columns(self, given: Mapping[str, Any]) -> Given:
        faults: list[Fault] = []
        feeds: Feeds = {}
        for column in self._columns:
            try:
                feeds[column.name] = column.cells(_whole(given[column.name]))[0]
            except ValueError as error:
                faults.append(Fault(column.name, str(error)))
        rows = len(next(iter(feeds.values()))) if feeds else 0
        faults += (Fault(name, f"has {len(feed)} rows, {rows} expected") for name, feed in feeds.items() if len(feed) != rows)
        if faults:
            raise refused(faults)
        if not rows:
            raise refused([Fault("", _NO_ROWS)])
        return Given(feeds, rows)

    def _check_names(self, names: Collection[str], prefix: str = "") -> None:
        if frozenset(names) == self._known:
            return
        expected = ", ".join(self._names)
        missing = [Fault(f"{prefix}{name}", "this input is missing") for name in self._names if name not in names]
        unknown = [
            Fault(f"{prefix}{str(name)[:80]}", f"unknown input; expected {expected}") for name in names if name not in self._known
        ]
        raise refused([*missing, *unknown])


def refused(faults: Iterable[Fault]) -> InvalidInput:
    return InvalidInput(_SUBJECT, list(islice(faults, _MOST)))


def _cells(column: Any) -> Any:
    """Of a column of a data frame or table.

    Raises:
        ValueError: it has nulls.
    """
    if getattr(column, "null_count", 0) and callable(getattr(column, "to_pylist", None)):
        row = next(index for index, value in enumerate(column.to_pylist()) if value is None)
        raise ValueError(f"row {row}: null found")
    if hasattr(column, "to_pylist"):  # Arrow's
        array = column.to_numpy(zero_copy_only=False)
        return array if array.dtype != object else column.to_pylist()
    return column.to_numpy() if hasattr(column, "to_numpy") else column


def _whole(cells: Any) -> Any:
    """A column as an array of numbers, or as a list of Python's own values.

    Raises:
        ValueError: it is no column, or holds what no input is.
    """
    plain = _plain(_cells(cells) if hasattr(cells, "to_numpy") else cells)
    if not isinstance(plain, np.ndarray | list):
        message = f"expected a list or an array with a value for each row, got {type(cells).__name__}"
        raise ValueError(message)  # noqa: TRY004 - one kind of error for whatever a column is not
    return plain


def _plain(value: Any) -> Any:
    """NumPy's scalars, and texts as bytes, are of Python's types too. Raises ValueError for what is none of them."""
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.kind not in _PLAIN:  # times, for one: as a list they would be whole numbers
            raise ValueError(f"{value.dtype} found; numbers, booleans and texts are read")
        if isinstance(value, np.ndarray) and value.ndim and value.dtype.kind in _NUMBERS:
            return value
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [one.tolist() if isinstance(one := _plain(item), np.ndarray) else one for item in value]
    if isinstance(value, bytes):
        return _text(value)
    return value


def _text(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value  # the column refuses it, and says which row it was


def _depth(value: Any) -> int:
    """How many lists, or axes, lie around its first value."""
    if hasattr(value, "to_numpy"):
        return 1
    if isinstance(value, np.ndarray):
        return value.ndim
    return 1 + (_depth(value[0]) if value else 0) if isinstance(value, list | tuple) else 0


def _folded(cells: Sequence[Any], tail: tuple[int, ...]) -> Sequence[Any]:
    """Flat values as cells of that shape."""
    if tail in ((), (1,)):
        return cells
    for length in reversed(tail):
        cells = [list(cells[start : start + length]) for start in range(0, len(cells), length)]
    return cells
