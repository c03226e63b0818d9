"""Models that MLflow saved: native files need no trust, Python does, and what a folder says of its own trust is not asked."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # read when it is imported

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
import yaml
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lockgate.integrations.mlflow.model import MlflowModel, mlflow_model
from lockgate.kernel.errors import Invalid
from lockgate.runtimes.trust import VARIABLE
from tests.integration.packaging.examples import FRAME, NUMBERS, TRAIN, split
from tests.integration.packaging.made import asked, check_golden, packed

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of hints in its own code
    import mlflow.lightgbm
    import mlflow.pyfunc
    import mlflow.sklearn
    import mlflow.xgboost
    from mlflow.models import infer_signature

PythonModel: Any = import_module("mlflow.pyfunc").PythonModel

EXAMPLES = split(FRAME[NUMBERS])
Save = Callable[..., Any]


class Windy(PythonModel):  # type: ignore[misc]
    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:
        return 1 / (1 + np.exp(-model_input["wind"]))


def saved(folder: Path, save: Save, **more: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save(path=str(folder), signature=infer_signature(EXAMPLES.x_train), pip_requirements=["numpy==2.4.6"], **more)
    return folder


def pipeline() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(EXAMPLES.x_train, EXAMPLES.y_train)


def forest(**options: Any) -> Any:
    return xgboost.XGBClassifier(n_estimators=10, n_jobs=1, **options).fit(
        EXAMPLES.x_train, EXAMPLES.y_train, eval_set=[(EXAMPLES.x_test, EXAMPLES.y_test)], verbose=False
    )


def leaves() -> Any:
    return lightgbm.LGBMClassifier(n_estimators=10, n_jobs=1, verbose=-1).fit(EXAMPLES.x_train, EXAMPLES.y_train)


@pytest.mark.parametrize(
    ("flavor", "save", "argument", "make"),
    [
        pytest.param("sklearn", mlflow.sklearn.save_model, "sk_model", pipeline, id="sklearn"),
        pytest.param("xgboost", mlflow.xgboost.save_model, "xgb_model", forest, id="xgboost"),
        pytest.param(
            "xgboost", mlflow.xgboost.save_model, "xgb_model", lambda: forest(early_stopping_rounds=2), id="xgboost stopped early"
        ),
        pytest.param("xgboost", mlflow.xgboost.save_model, "xgb_model", lambda: forest().get_booster(), id="booster"),
        pytest.param("lightgbm", mlflow.lightgbm.save_model, "lgb_model", leaves, id="lightgbm"),
        pytest.param("lightgbm", mlflow.lightgbm.save_model, "lgb_model", lambda: leaves().booster_, id="lightgbm booster"),
    ],
)
def test_native_files_are_served_without_trust(flavor: str, save: Save, argument: str, make: Any, tmp_path: Path) -> None:
    model = mlflow_model(saved(tmp_path / "saved", save, **{argument: make()}), classes=(0, 1))
    made = packed(model, EXAMPLES, model.predict(EXAMPLES.x_test))
    assert (made.runtime, made.options["flavor"], made.requirements) == ("mlflow", flavor, ())
    check_golden(made, tmp_path / "artifacts")


def test_python_is_served_where_it_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = mlflow_model(saved(tmp_path / "saved", mlflow.pyfunc.save_model, python_model=Windy()), classes=(0, 1))
    made = packed(model, EXAMPLES, model.predict(EXAMPLES.x_test))
    assert made.options["flavor"] == "python_function"
    assert made.requirements == (f"mlflow=={mlflow.__version__}", "numpy==2.4.6")

    said = asked(made, tmp_path / "artifacts")
    assert said.error == (
        "the package of flights runs code of its author (MLflow's python_function, loaded by mlflow.pyfunc.model), "
        "which this platform does not trust"
    )
    monkeypatch.setenv(VARIABLE, "1")
    check_golden(made, tmp_path / "artifacts")


def test_a_pickled_estimator_counts_as_code(tmp_path: Path) -> None:
    more = {"sk_model": pipeline(), "serialization_format": "pickle", "pyfunc_predict_fn": "predict_proba"}
    model = mlflow_model(saved(tmp_path / "saved", mlflow.sklearn.save_model, **more), classes=(0, 1))
    made = packed(model, EXAMPLES, model.predict(EXAMPLES.x_test))
    assert made.options["flavor"] == "python_function"
    assert "runs code of its author" in str(asked(made, tmp_path / "artifacts").error)


def test_classes_are_no_probabilities(tmp_path: Path) -> None:
    more = {"sk_model": pipeline(), "serialization_format": "pickle"}
    model = mlflow_model(saved(tmp_path / "saved", mlflow.sklearn.save_model, **more), classes=(0, 1))
    with pytest.raises(Invalid, match="answers with classes, probabilities expected") as caught:
        packed(model, EXAMPLES, np.full(len(FRAME) - TRAIN, 0.5))
    assert "pyfunc_predict_fn='predict_proba'" in str(caught.value.hint)


# Hostile folders


def described(model: MlflowModel, change: Callable[[dict[str, Any]], None]) -> MlflowModel:
    """The same files with another description."""
    description = yaml.safe_load(model.files["MLmodel"])
    change(description)
    return MlflowModel(model.files | {"MLmodel": yaml.safe_dump(description).encode()}, model.classes)


def test_a_class_that_the_description_wants_made_is_never_made(tmp_path: Path) -> None:
    """MLflow would import `os` and call `system`."""
    model = mlflow_model(saved(tmp_path / "saved", mlflow.xgboost.save_model, xgb_model=forest()), classes=(0, 1))
    made = packed(model, EXAMPLES, model.predict(EXAMPLES.x_test))
    hostile = described(model, lambda said: said["flavors"]["xgboost"].update(model_class="os.system"))
    made.files.update(hostile.files)
    check_golden(made, tmp_path / "artifacts")


def test_types_that_the_description_trusts_are_not_trusted(tmp_path: Path) -> None:
    model = mlflow_model(saved(tmp_path / "saved", mlflow.sklearn.save_model, sk_model=pipeline()))
    made = packed(model, EXAMPLES, model.predict(EXAMPLES.x_test))
    made.files["model.skops"] = own_type()
    hostile = described(model, lambda said: said["flavors"]["sklearn"].update(skops_trusted_types=[f"{__name__}.Own"]))
    made.files["MLmodel"] = hostile.files["MLmodel"]
    said = asked(made, tmp_path / "artifacts")
    assert f"{__name__}.Own" in str(said.error)
    assert "which the platform does not trust" in str(said.error)


class Own:
    """Of no library."""

    def __init__(self) -> None:
        self.value = 1


def own_type() -> bytes:
    import skops.io

    return bytes(skops.io.dumps(Own()))


@pytest.mark.parametrize("source", ["model.pkl", "../../etc/passwd", "model.skops/../model.pkl"])
def test_a_pickle_in_the_place_of_a_native_file_is_refused_by_name(source: str, tmp_path: Path) -> None:
    model = mlflow_model(saved(tmp_path / "saved", mlflow.sklearn.save_model, sk_model=pipeline()))
    made = packed(model, EXAMPLES, model.predict(EXAMPLES.x_test))
    made.files["MLmodel"] = described(model, lambda said: said["flavors"]["sklearn"].update(pickled_model=source)).files[
        "MLmodel"
    ]
    made.files["model.pkl"] = made.files.pop("model.skops")
    assert source in str(asked(made, tmp_path / "artifacts").error)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../b", "a//b", "a\\b", "a/./b", "nul\0"])
def test_a_file_that_would_leave_the_folder_is_refused_by_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    model = mlflow_model(saved(tmp_path / "saved", mlflow.pyfunc.save_model, python_model=Windy()), classes=(0, 1))
    made = packed(model, EXAMPLES, model.predict(EXAMPLES.x_test))
    made.files[name] = b"outside"
    error = str(asked(made, tmp_path / "artifacts").error)
    assert repr(name)[:100] in error
    assert "a plain path below its folder expected" in error


def test_a_description_that_is_none_is_refused(tmp_path: Path) -> None:
    model = mlflow_model(saved(tmp_path / "saved", mlflow.sklearn.save_model, sk_model=pipeline()))
    made = packed(model, EXAMPLES, model.predict(EXAMPLES.x_test))
    for number, content in enumerate((b"", b"flavors: 1", b"{", b"!!python/object/apply:os.system ['true']", b"x" * (2 << 20))):
        made.files["MLmodel"] = content
        assert str(asked(made, tmp_path / f"artifacts-{number}").error).startswith("MLmodel ")


def test_requirements_that_are_not_pinned_are_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path / "saved", mlflow.pyfunc.save_model, python_model=Windy())
    (folder / "requirements.txt").write_text("numpy>=2\n--index-url somewhere\n# a remark\npandas==3.1.1\n")
    with pytest.raises(Invalid, match="requirements of the MLflow model are not pinned: numpy>=2, --index-url somewhere"):
        packed(mlflow_model(folder, classes=(0, 1)), EXAMPLES, np.full(len(FRAME) - TRAIN, 0.5))


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="has no file MLmodel"):
        mlflow_model(tmp_path)
