"""Memory and River keep one contract, and a River model scores as the data plane's does, bit for bit."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.boundary.manifest import Golden, Lineage, Manifest, Signature, Tensor
from lockgate.boundary.objects.river import RIVER
from lockgate.boundary.objects.writing import encode
from lockgate.boundary.river import Options
from lockgate.embedded.scores import Scorer
from lockgate.integrations.river.learner import RiverLearner, RiverLearners
from lockgate.kernel.errors import Invalid, MissingExtra
from lockgate.runtimes.frames import feeds_of
from lockgate.runtimes.options import options_of
from lockgate.runtimes.river import RiverModel, restore
from lockgate.testing.checks.learners import LEARNER_CHECKS, Lessons
from lockgate.testing.learners import FILE, RUNTIME, MemoryLearners, weights
from lockgate.wiring.learners import LEARNERS

river = pytest.importorskip("river")
from river import compose, forest, linear_model, preprocessing, tree  # noqa: E402

INPUTS = (
    Tensor("carrier", "BYTES", (-1, 1)),
    Tensor("hour", "INT64", (-1, 1)),
    Tensor("weekend", "INT64", (-1, 1)),
    Tensor("wind", "FP32", (-1, 1)),
    Tensor("distance", "FP64", (-1,)),
)
CLASSES = (False, True)
BOTH = Tensor("probabilities", "FP64", (-1, 2))


def linear() -> Any:
    words = compose.Select("carrier", "weekend") | preprocessing.OneHotEncoder()
    numbers = compose.Select("hour", "distance", "wind") | preprocessing.StandardScaler()
    return (words + numbers) | linear_model.LogisticRegression()


def scaled() -> Any:
    return compose.Select("hour", "distance", "wind") | preprocessing.StandardScaler() | linear_model.LogisticRegression()


def regressor() -> Any:
    return compose.Select("hour", "distance", "wind") | preprocessing.StandardScaler() | linear_model.LinearRegression()


MODELS: dict[str, Callable[[], Any]] = {
    "linear": linear,
    "scaled": scaled,
    "tree": lambda: tree.HoeffdingTreeClassifier(grace_period=20),
    "forest": lambda: forest.ARFClassifier(n_models=3, seed=4),
    "regressor": regressor,
}


def rows(count: int, seed: int = 1) -> list[tuple[dict[str, Any], float]]:
    dice = random.Random(seed)
    made = []
    for _ in range(count):
        row: dict[str, Any] = {
            "carrier": dice.choice(("AA", "BB", "CC")),
            "hour": dice.randrange(24),
            "weekend": int(dice.random() < 0.3),
        }
        row |= {"wind": float(np.float32(dice.gauss(0, 1))), "distance": dice.uniform(0, 3)}
        made.append((row, float(row["wind"] - (row["carrier"] == "AA") + row["hour"] / 24 > 0)))
    return made


def manifest(runtime: str = "river", outputs: tuple[Tensor, ...] = (BOTH,), **fields: Any) -> Manifest:
    signature = Signature(INPUTS, outputs, outputs[-1].name, fields.pop("score_column", 1))
    lineage = Lineage("run-1", None, dirty=False, author="ada", data={}, params={})
    return Manifest("m", runtime, (), signature, Golden({}, [], 1e-5), lineage, **fields)


def river_package(name: str, options: dict[str, Any] | None = None, **fields: Any) -> tuple[Manifest, dict[str, bytes]]:
    model = MODELS[name]()
    for row, label in rows(60, seed=2):
        model.learn_one(row | {"weekend": bool(row["weekend"])}, label if name == "regressor" else bool(label))
    told = options or {"method": "predict_proba", "classes": list(CLASSES), "booleans": ["weekend"]}
    return manifest(options=told, **fields), {"model.river.json": encode(model, RIVER)}


def regression() -> tuple[Manifest, dict[str, bytes]]:
    return river_package("regressor", {"method": "predict"}, outputs=(Tensor("prediction", "FP64", (-1, 1)),), score_column=0)


def lessons(which: str) -> Lessons:
    if which == RUNTIME:
        given = [({"wind": row["wind"], "hour": row["hour"]}, label) for row, label in rows(200)]
        return Lessons(MemoryLearners(), manifest(RUNTIME), {FILE: weights(wind=0.1)}, given, {"wind": "strong"})
    made, files = regression() if which == "regressor" else river_package(which)
    return Lessons(RiverLearners(), made, files, rows(200), {"carrier": "AA"})


@pytest.mark.parametrize("check", LEARNER_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("which", [RUNTIME, *MODELS])
def test_contract(check: Callable[[Lessons], None], which: str) -> None:
    check(lessons(which))


def both_scores(made: Manifest, files: dict[str, bytes], given: list[dict[str, Any]]) -> tuple[list[float], list[float]]:
    """The data plane's, asked for all rows at once, and the learner's, from values as the data plane hands them on."""
    served = RiverModel(restore(files["model.river.json"]), made.signature, options_of(made, Options))
    feeds = feeds_of(made.signature, {tensor.name: [row[tensor.name] for row in given] for tensor in INPUTS})
    learner = RiverLearners().open(made, files)
    seen = {name: feed.reshape(-1).tolist() for name, feed in feeds.items()}
    asked = [learner.score({name: values[i] for name, values in seen.items()}) for i in range(len(given))]
    return Scorer(made.signature).scores(served.run(feeds), len(given)), asked


ROWS = st.fixed_dictionaries(
    {
        "carrier": st.sampled_from(["AA", "BB", "ü", ""]),
        "hour": st.integers(-100, 100),
        "weekend": st.integers(0, 1),
        "wind": st.floats(-1e6, 1e6, width=32),
        "distance": st.floats(-1e6, 1e6),
    }
)
PACKAGES = {
    **{name: river_package(name) for name in MODELS if name != "regressor"},
    "regressor": regression(),
    "half as exact": river_package("scaled", outputs=(Tensor("probabilities", "FP32", (-1, 2)),)),
    "the other class": river_package("tree", score_column=0),
    "a class as score": river_package(
        "forest",
        {"method": ["predict_proba", "argmax"], "classes": [False, True], "booleans": ["weekend"]},
        outputs=(BOTH, Tensor("label", "INT64", (-1,))),
    ),
}


@pytest.mark.parametrize("which", PACKAGES)
@settings(max_examples=25)
@given(given=st.lists(ROWS, min_size=1, max_size=8))
def test_a_river_model_scores_as_the_data_planes_does(which: str, given: list[dict[str, Any]]) -> None:
    served, asked = both_scores(*PACKAGES[which], given)
    assert asked == served


def test_labels_are_the_classes_that_the_model_knows() -> None:
    model: Any = tree.HoeffdingTreeClassifier()
    for row, label in rows(50):
        model.learn_one(row, "late" if label else "fine")
    made = manifest(options={"method": "predict_proba", "classes": ["fine", "late"]})
    learner = RiverLearners().open(made, {"model.river.json": encode(model, RIVER)})
    assert isinstance(learner, RiverLearner)
    for row, label in rows(50, seed=3):
        learner.learn(row, label)
    again = restore(learner.files()["model.river.json"])
    assert again.classes == {"fine", "late"}


def test_a_package_of_three_classes_does_not_learn() -> None:
    made, files = river_package("tree", {"method": "predict_proba", "classes": [0, 1, 2]})
    with pytest.raises(Invalid, match="3 classes"):
        RiverLearners().open(made, files)


def test_an_option_that_nobody_knows_is_named() -> None:
    made, files = river_package("tree", {"methods": "predict"})
    with pytest.raises(Invalid, match="methods"):
        RiverLearners().open(made, files)


def test_where_river_is_not_installed_it_is_said_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made, files = river_package("scaled")
    monkeypatch.setitem(sys.modules, "river", None)
    monkeypatch.delitem(sys.modules, "lockgate.integrations.river.learner")
    with pytest.raises(MissingExtra) as caught:
        LEARNERS["river"].open(made, files)
    assert "lockgate[river]" in str(caught.value.hint)


def test_a_row_without_an_input_names_it() -> None:
    made, files = river_package("scaled")
    with pytest.raises(Invalid, match="weekend, wind, distance"):
        RiverLearners().open(made, files).score({"carrier": "AA", "hour": 3})
