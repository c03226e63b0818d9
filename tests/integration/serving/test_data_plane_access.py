"""The data plane with its door closed: real requests with and without keys, and a door that changes while it runs."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from lockgate.boundary.key_file import KEY_FILE
from lockgate.boundary.keys import Key, KeyScope, Rate, new_key
from lockgate.boundary.routes import Arm, Role, Route
from lockgate.integrations.local.keys import LocalKeys
from lockgate.testing.clock import START
from tests.integration.serving.data_plane import CARRIER, DISTANCE, MODEL, ControlPlane, DataPlane, Reply, call, columns, wait_for

pytestmark = pytest.mark.integration

BODY = columns((1.0, "AA"))
INFER, FEEDBACK = f"/v2/models/{MODEL}/infer", f"/v2/models/{MODEL}/feedback"
READ = [
    "/v2",
    f"/v2/models/{MODEL}",
    f"/v2/models/{MODEL}/ready",
    f"/v2/models/{MODEL}/versions",
    "/v2/repository/index",
    "/metrics",
]
TAKES_OVER = 2.0  # seconds: what is promised
BUSY = 2.0  # seconds more, for a machine that does other things too


class Keys:
    """The file of keys that a data plane reads, and the texts that are in nobody else's hands."""

    def __init__(self, home: Path) -> None:
        (home / "secrets").mkdir(parents=True, exist_ok=True)
        self.store = LocalKeys(home / "secrets" / KEY_FILE)
        self.texts: list[str] = []

    def add(self, name: str, *scopes: KeyScope, rate: Rate | None = None, model: str = MODEL) -> str:
        limited = not {KeyScope.METRICS, KeyScope.REPOSITORY}.intersection(scopes)
        key, text = new_key(name, scopes, START, models=[model] if limited else [], rate=rate)
        self._write(lambda keys: [*keys, key])
        self.texts.append(text)
        return text

    def revoke(self, name: str) -> None:
        self._write(lambda keys: [msgspec.structs.replace(key, revoked_at=START) if key.name == name else key for key in keys])

    def _write(self, change: Callable[[list[Key]], list[Key]]) -> None:
        self.store.write(change(list(self.store.read() or ())))


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "home")


@pytest.fixture
def closed(new_plane: Callable[..., DataPlane], own_control: ControlPlane, keys: Keys) -> Iterator[Callable[..., DataPlane]]:
    """Starts a data plane that takes only callers with a key. Whatever a test did, no key is found in its log or its files."""
    started: list[DataPlane] = []

    def start(*options: str) -> DataPlane:
        if keys.store.read() is None:
            keys.store.write([])
        plane = new_plane(*options)
        digests = plane.artifacts.linear(0.0), plane.artifacts.linear(100.0)
        own_control.publish(Route(MODEL, (Arm(1, digests[0], Role.CHAMPION, 1.0), Arm(2, digests[1], Role.PINNED))))
        wait_for(plane.ready, "the data plane is ready")
        started.append(plane)
        return plane

    yield start
    for plane in started:
        written = b"".join(path.read_bytes() for path in plane.home.rglob("*") if path.is_file())
        said = json.dumps(list(plane.events))
        assert not any(text[17:].encode() in written or text[17:] in said for text in keys.texts)


def bearing(plane: DataPlane, text: str, path: str = INFER, body: bytes | None = BODY) -> Reply:
    return call(plane.url(path), body, {"authorization": f"Bearer {text}"})


def posted(plane: DataPlane, text: str, path: str, body: bytes) -> int:
    return call(plane.url(path), body, {"authorization": f"Bearer {text}", "content-type": "application/json"}).status


def figure(plane: DataPlane, name: str, text: str) -> int:
    lines = bearing(plane, text, "/metrics", None).body.decode().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"lockgate_{name}_total ")))


def test_without_a_key_there_is_health_and_nothing_else(closed: Callable[..., DataPlane]) -> None:
    plane = closed()
    posts = [
        INFER,
        f"/v2/models/{MODEL}/versions/1/infer",
        FEEDBACK,
        f"/v2/models/{MODEL}/learn",
        "/v2/repository/index",
        "/invocations",
        "/none",
    ]
    for reply in [*(plane.get(path) for path in [*READ, "/", "/none"]), *(call(plane.url(path), BODY) for path in posts)]:
        assert reply.status == 401
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.headers["www-authenticate"].startswith("Bearer")
    assert [plane.get(f"/v2/health/{probe}").status for probe in ("live", "ready")] == [200, 200]


