"""A scikit-learn model as a skops file: data, and the names of the classes to rebuild it from. For what does not become ONNX."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Any

from lockgate.integrations.sklearn.estimator import Estimator, estimator_of
from lockgate.integrations.sklearn.skops_file import reproducible
from lockgate.kernel.errors import Invalid, MissingExtra
from lockgate.ports.natives import Native

RUNTIME = "sklearn"
MODEL_FILE = "model.skops"
# Whose classes and functions a server can have. Which of them it trusts is the server's to say, and it says so when the package
# is verified; classes of the project's own it cannot have.
_LIBRARIES = frozenset({"builtins", "collections", "functools", "lightgbm", "numpy", "scipy", "sklearn", "xgboost"})
_MADE_WITH = ("scikit-learn", "skops", "numpy", "scipy", "pandas")
_SHOWN = 3


class CannotKeep(Invalid):
    """skops cannot store the model, or no server could rebuild it."""


def native(model: Any, categories: Mapping[str, Sequence[Any]], dtypes: Mapping[str, str]) -> Native:
    """The estimator as skops stores it, called with data frames like those that it was trained on.

    Raises:
        Invalid: it is no classifier of two classes or regressor. CannotKeep: it holds what skops cannot store, or classes and
        functions of the project's own. MissingExtra: skops is not installed.
    """
    estimator = estimator_of(model)
    skops = _skops()
    content = _stored(skops, estimator)
    unknown = skops.get_untrusted_types(data=content)
    _check_known(estimator, unknown)
    again = estimator_of(skops.loads(content, trusted=unknown))  # it was ours a moment ago
    options = {"categories": {name: list(levels) for name, levels in categories.items()}, "dtypes": dict(dtypes)}
    return Native(
        runtime=RUNTIME,
        files={MODEL_FILE: content},
        classes=tuple(estimator.model.classes_) if estimator.classifier else None,
        options={name: value for name, value in options.items() if value},
        environment=_environment(unknown),
        original=estimator.scores,
        again=again.scores,
        labels=again.model.predict if estimator.classifier else None,
    )


def _skops() -> Any:
    try:
        return import_module("skops.io")
    except ImportError as error:
        raise MissingExtra(f"storing this model needs skops: {error}", hint="pip install 'lockgate[skops]'") from error


def _stored(skops: Any, estimator: Estimator) -> bytes:
    try:
        return reproducible(skops.dumps(estimator.model))
    except Exception as error:
        # What skops trips over has no common type; to the reader it is all one: this model cannot be stored.
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise CannotKeep(f"{type(estimator.model).__name__} cannot be stored by skops: {reason}") from error


def _check_known(estimator: Estimator, unknown: Sequence[str]) -> None:
    own = [name for name in unknown if name.partition(".")[0] not in _LIBRARIES]
    if own:
        more = f" and {len(own) - _SHOWN} more" if len(own) > _SHOWN else ""
        raise CannotKeep(
            f"{type(estimator.model).__name__} holds {', '.join(own[:_SHOWN])}{more}: classes or functions of the project's own, "
            "which no server has",
            hint="Do this work in a step before the split, or with a part that scikit-learn has.",
        )


def _environment(unknown: Sequence[str]) -> dict[str, str]:
    boosters = sorted({name.partition(".")[0] for name in unknown} & {"lightgbm", "xgboost"})
    return {name: version(name) for name in _MADE_WITH} | {name: str(sys.modules[name].__version__) for name in boosters}
