"""River's models learn while they serve, and what they learned can be made again, bit for bit."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lockgate.boundary.objects.river import RIVER
from lockgate.boundary.objects.writing import encode
from lockgate.domain.learning import LearningState
from lockgate.domain.models import Stage
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import VirtualClock
from lockgate.testing.state import MemoryState
from lockgate.usecases.live_models import LiveModels
from lockgate.usecases.publish_routes import publish_routes
from lockgate.usecases.replay_learning import replay_learning
from lockgate.usecases.world import World
from lockgate.wiring.learners import LEARNERS
from tests.journeys.online import EVERY, PLAN, Service, Stream, package, registered, set_plan

pytest.importorskip("river")
from river import compose, forest, linear_model, preprocessing, tree


def linear() -> Any:
    numbers = compose.Select("old", "new") | preprocessing.StandardScaler()
    return (numbers + (compose.Select("new") | preprocessing.MinMaxScaler())) | linear_model.LogisticRegression()


MODELS: dict[str, Callable[[], Any]] = {
    "logistic": lambda: preprocessing.StandardScaler() | linear_model.LogisticRegression(),
    "union": linear,
    "tree": lambda: tree.HoeffdingTreeClassifier(grace_period=30),
    "forest": lambda: forest.ARFClassifier(n_models=3, seed=4),
}


def learned(model: Any, stream: Stream) -> bytes:
    for row, label in stream.rows(150):
        model.learn_one(row, bool(label))
    return encode(model, RIVER)


def begin(name: str) -> Service:
    """As `online.begin`, with a model of River that knows the old truth."""
    world = World(MemoryState(), MemoryArtifacts(), VirtualClock(), LEARNERS)
    set_plan(world, PLAN)
    content = learned(MODELS[name](), Stream(random.Random(9)))
    told = {"method": "predict_proba", "classes": [False, True], "file": "model.river.json"}
    registered(world, 1, package(world, content, "river", **told), Stage.PRODUCTION)
    with world.state.write() as tx:
        publish_routes(tx, "m")
    service = Service(world)
    service.turn()
    return service


@pytest.mark.parametrize("name", MODELS)
def test_it_learns_and_a_replay_makes_the_same_bytes(name: str) -> None:
    service = begin(name)
    service.stream.drifted = True
    for portion in (33, 200, 77):
        service.live(service.stream.rows(EVERY), portion)
        service.models = LiveModels()
    assert service.learning.state is LearningState.OPEN, service.learning.reason
    made = service.checkpoints
    assert len(made) == 3
    assert made[-1].metrics["event_rate"] < 0.3
    replayed = replay_learning(service.world, "m", made[-1].version)
    assert [(one.same, one.rows) for one in replayed] == [(True, EVERY)] * 3, [one.says for one in replayed]


def test_another_process_makes_the_same_bytes(tmp_path: Path) -> None:
    """Under the learner's PYTHONHASHSEED; without one, sums over sets may be rounded otherwise."""
    for name in ("union", "forest"):
        (tmp_path / name).write_bytes(learned(MODELS[name](), Stream(random.Random(9))))
    (tmp_path / "learn.py").write_text(_LEARN)
    environment = os.environ | {"PYTHONHASHSEED": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
    words = [sys.executable, str(tmp_path / "learn.py"), str(tmp_path / "union"), str(tmp_path / "forest")]
    both = [subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [one.communicate()[0].split() for one in both]
    assert [line[:7] for line in told[0]] == ["sha256:"] * 2
    assert told[0] == told[1]


_LEARN = """
import sys
from pathlib import Path

from lockgate.boundary.manifest import Golden, Lineage, Manifest, Signature, Tensor
from lockgate.integrations.river.learner import RiverLearners
from lockgate.kernel.digest import digest_bytes
from tests.journeys.online import Stream

inputs, outputs = (Tensor("new", "FP64", (-1, 1)), Tensor("old", "FP64", (-1, 1))), (Tensor("p", "FP64", (-1, 2)),)
lineage = Lineage("run-1", None, dirty=False, author="ada", data={}, params={})
options = {"method": "predict_proba", "classes": [False, True]}
made = Manifest("m", "river", (), Signature(inputs, outputs, "p", 1), Golden({}, [], 1e-5), lineage, options=options)
for name in sys.argv[1:]:
    learner = RiverLearners().open(made, {"model.json": Path(name).read_bytes()})
    for row, label in Stream().rows(400):
        learner.learn(row, label)
    print(digest_bytes(learner.files()["model.json"]))
"""
