"""`python -m benchmarks.serving.trouble`: the data plane in trouble, each part with its figure.

shadow: what a slow and a hung shadow cost those who are answered. swaps: 100 versions in a row, and 20 that are no good, under
load. restarts: 50 replacements of all workers under load. overload: three times what it can do. memory: four workers and half a
gigabyte of weights.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import math
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnxruntime

from benchmarks.serving import load, machine
from benchmarks.serving.dialects import protocol_columns
from benchmarks.serving.models import Rows, Served, served
from benchmarks.serving.packages import Form, columns, kept, onnx_form, package
from benchmarks.serving.plane import DataPlane, data_plane, in_use, table
from benchmarks.serving.processes import Server
from lockgate.boundary.manifest import Signature, Tensor
from lockgate.boundary.routes import Route, Shadow

PATH = "/v2/models/{}/infer"
PAIRS = 12
Figures = dict[str, object]


def shots(model: Served, rows: int = 1, count: int = 40) -> list[load.Shot]:
    dialect = protocol_columns(PATH.format(model.name))
    data = model.rows(rows * count)
    return [dialect.shot(data.iloc[at * rows : (at + 1) * rows]) for at in range(count)]


def with_shadow(route: Route, digest: str) -> Route:
    return msgspec.structs.replace(route, shadows=(Shadow(2, digest, threshold=0.5),))


class Tables:
    """Publishes tables with rising revisions, and waits until the worker routes by the newest."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane
        self._n = 1

    def publish(self, route: Route, settle: float = 1.0) -> None:
        self._n += 1
        self._plane.control.publish(table(route, n=self._n))
        time.sleep(settle)


