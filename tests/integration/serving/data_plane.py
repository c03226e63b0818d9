"""The data plane as a real process, a control plane that is as small as can be, and model packages made of a few ONNX nodes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper

from lockgate.boundary.acknowledgements import Acknowledgement, PackageState, Readiness
from lockgate.boundary.manifest import File, Golden, Lineage, Manifest, Signature, Tensor, encode
from lockgate.boundary.observations import Block, Cell, Feedback
from lockgate.boundary.routes import Revision, Route, RouteTable
from lockgate.kernel.digest import PREFIX, digest_bytes

KEY = b"k" * 32
TOKEN = "token-of-the-test"
MODEL = "delays"
DISTANCE, CARRIER, SCORE = "distance", "carrier", "score"
CARRIERS = {"AA": 1.0, "UA": 2.0}


def answer_of(bias: float, distance: float, carrier: str) -> float:
    """What the test's model answers: a number that says which model it was."""
    return float(np.float32(distance)) * 2.0 + CARRIERS.get(carrier, 0.0) + bias


def linear_model(bias: float, *, output: str = SCORE) -> bytes:
    """The score is 2 · distance + (1 for AA, 2 for UA) + bias: one numeric column and one of strings."""
    nodes = [
        helper.make_node(
            "LabelEncoder",
            [CARRIER],
            ["code"],
            domain="ai.onnx.ml",
            keys_strings=list(CARRIERS),
            values_floats=list(CARRIERS.values()),
            default_float=0.0,
        ),
        helper.make_node("Mul", [DISTANCE, "two"], ["doubled"]),
        helper.make_node("Add", ["doubled", "code"], ["sum"]),
        helper.make_node("Add", ["sum", "bias"], [output]),
    ]
    return _model(nodes, [_constant("two", 2.0), _constant("bias", bias)], output)


def root_model() -> bytes:
    """The score is √distance, and the carrier is ignored: NaN for what is negative."""
    nodes = [helper.make_node("Sqrt", [DISTANCE], [SCORE]), helper.make_node("Identity", [CARRIER], ["unused"])]
    return _model(nodes, [], SCORE)


def picky_model() -> bytes:
    """The score is distance, by way of a reshape that only one row can go through: raises on two."""
    shape = helper.make_tensor("one", TensorProto.INT64, [2], [1, 1])
    nodes = [helper.make_node("Reshape", [DISTANCE, "one"], [SCORE]), helper.make_node("Identity", [CARRIER], ["unused"])]
    return _model(nodes, [shape], SCORE)


def _constant(name: str, value: float) -> Any:
    return helper.make_tensor(name, TensorProto.FLOAT, [1, 1], [value])


def _model(nodes: list[Any], initializers: list[Any], output: str) -> bytes:
    inputs = [
        helper.make_tensor_value_info(DISTANCE, TensorProto.FLOAT, [None, 1]),
        helper.make_tensor_value_info(CARRIER, TensorProto.STRING, [None, 1]),
    ]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, [None, 1])]
    graph = helper.make_graph(nodes, "test", inputs, outputs, initializers)
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return cast("bytes", onnx.ModelProto.SerializeToString(helper.make_model(graph, opset_imports=imports, ir_version=8)))


def signature(distance: str = DISTANCE) -> Signature:
    return Signature(
        inputs=(Tensor(distance, "FP32", (-1, 1)), Tensor(CARRIER, "BYTES", (-1, 1))),
        outputs=(Tensor(SCORE, "FP32", (-1, 1)),),
        score=SCORE,
    )


