"""The pipeline's evaluation: one row for each held-out example, with prediction, label, and columns to slice by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types

from lockgate.domain.evaluation import Evaluation
from lockgate.kernel.errors import Fault, Invalid, InvalidInput

PREDICTION, LABEL = "prediction", "label"
_SHOWN = 3


def judged(frame: object, *, classifier: bool) -> Evaluation:
    """The evaluation in a data frame whose index names the examples.

    prediction: the score; of a classifier the probability of its positive class. label: the truth as a number; of a classifier
    0 or 1. All other columns are slices, read as text ("missing" where there is no value).

    Raises:
        Invalid: no data frame. InvalidInput: all its faults at once.
    """
    if not isinstance(frame, pd.DataFrame):
        raise Invalid(
            f"{type(frame).__name__} found where the pipeline's evaluation is needed, a pandas DataFrame expected",
            hint="Let the step `evaluation` return one row for each held-out example: prediction, label, slices.",
        )
    faults = [*_index_faults(frame), *_number_faults(frame, classifier=classifier), *_slice_faults(frame)]
    if faults:
        raise InvalidInput("the evaluation", faults, hint="Mend them in the step `evaluation` of the pipeline.")
    return Evaluation(
        ids=[str(name) for name in frame.index],
        prediction=_numbers(frame[PREDICTION]).tolist(),
        label=_numbers(frame[LABEL]).tolist(),
        slices={name: _texts(frame[name]) for name in frame.columns if name not in (PREDICTION, LABEL)},
    )


def _index_faults(frame: pd.DataFrame) -> Iterator[Fault]:
    if len(frame) == 0:
        yield Fault("", "no rows found, one for each held-out example expected")
    names = pd.Series([str(name) for name in frame.index])
    if len(twice := names[names.duplicated()].unique()):
        shown = ", ".join(twice[:_SHOWN])
        yield Fault("index", f"{len(twice)} examples are named more than once, such as {shown}; each must have its own id")


def _number_faults(frame: pd.DataFrame, *, classifier: bool) -> Iterator[Fault]:
    for name in (PREDICTION, LABEL):
        found = int((frame.columns == name).sum())
        if found != 1:
            yield Fault(name, f"{found or 'no'} such column{'s' * (found > 1)} found, one expected")
        elif not types.is_numeric_dtype(frame[name].dtype) or types.is_complex_dtype(frame[name].dtype):
            yield Fault(name, f"{frame[name].dtype} found, numbers expected")
        elif wrong := int(np.count_nonzero(~np.isfinite(_numbers(frame[name])))):
            yield Fault(name, f"{wrong} of {len(frame)} values are missing or infinite")
        elif classifier:
            yield from _class_faults(name, _numbers(frame[name]))


def _class_faults(name: str, values: NDArray[np.float64]) -> Iterator[Fault]:
    allowed = (values >= 0) & (values <= 1) if name == PREDICTION else np.isin(values, (0.0, 1.0))
    if len(others := np.unique(values[~allowed])):
        wanted = "probabilities of the positive class" if name == PREDICTION else "0 or 1 (the positive class)"
        shown = ", ".join(f"{value:g}" for value in others[:_SHOWN])
        yield Fault(name, f"{np.count_nonzero(~allowed)} values such as {shown} found; a classifier's are {wanted}")


def _slice_faults(frame: pd.DataFrame) -> Iterator[Fault]:
    slices: list[object] = [name for name in frame.columns if name not in (PREDICTION, LABEL)]
    for name in slices:
        if not isinstance(name, str):
            yield Fault(repr(name), "a column's name is a text")
        elif slices.count(name) > 1:
            yield Fault(name, f"{slices.count(name)} columns have this name, one expected")


def _numbers(series: pd.Series[Any]) -> NDArray[np.float64]:
    return series.to_numpy(dtype=np.float64, na_value=np.nan)


def _texts(series: pd.Series[Any]) -> list[str]:
    return ["missing" if pd.isna(value) else str(value) for value in series]
