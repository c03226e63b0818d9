"""An unmodified MLflow client against the control plane: what it sees, what it writes, and the package that it fetches."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from onnx import TensorProto, helper

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # read when it is imported

from lockgate.boundary.manifest import decode
from lockgate.domain.models import Stage
from lockgate.entrypoints.api.app import create_app
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.builders import BEN, MODEL
from lockgate.usecases.decide_request import approve_request
from lockgate.usecases.find_things import version_of
from lockgate.usecases.request_transition import request_transition
from lockgate.usecases.world import World
from tests.samples.company import OLGA, register, token_of
from tests.samples.server import served
from tests.samples.story import Story, begin

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of hints in its own code
    mlflow: Any = pytest.importorskip("mlflow")
    pytest.importorskip("mlflow.onnx")
    pytest.importorskip("mlflow.pyfunc")

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore:.*stages will be removed:FutureWarning"),  # it says so of every call about stages
]


@pytest.fixture
def story() -> Story:
    """Version 1 in Production, 2 nowhere."""
    story = begin()
    for number in (1, 2):
        register(story.world, number)
    approve_request(story.world, request_transition(story.world, MODEL, 1, Stage.PRODUCTION, OLGA).id, BEN)
    for _ in range(2):
        story.pass_time(seconds=2)
        story.tick()
    return story


@pytest.fixture
def address(story: Story) -> Iterator[str]:
    with served(create_app(story.world, home=None, control_token="t")) as found:
        yield found


@pytest.fixture
def client(address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    for name, value in (("MAX_RETRIES", "0"), ("TIMEOUT", "10")):
        monkeypatch.setenv(f"MLFLOW_HTTP_REQUEST_{name}", value)
    for name in ("TOKEN", "USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", address)
    monkeypatch.chdir(tmp_path)
    return mlflow.MlflowClient(tracking_uri=address, registry_uri=address)


def test_it_sees_models_versions_stages_and_aliases(client: Any) -> None:
    (model,) = client.search_registered_models()
    assert (model.name, model.aliases) == (MODEL, {"champion": "1"})
    assert [one.version for one in client.search_model_versions(f"name = '{MODEL}'")] == ["2", "1"]
    version = client.get_model_version_by_alias(MODEL, "champion")
    assert (version.version, version.current_stage, version.run_id, version.status) == ("1", "Production", "run-1", "READY")
    assert version.aliases == ["champion"]
    assert [one.version for one in client.get_latest_versions(MODEL, ["Production"])] == ["1"]
    assert client.get_latest_versions(MODEL, ["Archived"]) == []


def test_it_sets_aliases_and_tags(client: Any, story: Story) -> None:
    client.set_registered_model_alias(MODEL, "best", "2")
    assert client.get_model_version_by_alias(MODEL, "best").version == "2"
    client.delete_registered_model_alias(MODEL, "best")
    with pytest.raises(mlflow.MlflowException, match="no alias 'best'"):
        client.get_model_version_by_alias(MODEL, "best")
    client.set_model_version_tag(MODEL, "2", "tier", "gold")
    client.set_registered_model_tag(MODEL, "team", "ops")
    assert client.get_model_version(MODEL, "2").tags["tier"] == "gold"
    assert [one.name for one in client.search_registered_models("tags.team = 'ops'")] == [MODEL]
    client.delete_model_version_tag(MODEL, "2", "tier")
    assert "tier" not in client.get_model_version(MODEL, "2").tags
    client.update_registered_model(MODEL, "for flights")
    assert client.get_registered_model(MODEL).description == "for flights"
    with story.world.state.read() as tx:
        last = tx.events(newest_first=True, limit=1)[0].happened
    assert (last.actor, last.authenticated) == ("anonymous", False)  # the server is open, and nothing says who it is


def test_the_champions_alias_is_moved_by_nothing_but_a_promotion(client: Any) -> None:
    with pytest.raises(mlflow.MlflowException, match="PERMISSION_DENIED"):
        client.set_registered_model_alias(MODEL, "champion", "2")
    assert client.get_model_version_by_alias(MODEL, "champion").version == "1"


@pytest.mark.parametrize("where", ["1", "Production", "latest", None], ids=["number", "stage", "latest", "alias"])
def test_it_fetches_the_package(client: Any, story: Story, tmp_path: Path, where: str | None) -> None:
    uri = f"models:/{MODEL}/{where}" if where else f"models:/{MODEL}@champion"
    number = 2 if where == "latest" else 1
    folder = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(tmp_path)))
    assert (folder / "model.onnx").read_bytes() == b"graph %d" % number
    assert (folder / "nodes" / "a.txt").read_bytes() == b"below"
    with story.world.state.read() as tx:
        digest = version_of(tx, MODEL, number).digest
    manifest = decode((folder / "lockgate-manifest.json").read_bytes(), digest)
    assert {file.name for file in manifest.files} == {"model.onnx", "nodes/a.txt"}
    described = yaml.safe_load((folder / "MLmodel").read_text())
    assert described["flavors"]["lockgate"] == {"runtime": "onnx", "package": digest, "manifest": "lockgate-manifest.json"}


def test_it_fetches_one_file_and_lists_a_folder(client: Any, tmp_path: Path) -> None:
    uri = f"models:/{MODEL}/1/nodes/a.txt"
    assert Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(tmp_path))).read_bytes() == b"below"
    listed = mlflow.artifacts.list_artifacts(artifact_uri=f"models:/{MODEL}/1")
    assert {(one.path, one.is_dir) for one in listed} == {
        ("MLmodel", False),
        ("lockgate-manifest.json", False),
        ("model.onnx", False),
        ("nodes", True),
    }


def test_a_graph_is_loaded_and_asked(client: Any, story: Story) -> None:
    given, told = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in ("x", "y"))
    graph = helper.make_graph([helper.make_node("Mul", ["x", "x"], ["y"])], "squares", [given], [told])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    made = register(story.world, 3, files={"model.onnx": model.SerializeToString()})
    assert mlflow.onnx.load_model(f"models:/{MODEL}/{made.version}").graph.name == "squares"
    loaded = mlflow.pyfunc.load_model(f"models:/{MODEL}/{made.version}")
    assert loaded.predict(np.array([[3.0], [0.5]], dtype=np.float32))["y"].tolist() == [[9.0], [0.25]]


def test_damaged_bytes_are_not_handed_out(client: Any, story: Story, tmp_path: Path) -> None:
    store = story.world.artifacts
    assert isinstance(store, MemoryArtifacts)
    store.damage(store.put(b"graph 1"), b"something else")
    with pytest.raises(mlflow.MlflowException, match=r"model\.onnx failed"):
        mlflow.artifacts.download_artifacts(f"models:/{MODEL}/1", dst_path=str(tmp_path))


def test_it_reads_runs_and_writes_none(client: Any) -> None:
    run = client.get_run("run-1")
    assert (run.info.status, run.info.experiment_id, run.data.metrics, run.data.params) == (
        "FINISHED",
        MODEL,
        {"auc": 0.7},
        {"depth": "3"},
    )
    assert run.data.tags["mlflow.source.git.commit"] == "3f1c9a"
    assert [one.info.run_id for one in client.search_runs([MODEL])] == ["run-2", "run-1"]
    assert [one.name for one in client.search_experiments()] == [MODEL]
    with pytest.raises(mlflow.MlflowException):
        client.create_run(MODEL)


def test_a_closed_server_wants_a_token(client: Any, story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    world: World = story.world
    token = token_of(world, "anna")
    with pytest.raises(mlflow.MlflowException, match="who calls must be known"):
        client.get_registered_model(MODEL)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "anna")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", token)
    client.set_model_version_tag(MODEL, "1", "a", "b")
    with world.state.read() as tx:
        last = tx.events(newest_first=True, limit=1)[0].happened
    assert (last.actor, last.authenticated) == ("anna", True)


def test_a_stage_is_moved_as_the_rules_say(client: Any) -> None:
    with pytest.raises(mlflow.MlflowException, match="alone"):
        client.transition_model_version_stage(MODEL, "2", "Staging")
    with pytest.raises(mlflow.MlflowException, match="INVALID_PARAMETER_VALUE"):
        client.create_model_version(MODEL, "s3://elsewhere")
    with pytest.raises(mlflow.MlflowException, match="stands in Production"):
        client.delete_model_version(MODEL, "1")
    client.delete_model_version(MODEL, "2")
    assert [one.version for one in client.search_model_versions(f"name = '{MODEL}'")] == ["1"]
