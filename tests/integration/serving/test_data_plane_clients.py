"""The clients that people have: Triton's, MLflow's, Arrow and curl's CSV, against the running gateway."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema_rs
import numpy as np
import pytest
from onnx import TensorProto, helper
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from lockgate.boundary import predictions
from lockgate.boundary.manifest import Signature, Tensor
from lockgate.boundary.routes import Arm, Role, Route
from tests.integration.serving.data_plane import (
    CARRIER,
    DISTANCE,
    KEY,
    MODEL,
    SCORE,
    ControlPlane,
    DataPlane,
    Folder,
    answer_of,
    call,
    columns,
    wait_for,
)

MISSING = [name for name in ("tritonclient", "pyarrow", "mlflow", "pandas") if find_spec(name) is None]
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(bool(MISSING) and os.environ.get("CI") != "true", reason=f"not installed: {', '.join(MISSING)}"),
]

ECHO = "echo"
ARROW = "application/vnd.apache.arrow.stream"
TYPES: dict[str, tuple[int, Any]] = {
    "BOOL": (TensorProto.BOOL, np.array([[True], [False]])),
    **{f"INT{8 * n}": (getattr(TensorProto, f"INT{8 * n}"), np.array([[-1], [7]], f"i{n}")) for n in (1, 2, 4, 8)},
    **{
        f"UINT{8 * n}": (getattr(TensorProto, f"UINT{8 * n}"), np.array([[0], [2 ** (8 * n) - 1]], f"u{n}")) for n in (1, 2, 4, 8)
    },
    "FP16": (TensorProto.FLOAT16, np.array([[1.5], [-65504.0]], np.float16)),
    "FP32": (TensorProto.FLOAT, np.array([[0.1], [-3e38]], np.float32)),
    "FP64": (TensorProto.DOUBLE, np.array([[0.1], [1e300]], np.float64)),
    "BYTES": (TensorProto.STRING, np.array([["ä"], [""]], object)),
}


def echo_model() -> bytes:
    """Gives each of its inputs back, one of each datatype, and one of free lengths; its score is the FP32 one."""
    told = {name.lower(): (code, [None, 1]) for name, (code, _) in TYPES.items()} | {"free": (TensorProto.FLOAT, [None, None, 2])}
    nodes = [helper.make_node("Identity", [name], [f"{name}_back"]) for name in told]
    inputs = [helper.make_tensor_value_info(name, *one) for name, one in told.items()]
    outputs = [helper.make_tensor_value_info(f"{name}_back", *one) for name, one in told.items()]
    graph = helper.make_graph(nodes, "echo", inputs, outputs)
    content: bytes = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    return content


def echo_package(folder: Folder) -> str:
    shapes = {name.lower(): (name, (-1, 1)) for name in TYPES} | {"free": ("FP32", (-1, -1, 2))}
    inputs = tuple(Tensor(name, *one) for name, one in shapes.items())
    outputs = tuple(Tensor(f"{name}_back", *one) for name, one in shapes.items())
    rows: dict[str, list[Any]] = {name.lower(): array[:1].ravel().tolist() for name, (_, array) in TYPES.items()}
    rows["free"] = [[[1.0, 2.0]]]
    return folder.package(echo_model(), [rows["fp32"][0]], signed=Signature(inputs, outputs, "fp32_back"), rows=rows, name=ECHO)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataPlane]:
    """Two models: one of a number and a string, with a pinned second version, and one that gives back what it gets."""
    path = tmp_path_factory.mktemp("clients")
    folder = Folder(path / "artifacts")
    with ControlPlane().serving() as control:
        plane = DataPlane(path / "home", folder, f"http://127.0.0.1:{control.port}", ("--grace", "0"))
        arms = Arm(1, folder.linear(0.0), Role.CHAMPION, 1.0), Arm(2, folder.linear(100.0), Role.PINNED)
        control.publish(Route(MODEL, arms, learns=True), Route(ECHO, (Arm(1, echo_package(folder), Role.CHAMPION, 1.0),)))
        plane.start()
        wait_for(plane.ready, "both models are ready")
        wait_for(lambda: plane.get(f"/v2/models/{MODEL}/versions/2/ready").status == 200, "the pinned version is ready")
        yield plane
        plane.stop()


@pytest.fixture(scope="module")
def triton(plane: DataPlane) -> Iterator[Any]:
    from tritonclient.http import InferenceServerClient

    with InferenceServerClient(f"127.0.0.1:{plane.port}") as client:
        yield client


ROWS = [(1.5, "AA"), (-2.0, "ü")]
EXPECTED = [[answer_of(0.0, *row)] for row in ROWS]


def triton_inputs(binary: tuple[bool, bool], rows: list[tuple[float, str]] | None = None) -> list[Any]:
    from tritonclient.http import InferInput

    rows = rows or ROWS
    arrays = {
        DISTANCE: ("FP32", np.array([[row[0]] for row in rows], np.float32)),
        CARRIER: ("BYTES", np.array([[row[1].encode()] for row in rows], object)),
    }
    inputs = [InferInput(name, array.shape, datatype) for name, (datatype, array) in arrays.items()]
    for one, as_bytes, (_, array) in zip(inputs, binary, arrays.values(), strict=True):
        one.set_data_from_numpy(array, binary_data=as_bytes)
    return inputs


@pytest.mark.parametrize("binary_in", [(False, False), (True, True), (True, False), (False, True)])
@pytest.mark.parametrize("binary_out", [False, True, None])
def test_triton_gets_its_tensors_whatever_comes_as_bytes(
    triton: Any,
    binary_in: tuple[bool, bool],
    binary_out: bool | None,  # noqa: FBT001 - drawn
) -> None:
    """binary_out: None asks for no output by name, which Triton's client takes for all of them as bytes."""
    from tritonclient.http import InferRequestedOutput

    outputs = None if binary_out is None else [InferRequestedOutput(SCORE, binary_data=binary_out)]
    result = triton.infer(MODEL, triton_inputs(binary_in), outputs=outputs, request_id="mine")
    assert result.as_numpy(SCORE).tolist() == EXPECTED
    assert result.as_numpy(SCORE).dtype == np.float32
    response = result.get_response()
    assert (response["id"], response["model_version"], len(response["parameters"]["prediction_ids"])) == ("mine", "1", 2)


