"""From data frames to tensors: which datatype each feature column travels as, and what cannot travel.

text → BYTES · integers and booleans (as 0 and 1) → INT64 · floats → FP32. A column that has missing floats is FP32 too; texts and
integers that are missing cannot be told from others in a tensor and are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types

from lockgate.domain.data import Split
from lockgate.kernel.errors import Fault, Invalid, InvalidInput

BYTES, INT64, FP32, FP64 = "BYTES", "INT64", "FP32", "FP64"
Columns = dict[str, list[str] | NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Features:
    """Both frames of a split, checked: the same columns, and for each column the datatype it travels as."""

    train: pd.DataFrame
    held_out: pd.DataFrame
    datatypes: dict[str, str]

    def names(self, datatype: str) -> list[str]:
        return [name for name, found in self.datatypes.items() if found == datatype]

    @property
    def categories(self) -> dict[str, list[Any]]:
        """The levels of each column of categories, in their order."""
        kinds = {name: self.train[name].dtype for name in self.datatypes}
        return {name: kind.categories.tolist() for name, kind in kinds.items() if isinstance(kind, pd.CategoricalDtype)}

    @property
    def dtypes(self) -> dict[str, str]:
        """Of columns that are neither text, categories, int64 nor float64: the numpy dtype that a model was trained on."""
        found = {name: _unusual(self.train[name].dtype) for name in self.datatypes}
        return {name: dtype for name, dtype in found.items() if dtype is not None}

    def served(self, rows: pd.DataFrame, datatypes: Mapping[str, str]) -> pd.DataFrame:
        """The rows as a model gets them that is called with data frames: sent as these datatypes, and put together again."""
        values = columns(rows, datatypes)
        return pd.DataFrame({name: self._arrived(name, values[name], kind) for name, kind in datatypes.items()}, rows.index)

    def _arrived(self, name: str, values: Any, datatype: str) -> Any:
        sent = values.astype(np.float32) if datatype == FP32 else values
        if (levels := self.categories.get(name)) is not None:
            return pd.Categorical(sent if isinstance(sent, list) else sent.tolist(), categories=levels)
        return sent if datatype == BYTES else sent.astype(self.dtypes.get(name, np.float64 if datatype == FP32 else sent.dtype))


def features_of(split: object) -> Features:
    """The features of a split.

    Raises:
        Invalid: it is no `lockgate.Split`. InvalidInput: its frames or columns cannot become tensors; all faults at once.
    """
    if not isinstance(split, Split):
        raise Invalid(
            f"{type(split).__name__} found where the pipeline's split is needed, lockgate.Split expected",
            hint="Let a step of the pipeline return lockgate.Split(x_train, y_train, x_test, y_test).",
        )
    faults = list(_frame_faults(split))
    if not faults:
        faults = [fault for name in split.x_train.columns for fault in _column_faults(name, split)]
    if faults:
        raise InvalidInput("the split", faults, hint="Change these columns in the step that makes the split.")
    return Features(split.x_train, split.x_test, {name: _datatype(name, split) for name in split.x_train.columns})


def columns(frame: pd.DataFrame, datatypes: Mapping[str, str]) -> Columns:
    """The columns as plain values: texts as lists, integers as int64, floats as float64 (NaN where missing)."""
    return {name: _values(frame[name], datatype) for name, datatype in datatypes.items()}


def _frame_faults(split: Split) -> Iterator[Fault]:
    for which in ("train", "test"):
        x, y = getattr(split, f"x_{which}"), getattr(split, f"y_{which}")
        if not isinstance(x, pd.DataFrame):
            yield Fault(f"x_{which}", f"{type(x).__name__} found, a pandas DataFrame expected")
        elif len(x) == 0:
            yield Fault(f"x_{which}", "no rows found, at least one expected")
        elif not hasattr(y, "__len__") or len(y) != len(x):
            found = f"{len(y)} labels" if hasattr(y, "__len__") else type(y).__name__
            yield Fault(f"y_{which}", f"{found} found, {len(x)} expected: one for each row of x_{which}")
    if isinstance(split.x_train, pd.DataFrame) and isinstance(split.x_test, pd.DataFrame):
        yield from _name_faults(split)


def _name_faults(split: Split) -> Iterator[Fault]:
    names = list(split.x_train.columns)
    if names != list(split.x_test.columns):
        yield Fault("x_test", f"columns {_listed(split.x_test.columns)} found, {_listed(names)} as in x_train expected")
    for name in names:
        if not isinstance(name, str) or not name:
            yield Fault("x_train", f"a column is named {name!r}, a text expected")
        elif names.count(name) > 1:
            yield Fault("x_train", f"{names.count(name)} columns are named {name!r}, one expected")


def _column_faults(name: str, split: Split) -> Iterator[Fault]:
    for which in ("x_train", "x_test"):
        series = getattr(split, which)[name]
        datatype = _series_datatype(series)
        if datatype is None:
            yield Fault(f"{which}.{name}", f"{_described(series)} found; text, integers, booleans or floats expected")
        elif datatype != FP32 and (missing := int(series.isna().sum())):
            what = "text" if datatype == BYTES else "integers"
            yield Fault(f"{which}.{name}", f"{missing} of {len(series)} values are missing; only floats may be, {what} may not")
    train, test = (_series_datatype(frame[name]) for frame in (split.x_train, split.x_test))
    if None not in (train, test) and train != test and BYTES in (train, test):
        yield Fault(f"x_test.{name}", f"{test} found, {train} as in x_train expected")


def _datatype(name: str, split: Split) -> str:
    """Integers that come as floats in one of the frames travel as floats."""
    train, test = (_series_datatype(frame[name]) for frame in (split.x_train, split.x_test))
    return train if train == test and train is not None else FP32


def _series_datatype(series: pd.Series[Any]) -> str | None:
    """None: the column cannot become a tensor. Categories count as what they are categories of."""
    values = series.dtype.categories.to_series() if isinstance(series.dtype, pd.CategoricalDtype) else series
    if types.is_bool_dtype(values.dtype) or types.is_integer_dtype(values.dtype):
        return INT64
    if types.is_float_dtype(values.dtype):
        return FP32
    if isinstance(values.dtype, pd.StringDtype):
        return BYTES
    texts = types.is_object_dtype(values.dtype) and all(isinstance(value, str) for value in values.dropna())
    return BYTES if texts else None


def _unusual(dtype: Any) -> str | None:
    if types.is_bool_dtype(dtype):
        return "bool"
    return "float32" if types.is_float_dtype(dtype) and dtype.itemsize < np.dtype(np.float64).itemsize else None


def _described(series: pd.Series[Any]) -> str:
    if not types.is_object_dtype(series.dtype):
        return str(series.dtype)
    kinds = sorted({type(value).__name__ for value in series.dropna()})
    return f"a mixture of {', '.join(kinds)}" if len(kinds) > 1 else f"objects of {', '.join(kinds) or 'no value at all'}"


def _values(series: pd.Series[Any], datatype: str) -> list[str] | NDArray[Any]:
    if datatype == BYTES:
        return [str(value) for value in series]
    plain = pd.Series(series.to_numpy()) if isinstance(series.dtype, pd.CategoricalDtype) else series
    if datatype == INT64:
        return plain.to_numpy(dtype=np.int64)
    return plain.to_numpy(dtype=np.float64, na_value=np.nan)


def _listed(names: Any) -> str:
    return ", ".join(map(str, names))
