"""Is what is held out really held out? Rows that were learned too, and features that say the label."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from lockgate.domain.packages import SplitFacts
from lockgate.integrations.sklearn.features import Features
from lockgate.stages.build.packaging.golden import spread

_ROWS = 20_000  # that a single feature is tried on
_LEAVES, _LEAF = 16, 5  # a small tree: enough to see a feature that gives the label away
_CLASSES = 2
_GREATEST = 1e37  # twice of it is still a 32-bit float

Numbers = NDArray[np.floating[Any]]


def split_facts(features: Features, y_train: Any, y_test: Any) -> SplitFacts:
    """y_train, y_test: the labels of both frames' rows. Labels of more than two classes are tried on no feature."""
    train, test = features.train, features.held_out
    learned, held_out = (pd.util.hash_pandas_object(frame, index=False) for frame in (train, test))
    return SplitFacts(len(test), int(held_out.isin(set(learned)).sum()), _single(train, _labels(y_train), test, _labels(y_test)))


def _labels(labels: Any) -> pd.Series[Any]:
    return pd.Series(np.asarray(labels))


def _single(train: pd.DataFrame, y_train: pd.Series[Any], test: pd.DataFrame, y_test: pd.Series[Any]) -> dict[str, float]:
    """Nothing where the held-out labels are all alike, or are neither numbers nor of the two classes that were learned."""
    classes = sorted(y_train.unique().tolist(), key=str)
    two = len(classes) == _CLASSES
    if not (two or types.is_numeric_dtype(y_train)):
        return {}
    learn, hold = ((labels == classes[1]).to_numpy(float) if two else labels.to_numpy(float) for labels in (y_train, y_test))
    if len(np.unique(hold)) < _CLASSES or not (np.isfinite(learn).all() and np.isfinite(hold).all()):
        return {}
    rows, asked = _sample(learn, two=two), _sample(hold, two=two)
    return {
        str(name): _told(train[name].iloc[rows], learn[rows], test[name].iloc[asked], hold[asked], two=two)
        for name in train.columns
    }


def _sample(truth: Numbers, *, two: bool) -> NDArray[np.intp]:
    """Rows spread evenly over each class, so that a rare one is there."""
    parts = [np.flatnonzero(truth == value) for value in (0.0, 1.0)] if two else [np.arange(len(truth))]
    return np.sort(np.concatenate([part[spread(len(part), _ROWS // len(parts))] for part in parts]))


def _told(train: pd.Series[Any], learn: Numbers, test: pd.Series[Any], hold: Numbers, *, two: bool) -> float:
    x_train, x_test = _numbers(train, train, learn), _numbers(test, train, learn)
    if two:
        tree = DecisionTreeClassifier(max_leaf_nodes=_LEAVES, min_samples_leaf=_LEAF, random_state=0).fit(x_train, learn)
        return float(roc_auc_score(hold, tree.predict_proba(x_test)[:, -1]))
    line = DecisionTreeRegressor(max_leaf_nodes=_LEAVES, min_samples_leaf=_LEAF, random_state=0).fit(x_train, learn)
    return float(r2_score(hold, line.predict(x_test)))


def _numbers(column: pd.Series[Any], train: pd.Series[Any], learn: Numbers) -> Numbers:
    """(rows, 1). Numbers as 32-bit floats hold them, what is missing below all that was learned: that a value is missing may tell
    the label too. Texts and categories by the mean label of their value.
    """
    if types.is_numeric_dtype(column) and not isinstance(column.dtype, pd.CategoricalDtype):
        lowest = train.astype(float).clip(-_GREATEST, _GREATEST).min()
        values = column.astype(float).clip(-_GREATEST, _GREATEST)
        return values.fillna(2 * min(0.0 if np.isnan(lowest) else lowest, -1.0)).to_numpy().reshape(-1, 1)
    means = pd.Series(learn).groupby(train.astype(str).to_numpy()).mean()
    return column.astype(str).map(means).fillna(learn.mean()).to_numpy(float).reshape(-1, 1)