def test_triton_asks_a_version_and_many_requests_at_once(triton: Any) -> None:
    result = triton.infer(MODEL, triton_inputs((True, True), ROWS[:1]), model_version="2")
    assert result.as_numpy(SCORE).tolist() == [[answer_of(100.0, *ROWS[0])]]
    under_way = [triton.async_infer(MODEL, triton_inputs((True, True), [(float(n), "AA")])) for n in range(20)]
    found = [one.get_result().as_numpy(SCORE).item() for one in under_way]
    assert found == [answer_of(0.0, float(n), "AA") for n in range(20)]


@pytest.mark.parametrize("binary", [False, True])
def test_every_datatype_comes_back_as_it_went(triton: Any, binary: bool) -> None:  # noqa: FBT001 - drawn
    from tritonclient.http import InferInput, InferRequestedOutput

    free = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    arrays = {name.lower(): (name, array) for name, (_, array) in TYPES.items()} | {"free": ("FP32", free)}
    inputs = []
    for name, (datatype, array) in arrays.items():
        inputs.append(InferInput(name, array.shape, datatype))
        inputs[-1].set_data_from_numpy(array, binary_data=binary)
    outputs = [InferRequestedOutput(f"{name}_back", binary_data=binary) for name in reversed(arrays)]
    result = triton.infer(ECHO, inputs, outputs=outputs)
    assert [one["name"] for one in result.get_response()["outputs"]] == [f"{name}_back" for name in reversed(arrays)]
    for name, (_, array) in arrays.items():
        back = result.as_numpy(f"{name}_back")
        assert back.dtype == array.dtype
        if binary and name == "bytes":
            assert [cell.decode() for cell in back.ravel()] == array.ravel().tolist()
        else:
            assert back.tolist() == array.tolist(), name