@dataclass(frozen=True)
class Folder:
    """Artifacts by digest, as the control plane lays them down."""

    path: Path

    def file(self, digest: str) -> Path:
        digits = digest.removeprefix(PREFIX)
        return self.path / digits[:2] / digits[2:]

    def put(self, content: bytes) -> str:
        digest = digest_bytes(content)
        self.file(digest).parent.mkdir(parents=True, exist_ok=True)
        self.file(digest).write_bytes(content)
        return digest

    def package(
        self,
        content: bytes,
        scores: Sequence[float],
        *,
        signed: Signature | None = None,
        rows: dict[str, list[Any]] | None = None,
        name: str = MODEL,
    ) -> str:
        model = File("model.onnx", self.put(content), len(content))
        lineage = Lineage("run-1", None, False, "tester", {}, {})  # noqa: FBT003 - the fields of a manifest, in their order
        golden = Golden(rows or {DISTANCE: [1.0, 4.0], CARRIER: ["AA", "UA"]}, list(scores), 1e-4)
        return self.put(encode(Manifest(name, "onnx", (model,), signed or signature(), golden, lineage)))

    def linear(self, bias: float, name: str = MODEL) -> str:
        return self.package(linear_model(bias), [answer_of(bias, 1.0, "AA"), answer_of(bias, 4.0, "UA")], name=name)


@dataclass
class ControlPlane:
    """Serves the three endpoints of the control channel and remembers what came. `away` makes it refuse everything."""

    table: RouteTable = field(default_factory=RouteTable)
    blocks: list[Block] = field(default_factory=list)
    workers: dict[str, Acknowledgement] = field(default_factory=dict)
    away: bool = False
    port: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def publish(self, *routes: Route) -> Revision:
        with self._changed:
            self.table = RouteTable(Revision(1, self.table.revision.n + 1), routes)
            self._changed.notify_all()
        return self.table.revision

    def newer_than(self, after: Revision, wait: float) -> RouteTable | None:
        with self._changed:
            self._changed.wait_for(lambda: self.table.revision > after, wait)
            return self.table if self.table.revision > after else None

    def package(self, digest: str) -> PackageState | None:
        """What the worker that was heard last says of it."""
        newest = list(self.workers.values())[-1:]
        return newest[0].packages.get(digest) if newest else None

    def cells(self, revision: Revision | None = None) -> list[Cell]:
        """Of the revision that is in force, or another."""
        wanted = revision or self.table.revision
        return [cell for block in list(self.blocks) for cell in block.cells if cell.revision == wanted]

    def labels(self) -> list[Feedback]:
        return [label for block in list(self.blocks) for label in block.feedback]

    def completed(self) -> dict[int, int]:
        """Version → requests that are evidence."""
        counts: dict[int, int] = {}
        for cell in self.cells():
            counts[cell.version] = counts.get(cell.version, 0) + cell.completed
        return counts

    def applied(self, revision: Revision, workers: int = 1) -> bool:
        newest = {one.worker: one for one in list(self.workers.values())}
        return len(newest) == workers and all(one.revision >= revision for one in newest.values())

    def able(self, workers: int) -> bool:
        """Whether so many workers have every package of the table: one that answers for the plane is not yet all of them."""
        wanted, told = self.table.digests(), list(self.workers.values())
        ready = [{digest for digest, state in one.packages.items() if state.readiness is Readiness.READY} for one in told]
        return sum(packages >= wanted for packages in ready) == workers

    @contextmanager
    def serving(self) -> Iterator[ControlPlane]:
        server = _Server(("127.0.0.1", self.port), _Handler)
        server.plane = self
        self.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