def fixed_rate(port: int, shot: load.Shot, rate: int, seconds: int, folder: Path) -> tuple[float, float]:
    """(p50, p99) in seconds at so many requests a second over eight connections, by hey."""
    body = folder / "body"
    body.write_bytes(shot.body)
    asked = ["hey", "-z", f"{seconds}s", "-c", "8", "-q", str(rate / 8), "-m", "POST", "-D", str(body), "-o", "csv"]
    headers = [part for name, value in (shot.headers | {"x-user-id": "user-7"}).items() for part in ("-H", f"{name}: {value}")]
    command = machine.pinned([*asked, *headers, f"http://127.0.0.1:{port}{shot.path}"], machine.cores().load)
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[1:]
    times = sorted(float(line.split(",")[0]) for line in lines)
    return times[len(times) // 2], times[int(0.99 * len(times))]


def shadow(folder: Path, seconds: int) -> Figures:
    """Pairs of one measurement with the shadow and one without, in turn."""
    light = served("linear")
    artifacts = folder / "artifacts"
    primary = package(artifacts, light, onnx_form(light))
    follower = costly(artifacts)
    told: Figures = {}
    route = in_use(light.name, primary)
    with data_plane(folder, artifacts, table(route)) as plane:
        tables = Tables(plane)
        one, many = shots(light)[0], shots(light)
        load.run(plane.port, many, 16, 1)
        for state in ("slow", "hung"):
            tables.publish(with_shadow(route, follower), 3.0)
            below, full = [], []
            for _ in range(PAIRS):
                tables.publish(with_shadow(route, follower))
                with stopped(hosts(plane.server) if state == "hung" else []):
                    shadowed = fixed_rate(plane.port, one, 1000, seconds, folder)[1], load.run(plane.port, many, 16, seconds).rate
                tables.publish(route)
                alone = fixed_rate(plane.port, one, 1000, seconds, folder)[1], load.run(plane.port, many, 16, seconds).rate
                below.append(shadowed[0] / alone[0])
                full.append(shadowed[1] / alone[1])
            told[f"{state}: p99 at 1,000/s, with / without"] = ratio(below)
            told[f"{state}: throughput at saturation, with / without"] = ratio(full)
    return told


def slow_form(model: Served) -> Form:
    """Takes the same inputs, and some thirty times as long: a million multiplications for each row."""
    width = 1000
    chance = np.random.default_rng(1)
    shapes = {"first": (len(model.datatypes), width), "second": (width, width)}
    weights = [
        onnx.numpy_helper.from_array(chance.normal(size=of, scale=0.05).astype(np.float32), at) for at, of in shapes.items()
    ]
    make, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    nodes = [
        make("Concat", list(model.datatypes), ["x"], axis=1),
        make("MatMul", ["x", "first"], ["a"]),
        make("Tanh", ["a"], ["b"]),
        make("MatMul", ["b", "second"], ["c"]),
        make("ReduceMean", ["c"], ["score"], axes=[1]),
    ]
    inputs = [value(name, onnx.TensorProto.FLOAT, [None, 1]) for name in model.datatypes]
    graph = onnx.helper.make_graph(nodes, "slow", inputs, [value("score", onnx.TensorProto.FLOAT, [None, 1])], weights)
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    tensors = tuple(Tensor(name, "FP32", (-1, 1)) for name in model.datatypes)
    return Form(
        "onnx", {"model.onnx": made.SerializeToString()}, Signature(tensors, (Tensor("score", "FP32", (-1, 1)),), "score")
    )


def swaps(folder: Path, seconds: int) -> Figures:
    """Every answer says by its score which version gave it."""
    artifacts = folder / "artifacts"
    model = served("linear")
    forms = [onnx_form(model)] * 2
    digests = [package(artifacts, model, forms[0], run=f"run-{number}") for number in range(20)]
    broken = list(broken_packages(artifacts, model))
    with data_plane(folder, artifacts, table(in_use(model.name, digests[0]))) as plane, callers(plane, shots(model)) as seen:
        tables = Tables(plane)
        for number in range(100):
            tables.publish(in_use(model.name, digests[(number + 1) % len(digests)]), 0.15)
        swapped = len(seen)
        for digest in broken:
            tables.publish(in_use(model.name, digest), 0.4)
        tables.publish(in_use(model.name, digests[0]), 1.0)
        failed = sum(status != 200 for status in seen)
    return {"swaps": 100, "broken candidates": len(broken), "requests": swapped, "failed": failed, "seconds": seconds}


def broken_packages(artifacts: Path, model: Served) -> Iterator[str]:
    """Damaged files, files that are missing, other answers, no model at all."""
    content = model.converted().content
    signature = model.converted().signature
    for number in range(5):
        yield package(artifacts, model, Form("onnx", {"model.onnx": content[: 100 + number]}, signature), run=f"cut-{number}")
        yield package(artifacts, model, Form("onnx", {"model.onnx": os.urandom(2000)}, signature), run=f"noise-{number}")
        renamed = Signature(signature.inputs, (Tensor("other", "FP32", (-1, 2)),), "other", 1)
        yield package(artifacts, model, Form("onnx", {"model.onnx": content}, renamed), run=f"names-{number}")
        yield f"sha256:{random.Random(number).randbytes(32).hex()}"


def restarts(folder: Path, seconds: int) -> Figures:
    artifacts = folder / "artifacts"
    model = served("linear")
    digest = package(artifacts, model, onnx_form(model))
    log = folder / "data-plane.log"
    serving = data_plane(folder, artifacts, table(in_use(model.name, digest)), arguments=["--grace", "0.2"])
    with serving as plane, callers(plane, shots(model)) as seen:
        for number in range(1, 51):
            os.kill(plane.server.pid, signal.SIGHUP)
            wait(lambda n=number: log.read_text().count("workers replaced") >= n)
        failed = sum(status != 200 for status in seen)
        asked = len(seen)
    return {"rolling restarts": 50, "requests": asked, "failed": failed, "seconds": seconds}


def overload(folder: Path, seconds: int) -> Figures:
    """A peak by a closed loop of 16; then three times as many requests, which do not wait for each other's answers."""
    model = served("forest")
    artifacts = folder / "artifacts"
    fast, slow = package(artifacts, model, onnx_form(model)), costly(artifacts)
    told: Figures = {}
    light = served("linear")
    routes = table(in_use(model.name, fast), in_use(light.name, slow))
    with data_plane(folder, artifacts, routes, arguments=["--queue", "0.1"]) as plane:
        for what, sent in (
            ("forest", shots(model)),
            ("forest, 200 rows", shots(model, 200)),
            ("a model of about a millisecond", shots(light)),
        ):
            load.run(plane.port, sent, 16, 1)
            peak = statistics.median(load.run(plane.port, sent, 16, seconds).rate for _ in range(3))
            with probes(plane.port, sent[0]) as probed:
                seen = load.flood(plane.port, sent, 3 * peak, seconds)
            good = sorted(took for status, took in probed if status == HTTPStatus.OK)
            told[f"{what}: peak, answers/s"] = round(peak)
            told[f"{what}: offered / peak"] = round(seen.rate / peak, 2)
            told[f"{what}: goodput / peak"] = round(seen.good / peak, 3)
            told[f"{what}: refused with 429 / otherwise"] = f"{seen.refused} / {seen.other}"
            told[f"{what}: median of {len(good)} probes answered, ms"] = round(1e3 * statistics.median(good), 1)
            told[f"{what}: slowest of them, ms"] = round(1e3 * good[-1], 1)
    return told


@contextmanager
def probes(port: int, shot: load.Shot) -> Iterator[list[tuple[int, float]]]:
    """One caller that asks some fifty times a second whatever becomes of it: statuses and seconds."""
    seen: list[tuple[int, float]] = []
    over = threading.Event()

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while not over.wait(random.expovariate(50)):
            begun = time.perf_counter()
            connection.request("POST", shot.path, shot.body, dict(shot.headers))
            answer = connection.getresponse()
            answer.read()
            seen.append((answer.status, time.perf_counter() - begun))
        connection.close()

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def costly(artifacts: Path) -> str:
    light = served("linear")
    form = slow_form(light)
    return kept(artifacts, form, columns(light.rows(2)), answers(form, light.rows(2)))


def memory(folder: Path, seconds: int) -> Figures:
    """A matrix of 529 MB in a file of its own, multiplied with each request."""
    artifacts = folder / "artifacts"
    form = matrix_form()
    told: Figures = {"seconds": seconds}
    for workers in (1, 4):
        model = served("linear")
        weights = np.frombuffer(form.files["weights.bin"], np.float32).reshape(11500, 11500)
        score = float((np.ones(11500, np.float32) @ weights).mean())
        digest = kept(artifacts, form, {"x": [1.0] * 11500}, [score], 1e-2)
        place = folder / f"workers-{workers}"
        arguments = ["--workers", str(workers)]
        with data_plane(place, artifacts, table(in_use(model.name, digest)), arguments=arguments) as plane:
            log = place / "data-plane.log"
            wait(lambda n=workers, log=log: log.read_text().count('"package ready"') >= n, 120)
            body = json.dumps({"inputs": [{"name": "x", "shape": [1, 11500], "datatype": "FP32", "data": [1.0] * 11500}]})
            load.run(plane.port, [load.Shot(PATH.format(model.name), body.encode())], 8, 4)
            told[f"{workers} workers, MB (PSS)"] = round(plane.server.memory() / 2**20)
    return told


def matrix_form() -> Form:
    size = 11500
    weights = np.random.default_rng(0).normal(size=(size, size)).astype(np.float32)
    tensor = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[size, size])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "weights.bin"), ("offset", "0"), ("length", str(weights.nbytes))):
        tensor.external_data.add(key=key, value=value)
    nodes = [onnx.helper.make_node("MatMul", ["x", "w"], ["h"]), onnx.helper.make_node("ReduceMean", ["h"], ["score"], axes=[1])]
    inputs = [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, size])]
    outputs = [onnx.helper.make_tensor_value_info("score", onnx.TensorProto.FLOAT, [None, 1])]
    graph = onnx.helper.make_graph(nodes, "matrix", inputs, outputs, [tensor])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    signature = Signature((Tensor("x", "FP32", (-1, size)),), (Tensor("score", "FP32", (-1, 1)),), "score")
    return Form("onnx", {"model.onnx": model.SerializeToString(), "weights.bin": weights.tobytes()}, signature)


