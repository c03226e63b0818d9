"""Models that learn row by row: packaged without a pickle, the same bytes each time, able to go on learning."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from river import anomaly, base, cluster, compose, forest, linear_model, naive_bayes, preprocessing, tree

from lockgate.boundary.objects.reading import decode
from lockgate.boundary.objects.river import RIVER
from lockgate.boundary.objects.writing import encode
from lockgate.integrations.river.native import MODEL_FILE
from lockgate.kernel.digest import digest_bytes
from lockgate.kernel.errors import Invalid, Refused
from tests.integration.packaging.examples import FRAME, LATE, MINUTES, NUMBERS, TEXTS, TRAIN, split
from tests.integration.packaging.made import asked, check_golden, packed

GaussianNB: Any = naive_bayes.GaussianNB  # River types its models in part
ROWS = FRAME.to_dict("records")


def learned(model: Any, labels: Any = LATE, names: list[str] | None = None) -> Any:
    for row, label in list(zip(ROWS, labels.tolist(), strict=True))[:TRAIN]:
        model.learn_one({name: row[name] for name in names or row}, label)
    return model


def scores(model: Any, positive: Any = 1, names: list[str] | None = None) -> list[float]:
    rows = [{name: row[name] for name in names or row} for row in ROWS[TRAIN:]]
    if positive is None:
        return [model.predict_one(row) for row in rows]
    return [model.predict_proba_one(row).get(positive, 0.0) for row in rows]


def linear() -> Any:
    words = compose.Select(*TEXTS, "weekend") | preprocessing.OneHotEncoder()
    return (words + (compose.Select(*NUMBERS) | preprocessing.StandardScaler())) | linear_model.LogisticRegression()


def bayes() -> Any:
    return compose.Select(*NUMBERS) | GaussianNB()


def hoeffding() -> Any:
    return tree.HoeffdingTreeClassifier(grace_period=50)


def random_forest() -> Any:
    return forest.ARFClassifier(n_models=3, seed=1)


@pytest.mark.parametrize("make", [linear, bayes, hoeffding, random_forest])
def test_a_classifier_answers_in_the_data_plane_as_it_did_in_the_pipeline(make: Callable[[], Any], tmp_path: Path) -> None:
    labels = LATE.astype(bool) if make is linear else LATE
    model = learned(make(), labels)
    made = packed(model, split(labels=labels), scores(model))
    assert made.runtime == "river"
    assert made.options["classes"] == ([False, True] if make is linear else [0, 1])
    assert [tensor.name for tensor in made.signature.outputs] == ["label", "probabilities"]
    assert set(made.environment) == {"python", "river", "numpy"}
    check_golden(made, tmp_path)


def test_a_regressor_answers_as_it_did(tmp_path: Path) -> None:
    model = learned(preprocessing.StandardScaler() | linear_model.LinearRegression(), MINUTES, NUMBERS)
    made = packed(model, split(FRAME[NUMBERS], MINUTES), scores(model, None, NUMBERS))
    assert [tensor.name for tensor in made.signature.outputs] == ["prediction"]
    check_golden(made, tmp_path)


def test_truth_travels_as_a_number_and_arrives_as_truth(tmp_path: Path) -> None:
    """A one-hot encoding of True is another column than one of 1."""
    model = learned(linear(), LATE.astype(bool))
    made = packed(model, split(labels=LATE.astype(bool)), scores(model))
    assert made.options["booleans"] == ["weekend"]
    assert {tensor.name: tensor.datatype for tensor in made.signature.inputs}["weekend"] == "INT64"
    check_golden(made, tmp_path)


_AGAIN = """
import pickle, sys
from lockgate.integrations.river.native import native
from lockgate.kernel.digest import digest_bytes
for model in pickle.load(open(sys.argv[1], "rb")):
    print(digest_bytes(native(model, {}, {}).files["model.river.json"]))
