"""`lockgate run` with a model that does not become ONNX: packaged, verified, said so, and asked when it is the champion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lockgate.boundary.manifest import Manifest, decode
from lockgate.domain.models import CHAMPION, Alias
from lockgate.domain.people import Actor
from lockgate.domain.runs import Run, RunStatus
from lockgate.domain.verdicts import GateVerdict
from lockgate.ports.state import ALIASES, VERSIONS
from lockgate.usecases.run_pipeline import run_pipeline
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.pipelines import build_world
from lockgate.wiring.world import open_world
from tests.integration.packaging.environments import pretend_environment

pytestmark = pytest.mark.integration

PROJECT = """
model: flights
pipeline: pipeline.py
data: {rows: {path: rows.parquet}}
params: {kind: boosted}
gates: {quality: [auc >= 0.6, auc not worse than champion by 0.2], slices: {min_slice: 50}, skew: {max: 0.2}}
package: {requirements: [something==1.0]}
"""

PIPELINE = '''
"""Late flights, by trees or by a line."""
import pandas as pd
import xgboost
from lockgate import Split
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

def split(rows):
    x, y = rows.drop(columns="late"), rows["late"]
    return Split(x[:300], y[:300], x[300:], y[300:])

def model(split, kind):
    boosted = xgboost.XGBClassifier(n_estimators=10, max_depth=3, n_jobs=1)
    chosen = boosted if kind == "boosted" else make_pipeline(StandardScaler(), LogisticRegression())
    return chosen.fit(split.x_train, split.y_train)

def evaluation(model, split):
    scores = model.predict_proba(split.x_test)[:, 1]
    return pd.DataFrame({"prediction": scores, "label": split.y_test}, index=split.x_test.index)
'''


def rows() -> pd.DataFrame:
    random = np.random.default_rng(2)
    frame = pd.DataFrame({"wind": random.normal(size=500), "hour": random.integers(0, 24, 500)})
    return frame.assign(late=(frame["wind"] + frame["hour"] / 12 + random.normal(scale=0.5, size=500) > 1).astype(int))


class Place:
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        self.folder.mkdir()
        self.home = Home(folder / "home")
        self.world: World = open_world(self.home)
        (self.folder / "lockgate.yaml").write_text(PROJECT)
        (self.folder / "pipeline.py").write_text(PIPELINE)
        rows().to_parquet(self.folder / "rows.parquet")

    def run(self, **params: str) -> Run:
        return run_pipeline(self.world, build_world(self.home, self.world), self.folder, actor=Actor("ada"), params=params)

    def manifest(self, version: int | None) -> Manifest:
        with self.world.state.read() as tx:
            found = tx.get(VERSIONS, "flights", version or 0)
        assert found is not None
        return decode(self.world.artifacts.get(found.digest), found.digest)

    def make_champion(self, version: int | None) -> None:
        assert version is not None
        with self.world.state.write() as tx:
            tx.put(ALIASES, Alias("flights", CHAMPION, version))


def test_boosted_trees_are_registered_and_the_next_candidate_is_compared_with_them(tmp_path: Path) -> None:
    place = Place(tmp_path)
    pretend_environment(place.home.cache / "venvs", ["something==1.0"])
    first = place.run()
    assert (first.status, first.error) == (RunStatus.REGISTERED, None)
    gate = first.gates[0]
    assert (gate.gate, gate.rule, gate.verdict) == ("package", "runs as xgboost", GateVerdict.PASS)
    assert gate.detail == "in a process of its own, which takes longer than ONNX, as xgboost stores its models"
    made = place.manifest(first.version)
    assert (made.runtime, made.options["method"], made.requirements) == (
        "xgboost",
        ["argmax", "predict_proba"],
        ("something==1.0",),
    )

    place.make_champion(first.version)
    second = place.run(kind="line")
    assert (second.status, second.error) == (RunStatus.REGISTERED, None)
    assert place.manifest(second.version).runtime == "onnx"
    assert [(gate.gate, gate.rule) for gate in second.gates][:1] == [("package", "runs as onnx")]
    assert second.gates[0].detail == "its requirements are left out: ONNX needs none"
    assert "200" in second.gates[2].detail, "the champion answered all of the candidate's held-out rows"
    assert [(gate.gate, gate.verdict) for gate in second.gates[3:]] == [("slices", GateVerdict.PASS), ("skew", GateVerdict.PASS)]
    assert second.gates[3].measured["metric"] == "brier"
    assert "nothing to compare with" in second.gates[4].detail, "nobody has asked either version"
