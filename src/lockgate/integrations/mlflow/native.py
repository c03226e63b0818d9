"""A model that MLflow saved: its files as they are, and how they are to be run."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from lockgate.boundary.mlmodel import DESCRIPTION, PYTHON, flavors_of, native_file
from lockgate.integrations.mlflow.loading import Loaded, loaded
from lockgate.integrations.mlflow.model import MlflowModel
from lockgate.kernel.errors import Invalid
from lockgate.ports.natives import Native

RUNTIME = "mlflow"
_REQUIREMENTS = "requirements.txt"
_PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._,-]*\])?==[A-Za-z0-9][A-Za-z0-9.!+_-]*", re.ASCII)


def native(model: MlflowModel, categories: Mapping[str, Sequence[Any]], dtypes: Mapping[str, str]) -> Native:
    """The model's files. A native flavour is served from its own file; python_function by MLflow, with the model's requirements.

    Raises:
        Invalid: it cannot be loaded, or its requirements are not pinned. MissingExtra: a library is missing.
    """
    original, again = loaded(model), loaded(model)
    kept = {name: list(levels) for name, levels in categories.items()}
    return Native(
        runtime=RUNTIME,
        files=model.files,
        classes=original.classes,
        options=_options(model, original, dtypes) | ({"categories": kept} if kept else {}),
        environment=_environment(original),
        original=original.scores,
        again=again.scores,
        labels=original.model.predict if _reader(model, original) == "sklearn" and original.classes is not None else None,
        requirements=_requirements(model) if original.flavor == PYTHON else (),
    )


def _reader(model: MlflowModel, found: Loaded) -> str | None:
    """The runtime that reads a native flavour's file."""
    if found.flavor == PYTHON:
        return None
    return native_file(found.flavor, flavors_of(model.files[DESCRIPTION])[found.flavor]).runtime


def _options(model: MlflowModel, found: Loaded, dtypes: Mapping[str, str]) -> dict[str, Any]:
    reader = _reader(model, found)
    more: dict[str, Any] = {}
    if reader == "sklearn" and dtypes:
        more = {"dtypes": dict(dtypes)}
    if reader == "xgboost":
        more = _of_xgboost(found.model)
    return {"flavor": found.flavor} | ({"native": more} if more else {})


def _of_xgboost(model: Any) -> dict[str, Any]:
    """What its file does not say: the rounds that count, and the number that stands for a missing one."""
    options: dict[str, Any] = {}
    if hasattr(model, "get_booster") and model.get_booster().attr("best_iteration") is not None:
        options["iterations"] = int(model.best_iteration) + 1
    missing = getattr(model, "missing", None)
    return options | ({"missing": float(missing)} if missing is not None and not math.isnan(missing) else {})


def _environment(found: Loaded) -> dict[str, str]:
    """By import names: several distributions may bring a library along."""
    names = ("mlflow",) if found.flavor == PYTHON else ("mlflow", found.flavor)
    return {name: str(import_module(name).__version__) for name in names}


def _requirements(model: MlflowModel) -> tuple[str, ...]:
    lines = [line.partition("#")[0].strip() for line in model.files.get(_REQUIREMENTS, b"").decode().splitlines()]
    wanted = tuple(line for line in lines if line)
    if loose := [line for line in wanted if not _PINNED.fullmatch(line)]:
        raise Invalid(
            f"requirements of the MLflow model are not pinned: {', '.join(loose[:3])}",
            hint="Save it with pip_requirements=['NAME==VERSION', …].",
        )
    return wanted
