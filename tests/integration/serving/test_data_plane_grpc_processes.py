"""gRPC of a data plane from outside: its port and its workers, keys and certificates, deadlines, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from lockgate.boundary.key_file import KEY_FILE
from lockgate.boundary.keys import KeyScope, Rate, new_key
from lockgate.boundary.manifest import File, Golden, Lineage, Manifest, encode
from lockgate.boundary.routes import Arm, Role, Route
from lockgate.integrations.local.keys import LocalKeys
from lockgate.kernel.clock import SystemClock
from tests.integration.serving.data_plane import CARRIER, DISTANCE, MODEL, ControlPlane, DataPlane, signature, wait_for
from tests.integration.serving.grpc_calls import SECONDS, Refused, channel, grpc_port, sent, typed
from tests.samples.certificates import CLIENT, Authority

MISSING = [name for name in ("grpc", "google", "tritonclient") if find_spec(name) is None]
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(bool(MISSING) and os.environ.get("CI") != "true", reason=f"not installed: {', '.join(MISSING)}"),
]

NewPlane = Callable[..., DataPlane]
BODY = typed((1.0, "AA")) if not MISSING else None
SLOW = b"""import time

def predict(columns):
    time.sleep(float(columns["distance"][0]))
    return columns["distance"] * 2.0