def answers(form: Form, rows: Rows) -> list[float]:
    session = onnxruntime.InferenceSession(form.files["model.onnx"], providers=["CPUExecutionProvider"])
    feeds = {name: rows[[name]].to_numpy(np.float32) for name in rows.columns}
    scores: list[float] = session.run(["score"], feeds)[0][:, 0].tolist()
    return scores


@contextmanager
def callers(plane: DataPlane, sent: Sequence[load.Shot], number: int = 2) -> Iterator[list[int]]:
    """Clients that keep their connection as long as the server does. Statuses; 0 for a connection that broke."""
    seen: list[int] = []
    over = threading.Event()

    def call() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", plane.port, timeout=30)
        while not over.is_set():
            shot = random.choice(sent)
            try:
                connection.request("POST", shot.path, shot.body, dict(shot.headers))
                answer = connection.getresponse()
                answer.read()
                seen.append(answer.status)
            except (OSError, http.client.HTTPException):
                seen.append(0)
                connection.close()
        connection.close()

    threads = [threading.Thread(target=call) for _ in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()


def hosts(server: Server) -> list[int]:
    return [pid for pid in server.members() if b"isolation.host" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@contextmanager
def stopped(pids: Sequence[int]) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # whoever is silent for too long is killed
                os.kill(pid, signal.SIGCONT)


def wait(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise SystemExit("it did not come about")
        time.sleep(0.02)


def ratio(values: Sequence[float]) -> str:
    """The median with its 95 % interval, from the order of the values (binomial)."""
    ordered = sorted(values)
    n = len(ordered)
    rank = max(0, math.floor(n / 2 - 0.98 * math.sqrt(n)))
    return f"{statistics.median(ordered):.3f} [{ordered[rank]:.3f}, {ordered[n - 1 - rank]:.3f}] of {n} pairs"


PARTS = {"shadow": shadow, "swaps": swaps, "restarts": restarts, "overload": overload, "memory": memory}


def main() -> None:
    asked = argparse.ArgumentParser(prog="python -m benchmarks.serving.trouble", description=__doc__)
    asked.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (default: all)")
    asked.add_argument("--seconds", type=int, default=3, help="of each measurement (default: %(default)s)")
    given = asked.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        asked.error(f"unknown: {', '.join(sorted(unknown))}")
    for name in given.parts or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            print(f"\n{name}", flush=True)
            for what, figure in PARTS[name](Path(folder), given.seconds).items():
                print(f"  {what}: {figure}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