def test_with_a_key_each_path_is_as_it_was(closed: Callable[..., DataPlane], keys: Keys) -> None:
    plane = closed()
    text = keys.add("all", *KeyScope)
    wait_for(lambda: bearing(plane, text).status == 200, "the key is known")
    assert [bearing(plane, text, path, None).status for path in READ] == [200] * len(READ)
    prediction = bearing(plane, text).json["parameters"]["prediction_id"]
    label = json.dumps({"prediction_id": prediction, "label": 1, "at": 7}).encode()
    assert bearing(plane, text, FEEDBACK, label).status == 202
    assert call(plane.url(INFER), BODY, {"x-api-key": text}).status == 200


def test_a_scope_or_a_model_that_is_missing_is_403(closed: Callable[..., DataPlane], keys: Keys) -> None:
    infer, labels = keys.add("infer", KeyScope.INFER), keys.add("labels", KeyScope.FEEDBACK)
    other = keys.add("other", KeyScope.INFER, model="another")
    plane = closed()
    assert bearing(plane, infer).status == 200
    for text, path in ((infer, FEEDBACK), (infer, "/metrics"), (labels, INFER), (other, INFER)):
        reply = bearing(plane, text, path, None if path == "/metrics" else BODY)
        assert reply.status == 403
        assert "the key " in reply.json["detail"]


def test_mlflows_protocol_is_no_way_around_the_models_of_a_key(closed: Callable[..., DataPlane], keys: Keys) -> None:
    mine, other = keys.add("mine", KeyScope.INFER), keys.add("other", KeyScope.INFER, model="another")
    plane = closed()
    body, named = json.dumps({"dataframe_records": [{DISTANCE: 1.0, CARRIER: "AA"}]}).encode(), f"/invocations?model={MODEL}"
    assert [posted(plane, text, named, body) for text in (mine, other)] == [200, 403]
    assert [posted(plane, text, "/invocations", body) for text in (mine, other)] == [403, 403]


def test_keys_come_and_go_while_it_runs_in_every_worker(closed: Callable[..., DataPlane], keys: Keys) -> None:
    plane = closed("--workers", "2")
    wait_for(lambda: plane.serving == 2, "both workers serve")
    text = keys.add("mine", KeyScope.INFER)
    made = time.monotonic()
    wait_for(lambda: {bearing(plane, text).status for _ in range(8)} == {200}, "all workers know the key")
    keys.revoke("mine")
    revoked = time.monotonic()
    wait_for(lambda: 200 not in {bearing(plane, text).status for _ in range(32)}, "no worker takes the key any more")
    assert revoked - made < TAKES_OVER + BUSY
    assert time.monotonic() - revoked < TAKES_OVER + BUSY
    assert "was revoked" in bearing(plane, text).json["detail"]


def test_loopback_is_open_until_the_first_key_is_made(
    new_plane: Callable[..., DataPlane], own_control: ControlPlane, keys: Keys
) -> None:
    plane = new_plane()
    own_control.publish(Route(MODEL, (Arm(1, plane.artifacts.linear(0.0), Role.CHAMPION, 1.0),)))
    wait_for(lambda: plane.infer(BODY).status == 200, "it is open")
    assert plane.get("/metrics").status == 200
    text = keys.add("mine", KeyScope.INFER)
    wait_for(lambda: plane.infer(BODY).status == 401, "it is closed")
    assert bearing(plane, text).status == 200


def test_what_is_public_are_predictions(closed: Callable[..., DataPlane], keys: Keys) -> None:
    plane = closed("--public")
    assert plane.infer(BODY).status == 200
    assert [plane.get(path).status for path in READ] == [200, 200, 200, 200, 401, 401]
    assert plane.feedback({}).status == 401