def test_triton_reads_health_metadata_and_the_repository(triton: Any) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready(MODEL)
    assert triton.is_model_ready(MODEL, "2")
    assert not triton.is_model_ready(MODEL, "3")
    assert {"binary_tensor_data", "model_repository", "statistics"} <= set(triton.get_server_metadata()["extensions"])
    about = triton.get_model_metadata(ECHO)
    assert (about["name"], about["versions"], about["platform"]) == (ECHO, ["1"], "onnx")
    assert about["inputs"][-1] == {"name": "free", "datatype": "FP32", "shape": [-1, -1, 2]}
    assert {one["datatype"] for one in about["outputs"]} == set(TYPES)
    index = triton.get_model_repository_index()
    assert {(one["name"], one["version"], one["state"]) for one in index} == {
        (MODEL, "1", "READY"),
        (MODEL, "2", "READY"),
        (ECHO, "1", "READY"),
    }


def test_triton_reads_what_a_model_did(triton: Any) -> None:
    before = triton.get_inference_statistics(MODEL, "1")["model_stats"][0]
    triton.infer(MODEL, triton_inputs((True, True)))

    def counted() -> bool:
        after = triton.get_inference_statistics(MODEL)["model_stats"]
        return bool(after[0]["inference_count"] > before["inference_count"])

    wait_for(counted, "the answer is counted")


def test_triton_has_models_loaded_and_unloaded(triton: Any) -> None:
    triton.unload_model(ECHO)
    triton.load_model(ECHO)
    assert triton.is_model_ready(ECHO)


def test_triton_tells_what_was_wrong(triton: Any) -> None:
    from tritonclient.http import InferInput
    from tritonclient.utils import InferenceServerException

    wrong = InferInput(DISTANCE, [1, 1], "FP64")
    wrong.set_data_from_numpy(np.array([[1.0]]))
    for model, inputs, status, message in (
        (MODEL, [wrong, triton_inputs((True, True), ROWS[:1])[1]], "400", "distance: datatype 'FP64' found, 'FP32' expected"),
        (MODEL, triton_inputs((True, True))[:1], "400", "carrier: this input is missing"),
        ("nothing", triton_inputs((True, True)), "404", "there is no model 'nothing' here"),
    ):
        with pytest.raises(InferenceServerException) as caught:
            triton.infer(model, inputs)
        assert caught.value.status() == status
        assert message in caught.value.message()


def scoring_client(plane: DataPlane) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MLflow's own type hints
        client = import_module("mlflow.pyfunc.scoring_server.client")
    return client.ScoringServerClient("127.0.0.1", plane.port)


def test_mlflows_client_pings_and_asks_for_the_version(plane: DataPlane) -> None:
    client = scoring_client(plane)
    client.ping()
    assert client.get_version() == plane.get("/v2").json["version"]


def test_mlflows_client_scores_a_frame_where_one_model_is_served(
    new_plane: Callable[..., DataPlane], own_control: ControlPlane
) -> None:
    import pandas as pd

    plane = new_plane()
    own_control.publish(Route(MODEL, (Arm(1, plane.artifacts.linear(0.0), Role.CHAMPION, 1.0),)))
    client = scoring_client(plane)
    client.wait_server_ready()
    response = client.invoke(pd.DataFrame(ROWS, columns=[DISTANCE, CARRIER]))
    assert response.get_predictions().to_numpy().ravel().tolist() == [value for (value,) in EXPECTED]
    assert len(response["parameters"]["prediction_ids"]) == 2


def test_csv_is_scored_as_curl_sends_it(plane: DataPlane) -> None:
    table = f"{DISTANCE},{CARRIER}\n1.5,AA\n-2,ü\n".encode()
    for path, headers in ((f"/invocations?model={MODEL}", {}), ("/invocations", {"x-lockgate-model": MODEL})):
        reply = call(plane.url(path), table, {"content-type": "text/csv", **headers})
        assert (reply.status, reply.json["predictions"]) == (200, [value for (value,) in EXPECTED])
    unclear = call(plane.url("/invocations"), table, {"content-type": "text/csv"})
    assert (unclear.status, unclear.json["errors"][0]["field"]) == (400, "model")
    assert call(plane.url(f"/invocations?model={MODEL}"), table, {"content-type": "text/x"}).status == 415


