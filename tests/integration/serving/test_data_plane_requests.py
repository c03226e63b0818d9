"""What callers send and what they get: the protocol, and everything that can be wrong with a request."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lockgate.boundary import predictions
from lockgate.boundary.predictions import Prediction
from lockgate.boundary.routes import Arm, Revision, Role, Route
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

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ControlPlane, DataPlane]]:
    """A champion that answers, and a version that is pinned."""
    path = tmp_path_factory.mktemp("requests")
    folder = Folder(path / "artifacts")
    with ControlPlane().serving() as control:
        plane = DataPlane(path / "home", folder, f"http://127.0.0.1:{control.port}", ("--grace", "0"))
        arms = Arm(1, folder.linear(0.0), Role.CHAMPION, 1.0), Arm(2, folder.linear(100.0), Role.PINNED)
        control.publish(Route(MODEL, arms))
        plane.start()
        wait_for(lambda: plane.get(f"/v2/models/{MODEL}/versions/2/ready").status == 200, "both versions are ready")
        yield control, plane
        plane.stop()


@pytest.fixture(scope="module")
def plane(home: tuple[ControlPlane, DataPlane]) -> DataPlane:
    return home[1]


def test_an_inference_request_of_the_protocol_is_answered_as_the_protocol_says(plane: DataPlane) -> None:
    reply = plane.infer(columns((1.5, "AA"), (2.0, "UA"), id="mine"))
    assert reply.status == 200
    assert reply.version == "1"
    content = reply.json
    assert (content["model_name"], content["model_version"], content["id"]) == (MODEL, "1", "mine")
    expected = [answer_of(0.0, 1.5, "AA"), answer_of(0.0, 2.0, "UA")]
    assert content["outputs"] == [{"name": SCORE, "datatype": "FP32", "shape": [2, 1], "data": expected}]
    assert len(set(content["parameters"]["prediction_ids"])) == 2


def test_a_prediction_id_carries_what_a_label_needs(plane: DataPlane) -> None:
    content = plane.infer(columns((1.5, "AA"))).json
    read = predictions.read(KEY, MODEL, content["parameters"]["prediction_id"])
    assert (read.version, read.revision, read.score) == (1, Revision(1, 1), content["outputs"][0]["data"][0])


def test_rows_are_answered_with_one_prediction_each(plane: DataPlane) -> None:
    rows = [{DISTANCE: 1, CARRIER: "AA"}, {CARRIER: "UA", DISTANCE: 2.5}]
    content = plane.infer(json.dumps({"instances": rows}).encode()).json
    assert content["predictions"] == [answer_of(0.0, 1.0, "AA"), answer_of(0.0, 2.5, "UA")]
    assert content["model_version"] == "1"


def test_data_may_be_nested_as_its_shape_says(plane: DataPlane) -> None:
    request = json.loads(columns((1.0, "AA"), (2.0, "UA")))
    request["inputs"][0]["data"] = [[1.0], [2.0]]
    assert plane.infer(json.dumps(request).encode()).json["outputs"][0]["data"] == [3.0, 6.0]


def test_a_version_that_is_named_answers_whatever_its_weight(plane: DataPlane) -> None:
    reply = plane.infer(columns((1.0, "AA")), version=2)
    assert reply.version == "2"
    assert reply.json["outputs"][0]["data"] == [answer_of(100.0, 1.0, "AA")]


def changed(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda request: request["inputs"][0].update(fields)


BAD_COLUMNS = {
    "null": (changed(data=[None, 1.0]), DISTANCE),
    "a string": (changed(data=["1.0", "2.0"]), DISTANCE),
    "a truth value": (changed(data=[True, False]), DISTANCE),
    "NaN": (changed(data=[float("nan"), 1.0]), DISTANCE),
    "infinity": (changed(data=[1.0, float("-inf")]), DISTANCE),
    "more than FP32 holds": (changed(data=[1.0, 1e39]), DISTANCE),
    "more than FP64 holds": (changed(data=[1.0, 10**400]), ""),
    "another datatype": (changed(datatype="FP64"), DISTANCE),
    "another rank": (changed(shape=[2]), DISTANCE),
    "another width": (changed(shape=[1, 2]), DISTANCE),
    "a negative length": (changed(shape=[-2, -1]), DISTANCE),
    "fewer values than the shape says": (changed(data=[1.0]), DISTANCE),
    "nesting that does not fit": (changed(data=[[1.0, 2.0]]), DISTANCE),
    "other row counts": (changed(shape=[3, 1], data=[1.0, 2.0, 3.0]), CARRIER),
    "no rows": (lambda request: [one.update(shape=[0, 1], data=[]) for one in request["inputs"]], DISTANCE),
    "a missing input": (lambda request: request["inputs"].pop(), CARRIER),
    "an unknown input": (lambda request: request["inputs"].append({**request["inputs"][0], "name": "speed"}), "speed"),
    "an input given twice": (lambda request: request["inputs"].append(request["inputs"][0]), "inputs[2]"),
    "no inputs": (lambda request: request["inputs"].clear(), "inputs"),
    "neither inputs nor instances": (lambda request: request.pop("inputs"), "inputs"),
    "data that is no list": (changed(data=1.0), "inputs[0].data"),
    "an unknown output": (lambda request: request.update(outputs=[{"name": "odds"}]), "outputs"),
}


@pytest.mark.parametrize("what", BAD_COLUMNS)
def test_a_bad_request_is_refused_and_its_field_is_named(plane: DataPlane, what: str) -> None:
    spoil, field = BAD_COLUMNS[what]
    request = json.loads(columns((1.0, "AA"), (2.0, "UA")))
    spoil(request)
    reply = plane.infer(json.dumps(request).encode())
    assert reply.status == 400, reply.body
    assert reply.headers["content-type"] == "application/problem+json"
    assert any(fault["field"].startswith(field) for fault in reply.json["errors"]), reply.json


BAD_BODIES = {
    "empty": b"",
    "no JSON": b"distance=1",
    "cut off": columns((1.0, "AA"))[:-2],
    "no object": b"[1, 2]",
    "not UTF-8": b'{"id": "\xff"}',
    "nested deeply": b'{"inputs": ' + b"[" * 200_000,
    "nested deeply where nobody looks": b'{"more": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "rows without a field": json.dumps({"instances": [{DISTANCE: 1.0}]}).encode(),
    "rows with a null": json.dumps({"instances": [{DISTANCE: None, CARRIER: "AA"}]}).encode(),
    "no rows": b'{"instances": []}',
    "binary tensors": json.dumps({"inputs": []}).encode() + b"\x00\x01",
}


@pytest.mark.parametrize("what", BAD_BODIES)
def test_a_body_that_is_no_request_is_refused(plane: DataPlane, what: str) -> None:
    reply = plane.infer(BAD_BODIES[what])
    assert reply.status == 400, reply.body
    assert reply.json["detail"]


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/", "GET", 404),
        ("/v2/models", "GET", 404),
        ("/v2/models/nobody", "GET", 404),
        ("/v2/models/nobody/infer", "POST", 404),
        (f"/v2/models/{MODEL}/versions/9", "GET", 404),
        (f"/v2/models/{MODEL}/versions/9/infer", "POST", 404),
        (f"/v2/models/{MODEL}/versions/one/infer", "POST", 404),
        (f"/v2/models/{MODEL}/infer", "GET", 405),
        (f"/v2/models/{MODEL}/infer", "DELETE", 405),
        (f"/v2/models/{MODEL}/feedback", "GET", 405),
        ("/v2/health/live", "POST", 405),
    ],
)
def test_what_is_not_there_is_said_clearly(plane: DataPlane, path: str, method: str, status: int) -> None:
    reply = call(plane.url(path), columns((1.0, "AA")) if method == "POST" else None, method=method)
    assert reply.status == status, reply.body
    assert reply.json["status"] == status


def test_the_server_and_its_models_describe_themselves(plane: DataPlane) -> None:
    assert plane.get("/v2").json["name"] == "lockgate"
    assert plane.get("/v2/health/live").json == {"live": True}
    metadata = plane.get(f"/v2/models/{MODEL}").json
    assert metadata["inputs"][1] == {"name": CARRIER, "datatype": "BYTES", "shape": [-1, 1]}
    assert plane.get(f"/v2/models/{MODEL}/ready").json["ready"] is True
    versions = plane.get(f"/v2/models/{MODEL}/versions").json["versions"]
    assert [(one["version"], one["role"], one["weight"]) for one in versions] == [("1", "champion", 1.0), ("2", "pinned", 0.0)]
    index = call(plane.url("/v2/repository/index"), b"{}").json
    assert [(one["version"], one["state"]) for one in index] == [("1", "READY"), ("2", "READY")]


def test_50_megabytes_are_refused_while_others_are_answered(plane: DataPlane) -> None:
    """The sender sees the answer even though it sent everything first; nobody else waits for it."""
    replies = []
    sender = threading.Thread(target=lambda: replies.append(plane.infer(b" " * 50_000_000)))
    sender.start()
    answered = 0
    while sender.is_alive():
        assert plane.infer(columns((1.0, "AA"))).status == 200
        answered += 1
    assert replies[0].status == 413
    assert answered >= 3


def test_a_body_that_does_not_say_its_size_is_bounded_too(plane: DataPlane) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", plane.port, timeout=10)
    piece = b" " * 1_000_000
    connection.request("POST", f"/v2/models/{MODEL}/infer", (piece for _ in range(15)), encode_chunked=True)
    assert connection.getresponse().status == 400  # 15 MB of nothing: read, and not JSON
    connection.close()
    connection.request("POST", f"/v2/models/{MODEL}/infer", iter([columns((1.0, "AA"))]), encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()


def test_a_large_request_is_answered_row_by_row(plane: DataPlane) -> None:
    content = plane.infer(columns(*[(float(n), "AA") for n in range(20_000)])).json
    assert content["outputs"][0]["data"] == [answer_of(0.0, float(n), "AA") for n in range(20_000)]
    assert len(set(content["parameters"]["prediction_ids"])) == 20_000


def test_a_caller_that_hangs_up_half_way_hurts_nobody(plane: DataPlane) -> None:
    with socket.create_connection(("127.0.0.1", plane.port)) as caller:
        caller.sendall(f"POST /v2/models/{MODEL}/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{{".encode())
    assert plane.infer(columns((1.0, "AA"))).status == 200


def test_labels_are_taken_and_reach_the_control_plane_joined_with_their_prediction(home: tuple[ControlPlane, DataPlane]) -> None:
    control, plane = home
    ids = plane.infer(columns((1.0, "AA"), (2.0, "UA"))).json["parameters"]["prediction_ids"]
    labels = [
        {"prediction_id": ids[0], "label": True, "at": "2013-04-01T12:00:00Z"},
        {"prediction_id": ids[1], "label": 0.25, "at": 7},
    ]
    reply = plane.feedback(labels)
    assert (reply.status, reply.json) == (202, {"accepted": 2})
    first, second = wait_for(lambda: [one for one in control.labels() if one.prediction_id in ids], "the labels")
    assert (first.label, first.at, first.score, first.version, first.revision) == (1.0, 1364817600.0, 3.0, 1, Revision(1, 1))
    assert (second.label, second.at, second.model) == (0.25, 7.0, MODEL)


def _id(model: str = MODEL, secret: bytes = KEY) -> str:
    return predictions.mint(secret, model, Prediction(1, Revision(1, 1), 0, 0.5, 1.0, 1))


BAD_LABELS: dict[str, Any] = {
    "forged": {"prediction_id": _id(secret=b"another secret 12345"), "label": 1},
    "of another model": {"prediction_id": _id("other"), "label": 1},
    "no id": {"label": 1},
    "not finite": {"prediction_id": _id(), "label": 1e999},
    "no number": {"prediction_id": _id(), "label": "late"},
    "no time": {"prediction_id": _id(), "label": 1, "at": "yesterday"},
    "no zone": {"prediction_id": _id(), "label": 1, "at": "2013-04-01T12:00:00"},
    "milliseconds": {"prediction_id": _id(), "label": 1, "at": 1e15},
    "unknown field": {"prediction_id": _id(), "label": 1, "truth": 1},
    "empty list": [],
    "one of two": [{"prediction_id": _id(), "label": 1}, {"prediction_id": "no", "label": 1}],
}


@pytest.mark.parametrize("what", BAD_LABELS)
def test_a_bad_label_is_refused_with_its_fault(home: tuple[ControlPlane, DataPlane], what: str) -> None:
    control, plane = home
    reply = plane.feedback(BAD_LABELS[what])
    assert reply.status == 400, reply.body
    assert reply.json["errors"][0]["detail"]
    assert not [one for one in control.labels() if one.prediction_id == _id()]


def test_metrics_count_what_was_answered(plane: DataPlane) -> None:
    def answered() -> int:
        text = plane.get("/metrics").body.decode()
        found = [line for line in text.splitlines() if line.startswith(f'lockgate_requests_total{{model="{MODEL}",version="2"}}')]
        return int(found[0].split()[-1]) if found else 0

    time.sleep(0.3)  # what other tests asked for is counted by then
    before = answered()
    for _ in range(5):
        plane.infer(columns((1.0, "AA")), version=2)
    wait_for(lambda: answered() == before + 5, "the counter")


def test_a_size_of_thousands_of_digits_costs_nobody_an_answer(plane: DataPlane) -> None:
    """Python refuses to read such a number; what refused it in Granian's thread took the worker's HTTP with it."""
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", plane.port), timeout=10) as connection:
            head = f"POST /v2/models/{MODEL}/infer HTTP/1.1\r\nhost: x\r\ncontent-length: {'0' * 4400}1\r\n\r\n"
            connection.sendall(head.encode() + b"{")
            assert connection.recv(100).split()[1].startswith(b"4")
    assert plane.infer(columns((1.5, "AA"))).status == 200
