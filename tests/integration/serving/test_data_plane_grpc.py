"""The Open Inference Protocol over gRPC, with the clients that people have, against a running data plane."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from lockgate.boundary import predictions
from lockgate.boundary.routes import Arm, Role, Route, Thresholds
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
    columns,
    root_model,
    wait_for,
)
from tests.integration.serving.grpc_calls import Refused, channel, client, grpc_port, ids_of, inputs, sent, typed
from tests.integration.serving.test_data_plane_clients import ECHO, TYPES, echo_package
from tests.integration.serving.test_grpc_server import heard, request

MISSING = [name for name in ("grpc", "google", "tritonclient") if find_spec(name) is None]
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(bool(MISSING) and os.environ.get("CI") != "true", reason=f"not installed: {', '.join(MISSING)}"),
]

CANARY = "canary"  # a model whose canary gives no score for what is negative
NEVER = Thresholds(3, (0.5, 0.99), (60.0, 60.0), (60.0, 60.0))
ROWS = [(1.5, "AA"), (-2.0, "ü")]
EXPECTED = [answer_of(0.0, *row) for row in ROWS]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ControlPlane, DataPlane]]:
    path = tmp_path_factory.mktemp("grpc")
    folder = Folder(path / "artifacts")
    with ControlPlane().serving() as control:
        options = ("--grace", "0", "--grpc-port", "0", "--access-log")
        plane = DataPlane(path / "home", folder, f"http://127.0.0.1:{control.port}", options)
        arms = Arm(1, folder.linear(0.0), Role.CHAMPION, 1.0), Arm(2, folder.linear(100.0), Role.PINNED)
        root, linear = folder.package(root_model(), [1.0, 2.0], name=CANARY), folder.linear(0.0, CANARY)
        pair = Arm(2, root, Role.CANARY, 0.5), Arm(1, linear, Role.CHAMPION, 0.5)
        control.publish(
            Route(MODEL, arms),
            Route(ECHO, (Arm(1, echo_package(folder), Role.CHAMPION, 1.0),)),
            Route(CANARY, pair, "salt", "header:x-user-id", "rollout-1", NEVER),
        )
        plane.start()
        wait_for(lambda: plane.ready() and b"LOADING" not in plane.get("/v2/repository/index").body, "all is ready", 90)
        yield control, plane
        plane.stop()


@pytest.fixture(scope="module")
def control(home: tuple[ControlPlane, DataPlane]) -> ControlPlane:
    return home[0]


@pytest.fixture(scope="module")
def plane(home: tuple[ControlPlane, DataPlane]) -> DataPlane:
    return home[1]


@pytest.fixture(scope="module")
def triton(plane: DataPlane) -> Iterator[Any]:
    with client(plane) as one:
        yield one


@pytest.fixture(scope="module")
def line(plane: DataPlane) -> Iterator[Any]:
    with channel(plane) as one:
        yield one


def figure(plane: DataPlane, name: str) -> int:
    lines = plane.get("/metrics").body.decode().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"lockgate_{name}_total ")))


def test_the_server_says_of_itself_and_its_models_what_it_says_over_http(triton: Any, plane: DataPlane) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready(MODEL)
    assert triton.is_model_ready(MODEL, "2")
    server = triton.get_server_metadata(as_json=True)
    assert (server["name"], server["extensions"]) == ("lockgate", ["model_repository"])
    told, ours = triton.get_model_metadata(ECHO, as_json=True), plane.get(f"/v2/models/{ECHO}").json
    assert [told[name] for name in ("name", "versions", "platform")] == [ours[name] for name in ("name", "versions", "platform")]
    for side in ("inputs", "outputs"):
        assert [{**one, "shape": [int(length) for length in one["shape"]]} for one in told[side]] == ours[side]
    index = triton.get_model_repository_index(as_json=True)["models"]
    assert sorted((one["name"], one["version"], one["state"]) for one in index) == [
        (CANARY, "1", "READY"),
        (CANARY, "2", "READY"),
        (MODEL, "1", "READY"),
        (MODEL, "2", "READY"),
        (ECHO, "1", "READY"),
    ]


def test_the_health_of_the_service_is_told_as_grpc_asks_for_it(line: Any) -> None:
    check = line.unary_unary("/grpc.health.v1.Health/Check")
    assert check(b"", timeout=20) == b"\x08\x01"
    assert check(b"\n\x1einference.GRPCInferenceService", timeout=20) == b"\x08\x01"
    assert refusal(check, b"\n\x05other").code == "NOT_FOUND"
    assert refusal(line.unary_unary("/grpc.health.v1.Health/Watch"), b"").code == "UNIMPLEMENTED"
    assert refusal(line.unary_unary("/inference.GRPCInferenceService/ModelStreamInfer"), b"").code == "UNIMPLEMENTED"


def refusal(call: Any, body: bytes) -> Refused:
    import grpc

    with pytest.raises(grpc.RpcError) as caught:
        call(body, timeout=20)
    return Refused(caught.value.code().name, caught.value.details(), {})


@pytest.mark.parametrize("number", [1, 2])
def test_tensors_as_bytes_are_answered_as_bytes(triton: Any, number: int) -> None:
    rows = ROWS[:number]
    answer = triton.infer(MODEL, inputs(*rows), request_id="mine")
    assert answer.as_numpy(SCORE).ravel().tolist() == EXPECTED[:number]
    message = answer.get_response()
    assert (message.model_name, message.model_version, message.id) == (MODEL, "1", "mine")
    assert len(message.raw_output_contents) == 1
    read = [predictions.read(KEY, MODEL, one) for one in ids_of(message)]
    assert [(one.version, one.score) for one in read] == [(1, score) for score in EXPECTED[:number]]


@pytest.mark.parametrize("number", [1, 2])
def test_values_in_fields_are_answered_in_fields(line: Any, number: int) -> None:
    answer = sent(line, "ModelInfer", typed(*ROWS[:number]))
    assert answer.outputs[0].contents.fp32_contents == EXPECTED[:number]
    assert list(answer.outputs[0].shape) == [number, 1]
    assert not answer.raw_output_contents
    assert len(ids_of(answer)) == number


def test_every_datatype_goes_there_and_back(triton: Any) -> None:
    from tritonclient.grpc import InferInput, InferRequestedOutput

    arrays = {name.lower(): array for name, (_, array) in TYPES.items()}
    arrays["bytes"] = np.array([["ä".encode()], [b""]], object)
    arrays["free"] = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    given = []
    for name, array in arrays.items():
        tensor = InferInput(name, array.shape, {"free": "FP32"}.get(name, name.upper()))
        tensor.set_data_from_numpy(array)
        given.append(tensor)
    answer = triton.infer(ECHO, given)
    for name, array in arrays.items():
        np.testing.assert_array_equal(answer.as_numpy(f"{name}_back"), array)
    chosen = triton.infer(ECHO, given, outputs=[InferRequestedOutput("int8_back"), InferRequestedOutput("bool_back")])
    assert [one.name for one in chosen.get_response().outputs] == ["int8_back", "bool_back"]
    np.testing.assert_array_equal(chosen.as_numpy("int8_back"), arrays["int8"])


def test_a_version_that_is_asked_for_by_its_number_answers(triton: Any) -> None:
    answer = triton.infer(MODEL, inputs(ROWS[0]), model_version="2")
    assert answer.as_numpy(SCORE).item() == answer_of(100.0, *ROWS[0])
    assert answer.get_response().model_version == "2"


def test_a_unit_meets_the_version_that_it_meets_over_http_and_is_counted(
    triton: Any, plane: DataPlane, control: ControlPlane
) -> None:
    users = [f"user-{number}" for number in range(12)]
    met = {}
    for user in users:
        answer = triton.infer(CANARY, inputs((4.0, "AA")), headers={"x-user-id": user})
        met[user] = answer.get_response().model_version
        body = columns((4.0, "AA"))
        url = plane.url(f"/v2/models/{CANARY}/infer")
        assert http(url, body, {"x-user-id": user}) == met[user]
    assert set(met.values()) == {"1", "2"}
    wait_for(lambda: evidence(control) >= 2 * len(users), "both are evidence")
    assert evidence(control) == 2 * len(users)


def http(url: str, body: bytes, headers: dict[str, str]) -> str:
    from tests.integration.serving.data_plane import call

    return call(url, body, headers).version


def evidence(control: ControlPlane) -> int:
    return sum(cell.completed for cell in control.cells() if cell.model == CANARY)


def test_where_the_canary_fails_the_champion_answers_and_says_so(triton: Any, plane: DataPlane) -> None:
    answers = [triton.infer(CANARY, inputs((-1.0, "AA")), headers={"x-user-id": f"user-{n}"}) for n in range(12)]
    assert {one.get_response().model_version for one in answers} == {"1"}
    assert {one.as_numpy(SCORE).item() for one in answers} == {answer_of(0.0, -1.0, "AA")}
    fallen = sum(one.get_response().parameters["fallback"].bool_param for one in answers)
    assert 0 < fallen < 12
    wait_for(lambda: figure(plane, "fallbacks") == fallen, "they are counted")


def test_what_is_wrong_is_said_with_its_field(triton: Any, line: Any, plane: DataPlane) -> None:
    from lockgate.serving.grpc.messages import STATUS

    before = figure(plane, "rejected")
    wrong = typed((1.0, "AA"))
    wrong.inputs[0].shape[:] = [3, 1]
    wrong.inputs.add(name="other", datatype="FP32", shape=[1])
    found = sent(line, "ModelInfer", wrong)
    assert (found.code, "other" in found.message) == ("INVALID_ARGUMENT", True)
    details = STATUS["Status"].FromString(found.trailing["grpc-status-details-bin"])
    violations = STATUS["BadRequest"].FromString(details.details[0].value).field_violations
    assert [one.field for one in violations] == ["other"]
    for model, version in (("none", ""), (MODEL, "7"), (MODEL, "one"), ("", "")):
        message = typed((1.0, "AA"), model_version=version)
        message.model_name = model
        assert sent(line, "ModelInfer", message).code == "NOT_FOUND"
    wait_for(lambda: figure(plane, "rejected") > before, "it is counted")


def test_an_error_with_very_much_to_say_arrives(line: Any) -> None:
    message = typed((1.0, "AA"))
    for number in range(300):
        message.inputs.add(name=f"{number}{'ü' * 3000}", datatype="FP32", shape=[1])
    found = sent(line, "ModelInfer", message)
    assert (found.code, "unknown input" in found.message) == ("INVALID_ARGUMENT", True)


def test_large_requests_are_answered_and_those_that_are_too_large_are_not(triton: Any) -> None:
    from tritonclient.utils import InferenceServerException

    rows = [(float(number), "AA") for number in range(60_000)]
    answer = triton.infer(MODEL, inputs(*rows))
    assert answer.as_numpy(SCORE)[59_999, 0] == answer_of(0.0, 59_999.0, "AA")
    assert len(ids_of(answer.get_response())) == 60_000
    with pytest.raises(InferenceServerException) as caught:
        triton.infer(MODEL, inputs((1.0, b"x" * (17 << 20))))
    assert caught.value.status() == "StatusCode.RESOURCE_EXHAUSTED"


def test_a_models_memory_can_be_freed_and_its_package_cannot_be_changed(triton: Any, plane: DataPlane) -> None:
    from tritonclient.utils import InferenceServerException

    triton.unload_model(ECHO)
    wait_for(lambda: any(one["event"] == "package sleeps" for one in list(plane.events)), "it sleeps", 30)
    triton.load_model(ECHO)
    assert any(one["event"] == "package awake" for one in list(plane.events))
    with pytest.raises(InferenceServerException, match="NOT_FOUND"):
        triton.load_model("none")
    with pytest.raises(InferenceServerException, match="INVALID_ARGUMENT"):
        triton.load_model(ECHO, config="{}")


def test_whatever_bytes_come_the_answer_is_an_error_and_the_worker_lives(line: Any, plane: DataPlane) -> None:
    chance, workers = random.Random(3), list(plane.pids)
    valid = typed(*ROWS).SerializeToString()
    codes = set()
    for number in range(300):
        at, length = chance.randrange(len(valid)), chance.randrange(40)
        noise = chance.randbytes(length)
        body = noise if number % 3 == 0 else valid[:at] + noise + valid[at + chance.randrange(40) :]
        method = chance.choice(["ModelInfer", "ModelInfer", "ModelMetadata", "ModelReady", "RepositoryIndex"])
        found = sent(line, method, body)
        codes.add(found.code if isinstance(found, Refused) else "OK")
    assert codes <= {"OK", "INVALID_ARGUMENT", "NOT_FOUND"}
    assert "INVALID_ARGUMENT" in codes
    assert sent(line, "ModelInfer", typed(*ROWS)).outputs[0].contents.fp32_contents == EXPECTED
    assert plane.pids == workers
    assert not [one for one in plane.events if one.get("level") in ("error", "critical")]


def test_calls_are_in_the_access_log(triton: Any, plane: DataPlane) -> None:
    path = plane.home / "data-plane" / "logs" / "worker-1.access.jsonl"
    triton.infer(MODEL, inputs(ROWS[0]), model_version="2")
    until = time.monotonic() + 20
    wanted = f'"method":"gRPC","path":"/v2/models/{MODEL}/versions/2/infer","status":200'
    while wanted not in path.read_text():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_names_are_names_whatever_they_look_like(line: Any) -> None:
    for name in (f"../{MODEL}", f"{MODEL}/versions/2", f"{MODEL}%2Finfer", "a?b#c", "ü" * 100, "n" * 5000):
        message = typed((1.0, "AA"))
        message.model_name = name
        assert sent(line, "ModelInfer", message).code == "NOT_FOUND"
        message.model_name, message.model_version = MODEL, f"2/{name}"
        assert sent(line, "ModelInfer", message).code == "NOT_FOUND"
    assert {DISTANCE, CARRIER} == {tensor.name for tensor in typed((1.0, "AA")).inputs}


@pytest.mark.parametrize("unit", ["Jürgen".encode(), b"\xff\xfe"])
def test_a_unit_in_a_header_that_is_not_ascii_is_missing_over_both_protocols(
    control: ControlPlane, plane: DataPlane, unit: bytes
) -> None:
    """Granian does not hand such a header over, and the same caller must meet the same version over both."""

    def unassigned() -> int:
        return sum(block.unassigned for block in list(control.blocks))

    time.sleep(0.35)  # what earlier tests asked for has been told
    before, body = unassigned(), columns((4.0, "AA"))
    head = f"POST /v2/models/{CANARY}/infer HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\nx-user-id: ".encode()
    assert heard(plane.port, head + unit + b"\r\n\r\n" + body).startswith(b"HTTP/1.1 200")
    wait_for(lambda: unassigned() == before + 1, "over HTTP it is")
    call = request(b"/inference.GRPCInferenceService/ModelInfer", (b"x-user-id", unit), message=_canary().SerializeToString())
    assert b"grpc-status\x010" in heard(grpc_port(plane), call)
    wait_for(lambda: unassigned() == before + 2, "over gRPC too")


def _canary() -> Any:
    message = typed((4.0, "AA"))
    message.model_name = CANARY
    return message