"""
GRPC = ("--grpc-port", "0")


def serve(plane: DataPlane, control: ControlPlane, digest: str, workers: int = 1, **more: Any) -> None:
    revision = control.publish(Route(MODEL, (Arm(1, digest, Role.CHAMPION, 1.0),), **more))
    wait_for(lambda: control.applied(revision, workers) and control.able(workers), "the route is in force", 90)


def slow_package(plane: DataPlane) -> str:
    """A model in a process of its own, which takes as many seconds as the distance says."""
    folder = plane.artifacts
    lineage = Lineage("run-1", None, False, "tester", {}, {})  # noqa: FBT003 - the fields of a manifest, in their order
    golden = Golden({DISTANCE: [0.0, 0.5], CARRIER: ["AA", "UA"]}, [0.0, 1.0], 1e-4)
    file = File("model.py", folder.put(SLOW), len(SLOW))
    return folder.put(encode(Manifest(MODEL, "python", (file,), signature(), golden, lineage, options={"entry": "predict"})))


def test_only_who_has_a_key_is_answered(new_plane: NewPlane, own_control: ControlPlane, tmp_path: Path) -> None:
    (tmp_path / "home" / "secrets").mkdir(parents=True)
    store = LocalKeys(tmp_path / "home" / "secrets" / KEY_FILE)
    now = SystemClock().now()
    infer, mine = new_key("infer", [KeyScope.INFER], now, models=[MODEL])
    repository, his = new_key("repository", [KeyScope.REPOSITORY], now)
    other, theirs = new_key("other", [KeyScope.INFER], now, models=["other"])
    slow, ours = new_key("slow", [KeyScope.INFER], now, rate=Rate(0.001, 1))
    store.write([infer, repository, other, slow])
    plane = new_plane(*GRPC)
    serve(plane, own_control, plane.artifacts.linear(0.0))

    def code(method: str, text: str | None, message: Any = b"", header: str = "authorization") -> str:
        value = f"Bearer {text}" if header == "authorization" else str(text)
        found = sent(line, method, message, [(header, value)] if text is not None else [])
        return found.code if isinstance(found, Refused) else "OK"

    with channel(plane) as line:
        assert code("ServerLive", None) == code("ServerReady", None) == "OK"
        found = sent(line, "ModelInfer", BODY, [("authorization", f"Bearer {mine}"), ("x-api-key", mine)])
        assert (found.code, "2 keys found" in found.message) == ("INVALID_ARGUMENT", True)
        wrong = f"{mine[:-1]}{'0' if mine[-1] != '0' else '1'}"
        for text in (None, "", wrong):  # more would be told to slow down
            for method in ("ModelInfer", "ServerMetadata", "ModelReady", "RepositoryIndex", "RepositoryModelLoad"):
                assert code(method, text, BODY if method == "ModelInfer" else b"") == "UNAUTHENTICATED"
        assert unread(line) == "UNAUTHENTICATED"
        assert code("ModelInfer", mine, BODY) == code("ModelInfer", mine, BODY, "x-api-key") == "OK"
        assert (
            code("ModelInfer", his, BODY)
            == code("ModelInfer", theirs, BODY)
            == code("RepositoryIndex", mine)
            == "PERMISSION_DENIED"
        )
        assert code("RepositoryIndex", his) == "OK"
        assert [code("ModelInfer", ours, BODY) for _ in range(2)] == ["OK", "RESOURCE_EXHAUSTED"]
    said = str(plane.events)
    assert not any(text[17:] in said for text in (mine, his, theirs, ours))


def unread(line: Any) -> str:
    """What becomes of a call by nobody whose message never comes."""
    import grpc

    over = threading.Event()

    def nothing() -> Iterator[bytes]:
        over.wait(SECONDS)
        yield from ()

    call = line.stream_unary("/inference.GRPCInferenceService/ModelInfer").future(nothing(), timeout=SECONDS)
    with pytest.raises(grpc.RpcError) as caught:
        call.result()
    over.set()
    return str(caught.value.code().name)


def test_certificates_are_the_same_as_over_http(new_plane: NewPlane, own_control: ControlPlane, tmp_path: Path) -> None:
    import grpc

    authority = Authority(tmp_path, SystemClock().now())
    server, caller = authority.pair("server"), authority.pair("caller", CLIENT)
    files = ("--tls-cert", str(server.certificate), "--tls-key", str(server.key))
    plane = new_plane(*GRPC, *files, "--tls-client-ca", str(authority.certificate))
    address = f"127.0.0.1:{grpc_port(plane)}"
    wait_for(lambda: plane.serving, "it serves", 60)
    root = authority.certificate.read_bytes()
    proven = grpc.ssl_channel_credentials(root, caller.key.read_bytes(), caller.certificate.read_bytes())
    for credentials, code in ((proven, None), (grpc.ssl_channel_credentials(root), "UNAVAILABLE"), (None, "UNAVAILABLE")):
        opened = grpc.secure_channel(address, credentials) if credentials else grpc.insecure_channel(address)
        with opened as line:
            found = sent(line, "ServerLive", b"")
            assert (found.code if isinstance(found, Refused) else None) == code


def test_each_worker_answers_and_the_death_of_one_is_not_the_end(new_plane: NewPlane, own_control: ControlPlane) -> None:
    import grpc

    plane = new_plane(*GRPC, "--workers", "2")
    serve(plane, own_control, plane.artifacts.linear(0.0), workers=2)
    address = f"127.0.0.1:{grpc_port(plane)}"

    def ask() -> bool:
        with grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as line:
            return not isinstance(sent(line, "ModelInfer", BODY), Refused)

    assert all(ask() for _ in range(10))
    plane.kill_worker()
    wait_for(lambda: plane.serving == 3, "another worker has its place", 60)
    assert all(ask() for _ in range(10))


def test_the_port_is_nobody_elses(new_plane: NewPlane, tmp_path: Path) -> None:
    plane = new_plane(*GRPC)
    port = grpc_port(plane)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
    folders = ["--home", "other", "--artifacts", ".", "--secrets", str(plane.home / "secrets")]
    options = [*folders, "--port", "0", "--grpc-port", str(port)]
    run = subprocess.run(
        [sys.executable, "-m", "lockgate.serving", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 1
    assert f"port {port} on 127.0.0.1 cannot be taken for gRPC" in run.stderr
    assert "--grpc-port" in run.stderr


def test_without_the_library_it_says_what_to_install(tmp_path: Path) -> None:
    start = "import sys; sys.modules['grpc'] = None\nfrom lockgate.serving.__main__ import main\nsys.exit(main())"
    words = [sys.executable, "-c", start, "--home", ".", "--artifacts", ".", "--secrets", ".", *GRPC]
    run = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-2:] == ["error: gRPC needs grpc", "hint: Install it: pip install 'lockgate[grpc]'"]


@pytest.fixture
def slow(new_plane: NewPlane, own_control: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> DataPlane:
    """Its model takes as many seconds as the distance says."""
    monkeypatch.setenv("LOCKGATE_TRUST_CODE", "1")
    plane = new_plane(*GRPC)
    serve(plane, own_control, slow_package(plane), timeout=60.0)
    return plane


def test_a_callers_deadline_is_the_models(slow: DataPlane, own_control: ControlPlane) -> None:
    with channel(slow) as line:
        assert sent(line, "ModelInfer", typed((0.1, "AA"))).outputs[0].contents.fp32_contents[0] == pytest.approx(0.2)
        began = time.monotonic()
        found = sent(line, "ModelInfer", typed((30.0, "AA")), seconds=0.5)
        assert found.code == "DEADLINE_EXCEEDED"

        def failed() -> int:
            return sum(cell.failures.get("timeout", 0) for cell in own_control.cells())

        wait_for(failed, "it is counted as a time-out", 10)
        assert time.monotonic() - began < 15.0, "long before the model, or the route, is through with it"


def test_a_stop_lets_what_is_under_way_finish(slow: DataPlane) -> None:
    assert slow.process is not None
    with channel(slow) as line, ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(sent, line, "ModelInfer", typed((2.0, "AA")))
        time.sleep(0.7)
        slow.process.send_signal(signal.SIGTERM)
        assert under_way.result().outputs[0].contents.fp32_contents[0] == pytest.approx(4.0)
    assert slow.ended() == 0
    assert not [one for one in slow.events if one["event"] in ("worker killed", "calls cut off")]


def test_workers_are_replaced_one_by_one_and_callers_do_not_notice(new_plane: NewPlane, own_control: ControlPlane) -> None:
    plane = new_plane(*GRPC, "--workers", "2")
    serve(plane, own_control, plane.artifacts.linear(0.0), workers=2)
    assert plane.process is not None
    before = set(plane.pids)
    with channel(plane) as line:
        plane.process.send_signal(signal.SIGHUP)
        answers = []
        until = time.monotonic() + 90
        while not any(one["event"] == "workers replaced" for one in list(plane.events)):
            assert time.monotonic() < until
            answers.append(sent(line, "ModelInfer", BODY))
            time.sleep(0.01)
        answers += [sent(line, "ModelInfer", BODY) for _ in range(20)]
    refused = [one.code for one in answers if isinstance(one, Refused)]
    assert set(refused) <= {"CANCELLED"}, "gRPC's own way with a call that comes in the moment in which a worker leaves"
    assert len(refused) <= 2, "at most one of each that left"
    assert len(set(plane.pids) - before) == 2