"""


def test_the_same_model_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    models = [learned(bayes()), learned(hoeffding()), learned(random_forest())]
    said = [scores(model) for model in models]  # first, since a forest of River changes when it is asked
    path = tmp_path / "models"
    path.write_bytes(pickle.dumps(models))
    again = subprocess.run([sys.executable, "-c", _AGAIN, str(path)], capture_output=True, text=True, check=True, timeout=60)
    here = [packed(model, split(), answers).files[MODEL_FILE] for model, answers in zip(models, said, strict=True)]
    assert again.stdout.split() == [digest_bytes(content) for content in here]


@pytest.mark.parametrize("make", [bayes, hoeffding, random_forest])
def test_a_stored_model_goes_on_learning_as_if_nothing_had_happened(make: Callable[[], Any]) -> None:
    model = learned(make())
    restored = decode(packed(model, split(), scores(model)).files[MODEL_FILE], RIVER)
    assert isinstance(restored, base.Estimator)
    same = partial(pytest.approx, rel=1e-9)  # some of River adds up in the order of a set, which a copy does not share
    assert scores(restored) == same(scores(model))
    learned(model)
    learned(restored)
    assert scores(restored) == same(scores(model)), "also its dice fall as they would have"


# Refusals


class Shift(base.Transformer):
    def transform_one(self, x: dict[Any, Any]) -> dict[Any, Any]:
        return {name: value + 1 for name, value in x.items()}


def refusal(model: Any, expected: type[Exception] = Invalid) -> str:
    with pytest.raises(expected) as caught:
        packed(model, split(FRAME[NUMBERS]), np.full(len(FRAME) - TRAIN, 0.5))
    return str(caught.value)


def test_parts_of_the_projects_own_are_refused_by_name() -> None:
    message = refusal(learned(Shift() | preprocessing.StandardScaler() | bayes(), names=NUMBERS), Refused)
    assert "test_river_packages:Shift is not among the classes and functions" in message


def test_functions_are_refused_by_name() -> None:
    model = compose.FuncTransformer(shifted) | preprocessing.StandardScaler() | linear_model.LogisticRegression()
    assert "test_river_packages:shifted is not among" in refusal(learned(model, LATE.astype(bool), NUMBERS), Refused)


def shifted(x: dict[str, Any]) -> dict[str, Any]:
    return {name: value + 1 for name, value in x.items()}


def test_a_model_that_gives_no_score_is_refused() -> None:
    assert "KMeans of River is neither a classifier nor a regressor" in refusal(cluster.KMeans(n_clusters=2, seed=1))
    assert "HalfSpaceTrees of River is neither" in refusal(anomaly.HalfSpaceTrees(seed=1))


def test_a_classifier_that_has_seen_one_class_only_is_refused() -> None:
    model = hoeffding()
    for row in ROWS[:50]:
        model.learn_one({name: row[name] for name in NUMBERS}, 1)
    assert "HoeffdingTreeClassifier of River tells 1 classes apart (1), two expected" in refusal(model)


def test_damaged_parts_are_a_failure_of_the_package_and_no_crash(tmp_path: Path) -> None:
    """River's parts in Rust say so by a panic, which is no Exception."""
    model = learned(random_forest())
    made = packed(model, split(), scores(model))
    stored = json.loads(made.files[MODEL_FILE])
    window = next(node for node in stored["nodes"] if node[1:2] == ["river._river_rust.drift:AdaptiveWindowing"])
    window[-1] = {"b": "AAAA"}
    made.files[MODEL_FILE] = json.dumps(stored).encode()
    assert str(asked(made, tmp_path).error).startswith("river cannot restore the model: ")


@pytest.mark.parametrize("value", [[1], {}, preprocessing.StandardScaler])
def test_a_file_that_holds_no_model_is_refused(value: Any, tmp_path: Path) -> None:
    model = learned(bayes())
    made = packed(model, split(), scores(model))
    made.files[MODEL_FILE] = encode(value, RIVER)
    assert "a model of River expected" in str(asked(made, tmp_path).error)