def test_a_rate_holds_over_all_workers_and_is_no_versions_failure(
    closed: Callable[..., DataPlane], own_control: ControlPlane, keys: Keys
) -> None:
    text, metrics = keys.add("mine", KeyScope.INFER, rate=Rate(0.1, 20)), keys.add("prometheus", KeyScope.METRICS)
    plane = closed("--workers", "2")
    wait_for(lambda: own_control.able(2), "both workers can answer", 60)
    replies = [bearing(plane, text) for _ in range(40)]  # each on a connection of its own, so that both workers get some
    assert [reply.status for reply in replies] == [200] * 20 + [429] * 20
    assert replies[-1].headers["retry-after"] in ("9", "10")
    wait_for(lambda: own_control.completed().get(1, 0) == 20, "what was answered is counted")
    assert sum(cell.completed for cell in own_control.cells()) == 20
    assert not any(cell.failures for cell in own_control.cells())
    wait_for(lambda: figure(plane, "limited", metrics) == 20, "and what was not, apart")
    assert figure(plane, "denied", metrics) == 0


def test_a_request_with_two_keys_is_refused(closed: Callable[..., DataPlane], keys: Keys) -> None:
    text = keys.add("mine", KeyScope.INFER)
    plane = closed()
    head = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(BODY)}\r\n"
    for more in (
        f"Authorization: Bearer {text}\r\nAuthorization: Bearer {text}\r\n",
        f"Authorization: Bearer {text}\r\nAUTHORIZATION: Bearer x\r\n",
        f"X-Api-Key: x\r\nAuthorization: Bearer {text}\r\n",
        f"Authorization: Bearer {text}\r\n\tx\r\n",
        f"Authorization : Bearer {text}\r\n",
    ):
        with socket.create_connection(("127.0.0.1", plane.port), 10) as line:
            line.sendall((head + more + "\r\n").encode() + BODY)
            assert line.makefile("rb").readline().split()[1] == b"400"


def test_a_key_in_the_address_is_refused(closed: Callable[..., DataPlane], keys: Keys) -> None:
    text = keys.add("mine", KeyScope.INFER)
    plane = closed("--access-log")
    for path in (f"{INFER}?key={text}", f"{INFER}?x={text}", f"{INFER}?access_token=x"):
        reply = bearing(plane, text, path)
        assert (reply.status, reply.json["detail"]) == (400, "a key stands in the address")


def test_whoever_is_refused_may_go_on_with_the_same_connection(closed: Callable[..., DataPlane], keys: Keys) -> None:
    text = keys.add("mine", KeyScope.INFER)
    plane = closed()
    connection = http.client.HTTPConnection("127.0.0.1", plane.port, timeout=10)
    statuses = []
    for key in ("", text, text[:-1], text):
        connection.request("POST", INFER, BODY, {"authorization": f"Bearer {key}"})
        response = connection.getresponse()
        response.read()
        statuses.append(response.status)
    connection.close()
    assert statuses == [401, 200, 401, 200]


def test_a_worker_that_starts_with_a_broken_file_lets_nobody_in_until_it_is_mended(
    closed: Callable[..., DataPlane], keys: Keys
) -> None:
    text = keys.add("mine", KeyScope.INFER)
    plane = closed()
    good = keys.store.path.read_bytes()
    keys.store.path.write_text("{")
    plane.kill_worker()
    wait_for(lambda: plane.serving == 2, "another worker serves")
    wait_for(lambda: bearing(plane, text).status == 503, "nobody can be told from anybody")
    keys.store.path.write_bytes(good)
    wait_for(lambda: bearing(plane, text).status == 200, "the key is known again")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--host", "0.0.0.0"], ["has 2 faults", "keys: ", "tls: ", "hint: lockgate token create"]),  # noqa: S104
        (["--host", "0.0.0.0", "--public"], ["has 1 fault", "tls: ", "--plain-http"]),  # noqa: S104
        (["--control", "http://10.0.0.1:7070"], ["control: ", "https expected"]),
        (["--tls-cert", "none", "--tls-key", "none"], ["there is no file none"]),
        (["--tls-cert", "none"], ["both a certificate and its key"]),
    ],
)
def test_it_does_not_start_where_it_should_not_listen(tmp_path: Path, options: list[str], expected: list[str]) -> None:
    (tmp_path / "control.token").write_text("x")
    (tmp_path / "prediction.key").write_bytes(b"k" * 32)
    words = [sys.executable, "-m", "lockgate.serving", "--port", "0", "--home", str(tmp_path), "--artifacts", str(tmp_path)]
    said = subprocess.run([*words, "--secrets", str(tmp_path), *options], capture_output=True, text=True, timeout=30, check=False)
    assert said.returncode == 2
    assert all(part in said.stderr for part in expected), said.stderr
    assert "Traceback" not in said.stderr