def test_a_table_goes_in_and_out_as_arrow_and_its_ids_take_labels(plane: DataPlane) -> None:
    import pyarrow as pa

    table = pa.table({DISTANCE: [row[0] for row in ROWS], CARRIER: pa.array([row[1] for row in ROWS]).dictionary_encode()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    reply = call(plane.url(f"/v2/models/{MODEL}/infer"), sink.getvalue().to_pybytes(), {"content-type": ARROW})
    assert (reply.status, reply.headers["content-type"], reply.version) == (200, ARROW, "1")
    answer = pa.ipc.open_stream(reply.body).read_all()
    assert answer[SCORE].to_pylist() == [value for (value,) in EXPECTED]
    ids = answer["prediction_id"].to_pylist()
    assert [predictions.read(KEY, MODEL, one).score for one in ids] == [value for (value,) in EXPECTED]
    assert plane.feedback([{"prediction_id": one, "label": 1} for one in ids]).json == {"accepted": 2}
    twice = plane.feedback([{"prediction_id": ids[0], "label": label} for label in (0, 1)])
    assert (twice.status, twice.json["errors"][0]["field"]) == (400, "[1].prediction_id")


def test_json_may_be_answered_as_arrow(plane: DataPlane) -> None:
    import pyarrow as pa

    reply = plane.infer(columns(*ROWS), accept=ARROW)
    assert pa.ipc.open_stream(reply.body).read_all()[SCORE].to_pylist() == [value for (value,) in EXPECTED]


def test_a_large_request_as_bytes_is_answered(triton: Any) -> None:
    rows = [(float(n), "AA") for n in range(40_000)]
    result = triton.infer(MODEL, triton_inputs((True, True), rows))
    assert result.as_numpy(SCORE)[-1].item() == answer_of(0.0, 39_999.0, "AA")


def test_the_document_describes_what_is_answered(plane: DataPlane) -> None:
    document = plane.get("/openapi.json").json
    OPENAPI_31_VALIDATOR.validate(document)

    def check(path: str, status: int, found: Any) -> None:
        operation = next(iter(v for k, v in document["paths"][path].items() if k != "parameters"))
        (told,) = [operation["responses"][str(status)]["content"]["application/json"]["schema"]]
        jsonschema_rs.Draft202012Validator({**told, "components": document["components"]}).validate(found)

    content = document["paths"][f"/v2/models/{ECHO}/infer"]["post"]["requestBody"]["content"]["application/json"]
    for example in content["examples"].values():
        reply = call(plane.url(f"/v2/models/{ECHO}/infer"), json.dumps(example["value"]).encode())
        assert reply.status == 200, reply.body
        check("/v2/models/{model}/infer", 200, reply.json)
    for path in ("/v2", "/v2/health/live", "/v2/health/ready", "/openapi.json"):
        check(path, 200, plane.get(path).json)
    for verb in ("", "/ready", "/stats", "/versions"):
        check(f"/v2/models/{{model}}{verb}", 200, plane.get(f"/v2/models/{MODEL}{verb}").json)
    check("/v2/models/{model}/route", 200, call(plane.url(f"/v2/models/{MODEL}/route"), columns(*ROWS)).json)
    check("/v2/repository/index", 200, call(plane.url("/v2/repository/index"), b"{}").json)
    problem = document["components"]["responses"]["404"]["content"]["application/problem+json"]["schema"]
    missing = plane.get("/v2/models/nothing")
    jsonschema_rs.Draft202012Validator({**problem, "components": document["components"]}).validate(missing.json)
    assert missing.status == 404


def test_nothing_that_the_document_allows_is_answered_otherwise_than_it_says(plane: DataPlane, tmp_path: Path) -> None:
    """Requests made up from the document: no fault of the server, no status, type or shape of an answer that it does not tell."""
    options = ["--phases", "examples,fuzzing", "--max-examples", "8", "--seed", "1", "--suppress-health-check", "all"]
    # What a shape says of its data, and which prediction ids exist, no schema can say.
    checks = ["--exclude-checks", "positive_data_acceptance"]
    argv = [sys.executable, "-m", "schemathesis.cli", "run", plane.url("/openapi.json"), *options, *checks]
    run = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-1000:]
    assert not [event for event in plane.events if event["event"] == "request failed"]