class _Server(ThreadingHTTPServer):
    plane: ControlPlane
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """A data plane that stops or is killed breaks its connections: that is what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # head and body in one packet: else Nagle and delayed acknowledgements cost 40 ms an answer

    def do_GET(self) -> None:
        plane = cast("_Server", self.server).plane
        query = dict(part.split("=") for part in self.path.partition("?")[2].split("&"))
        table = plane.newer_than(Revision.parse(query["after"]), min(float(query["wait"]), 1.0))
        self._reply(plane, 200 if table else 204, msgspec.json.encode(table) if table else b"")

    def do_POST(self) -> None:
        plane = cast("_Server", self.server).plane
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not plane.away and self.path == "/control/v1/observations":
            block = msgspec.msgpack.decode(body, type=Block)
            if block.id not in {one.id for one in plane.blocks}:
                plane.blocks.append(block)
        elif not plane.away:
            acknowledgement = msgspec.json.decode(body, type=Acknowledgement)
            plane.workers[acknowledgement.incarnation] = acknowledgement
        self._reply(plane, 204, b"")

    def _reply(self, plane: ControlPlane, status: int, body: bytes) -> None:
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            status, body = 401, b""
        if plane.away:
            status, body = 503, b""
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """One line for each request is of no use to a test."""


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def version(self) -> str:
        return self.headers["x-lockgate-version"]


def call(url: str, body: bytes | None = None, headers: dict[str, str] | None = None, method: str | None = None) -> Reply:
    request = urllib.request.Request(url, body, headers or {}, method=method)  # noqa: S310 - our own address
    try:
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
            return Reply(response.status, {k.lower(): v for k, v in response.headers.items()}, response.read())
    except urllib.error.HTTPError as error:
        return Reply(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())


def columns(*rows: tuple[float, str], **more: Any) -> bytes:
    """A request of the Open Inference Protocol."""
    shape = [len(rows), 1]
    inputs = [
        {"name": DISTANCE, "shape": shape, "datatype": "FP32", "data": [row[0] for row in rows]},
        {"name": CARRIER, "shape": shape, "datatype": "BYTES", "data": [row[1] for row in rows]},
    ]
    return json.dumps({"inputs": inputs, **more}).encode()


@dataclass
class DataPlane:
    """`python -m lockgate.serving`, with its log as a list of events."""

    home: Path
    artifacts: Folder
    control: str
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    events: list[dict[str, Any]] = field(default_factory=list)

    def start(self) -> None:
        (self.home / "secrets").mkdir(parents=True, exist_ok=True)
        (self.home / "secrets" / "prediction.key").write_bytes(KEY)
        (self.home / "secrets" / "control.token").write_text(TOKEN)
        folders = ["--home", self.home / "data-plane", "--artifacts", self.artifacts.path, "--secrets", self.home / "secrets"]
        argv = [sys.executable, "-m", "lockgate.serving", "--port", "0", "--control", self.control, *map(str, folders)]
        self.events = []
        self.process = subprocess.Popen([*argv, *self.options], stderr=subprocess.PIPE, stdin=subprocess.PIPE)
        threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()
        wait_for(lambda: self.port, "the data plane listens")

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                try:
                    self.events.append(json.loads(line))
                except ValueError:
                    self.events.append({"event": line.decode()})

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> int:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.close()
        code = self.process.wait(20)
        self.process = None
        return code

    @property
    def port(self) -> int:
        return next((event["port"] for event in list(self.events) if event["event"] == "listening"), 0)

    @property
    def pids(self) -> list[int]:
        """Of the workers that were started, the newest last."""
        return [event["pid"] for event in list(self.events) if event["event"] == "worker started"]

    @property
    def serving(self) -> int:
        """How many workers have begun to answer since the start."""
        return sum(event["event"] == "worker serves" for event in list(self.events))

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def get(self, path: str) -> Reply:
        return call(self.url(path))

    def infer(self, body: bytes, version: int | None = None, **headers: str) -> Reply:
        named = f"/versions/{version}" if version is not None else ""
        return call(self.url(f"/v2/models/{MODEL}{named}/infer"), body, {k.replace("_", "-"): v for k, v in headers.items()})

    def feedback(self, content: object) -> Reply:
        return call(self.url(f"/v2/models/{MODEL}/feedback"), json.dumps(content).encode())

    def ready(self) -> bool:
        return self.get("/v2/health/ready").status == 200

    def kill_worker(self, number: int = -1) -> None:
        os.kill(self.pids[number], signal.SIGKILL)


def wait_for(condition: Any, what: str, seconds: float = 15.0) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")
