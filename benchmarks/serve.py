"""What the gateway costs: requests a second with routing, a 10 % canary, records and metrics, beside a bare handler.

`python -m benchmarks.serve [--seconds 3] [--repetitions 5] [--json]`. Both sides run one process on one core, with the same model
on the same runtime; the load generator has another core where there is one. Repetitions are interleaved, so that whatever else
the machine does hits both; the figures are medians.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

from benchmarks import load
from benchmarks.control_plane import ControlPlane
from lockgate.boundary.manifest import File, Golden, Lineage, Manifest, Signature, Tensor, encode
from lockgate.boundary.routes import Arm, Revision, Role, Route, RouteTable, Thresholds
from lockgate.kernel.digest import PREFIX, digest_bytes

MODEL = "flight-delay"
PATH = f"/v2/models/{MODEL}/infer"
NUMBERS = ("month", "day", "hour", "distance", "dep_delay", "temp", "wind_speed", "precip")
NAMES = {"carrier": ("AA", "B6", "DL", "EV", "UA", "US"), "origin": ("EWR", "JFK", "LGA")}
CONNECTIONS = (1, 16, 64)
TARGET = 5000.0  # requests a second on one core
GROWTH = {1: 60, 2: 80}  # version → trees


def rows(count: int) -> pd.DataFrame:
    chance = np.random.default_rng(7)
    numbers = {name: chance.normal(size=count).astype(np.float32) for name in NUMBERS}
    return pd.DataFrame(numbers | {name: chance.choice(values, size=count) for name, values in NAMES.items()})


def onnx_model(trees: int) -> bytes:
    """A gradient-boosted classifier behind encoded strings: what a team would serve."""
    data = rows(4000)
    late = (data["dep_delay"] + 0.5 * data["wind_speed"] + (data["carrier"] == "EV") > 0.8).astype(int)
    encoder = ColumnTransformer([("names", OrdinalEncoder(), list(NAMES))], remainder="passthrough")
    pipeline = Pipeline([("encode", encoder), ("model", HistGradientBoostingClassifier(max_iter=trees))]).fit(data, late)
    types = [(name, FloatTensorType([None, 1])) for name in NUMBERS] + [(name, StringTensorType([None, 1])) for name in NAMES]
    converted: bytes = to_onnx(pipeline, initial_types=types, options={"zipmap": False}, target_opset=17).SerializeToString()
    return converted


def columns(data: pd.DataFrame) -> dict[str, list[Any]]:
    return {name: data[name].tolist() for name in (*NUMBERS, *NAMES)}


def package(artifacts: Path, content: bytes) -> str:
    tensors = [Tensor(name, "FP32", (-1, 1)) for name in NUMBERS] + [Tensor(name, "BYTES", (-1, 1)) for name in NAMES]
    signature = Signature(tuple(tensors), (Tensor("probabilities", "FP32", (-1, 2)),), "probabilities", 1)
    golden = columns(rows(3))
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    feeds = {
        one.name: np.array(golden[one.name], dtype="f4" if one.datatype == "FP32" else "O").reshape(-1, 1) for one in tensors
    }
    scores = session.run(["probabilities"], feeds)[0][:, 1].tolist()
    file = File("model.onnx", _keep(artifacts, content), len(content))
    lineage = Lineage("run", None, dirty=False, author="benchmark", data={}, params={})
    return _keep(artifacts, encode(Manifest(MODEL, "onnx", (file,), signature, Golden(golden, scores, 1e-5), lineage)))


def _keep(artifacts: Path, content: bytes) -> str:
    digest = digest_bytes(content)
    digits = digest.removeprefix(PREFIX)
    path = artifacts / digits[:2] / digits[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return digest


def bodies(count: int) -> list[bytes]:
    data = columns(rows(count))
    return [json.dumps({"inputs": [_tensor(name, data[name][row]) for name in data]}).encode() for row in range(count)]


def _tensor(name: str, value: object) -> dict[str, object]:
    return {"name": name, "datatype": "BYTES" if name in NAMES else "FP32", "shape": [1, 1], "data": [value]}


@contextmanager
def process(argv: list[str], port: int, ready: str, core: int) -> Iterator[None]:
    def pin() -> None:
        os.sched_setaffinity(0, {core})

    pinned = pin if hasattr(os, "sched_setaffinity") else None
    started = subprocess.Popen(argv, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, preexec_fn=pinned)  # noqa: PLW1509
    try:
        _wait(port, ready)
        yield
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait(20)


def _wait(port: int, path: str) -> None:
    for _ in range(400):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5):
                return
        except urllib.error.HTTPError as error:
            if error.code != 503:  # the bare handler knows no GET: it lives
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise SystemExit(f"nothing is ready on port {port}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measure(folder: Path, seconds: float, repetitions: int) -> dict[str, dict[int, list[load.Measured]]]:
    models = {version: onnx_model(trees) for version, trees in GROWTH.items()}
    (folder / "champion.onnx").write_bytes(models[1])
    digests = {version: package(folder / "artifacts", content) for version, content in models.items()}
    arms = Arm(2, digests[2], Role.CANARY, 0.1), Arm(1, digests[1], Role.CHAMPION, 0.9)
    thresholds = Thresholds(1, (0.5, 0.95, 0.99), (0.001,) * 3, (0.003,) * 3)
    table = RouteTable(Revision(1, 1), (Route(MODEL, arms, "salt", "header:x-user-id", "rollout", thresholds),))
    secrets = folder / "secrets"
    secrets.mkdir()
    (secrets / "prediction.key").write_bytes(random.randbytes(32))
    (secrets / "control.token").write_text("token")
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    if len(cores) > 1:
        os.sched_setaffinity(0, set(cores[1:]))
    bare, full = free_port(), free_port()
    sent = bodies(50)
    results: dict[str, dict[int, list[load.Measured]]] = {side: {c: [] for c in CONNECTIONS} for side in ("bare", "gateway")}
    with ExitStack() as stack:
        control = stack.enter_context(ControlPlane(table).serving())
        places = ["--home", folder / "home", "--artifacts", folder / "artifacts", "--secrets", secrets]
        argv = ["-m", "lockgate.serving", "--port", full, "--control", f"http://127.0.0.1:{control.server_port}", *places]
        stack.enter_context(process([sys.executable, *map(str, argv)], full, "/v2/health/ready", cores[0]))
        argv = ["-m", "benchmarks.bare", bare, folder / "champion.onnx"]
        stack.enter_context(process([sys.executable, *map(str, argv)], bare, "/", cores[0]))
        for port in (bare, full):
            load.run(port, PATH, sent, 16, 1)  # warm
        for _ in range(repetitions):
            for connections in CONNECTIONS:
                for side, port in (("bare", bare), ("gateway", full)):
                    results[side][connections].append(load.run(port, PATH, sent, connections, seconds))
    return results


def report(results: dict[str, dict[int, list[load.Measured]]]) -> list[dict[str, float]]:
    lines = []
    for connections in CONNECTIONS:
        bare, full = results["bare"][connections], results["gateway"][connections]
        lines.append(
            {
                "connections": connections,
                "bare_per_s": median(one.rate for one in bare),
                "gateway_per_s": median(one.rate for one in full),
                "ratio": median(two.rate / one.rate for one, two in zip(bare, full, strict=True)),
                "bare_p99_ms": 1e3 * median(one.p99 for one in bare),
                "gateway_p99_ms": 1e3 * median(one.p99 for one in full),
                "failed": sum(one.failed for one in full),
            }
        )
    return lines


def main() -> None:
    asked = argparse.ArgumentParser(prog="python -m benchmarks.serve", description=__doc__)
    asked.add_argument("--seconds", type=float, default=3.0)
    asked.add_argument("--repetitions", type=int, default=5)
    asked.add_argument("--json", action="store_true")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lines = report(measure(Path(folder), given.seconds, given.repetitions))
    if given.json:
        print(json.dumps(lines))
        return
    print(f"one-row requests a second, one core, medians of {given.repetitions} interleaved repetitions of {given.seconds:g} s")
    print("connections      bare   gateway   ratio   p99 bare   p99 gateway   failed")
    for line in lines:
        print(
            f"{line['connections']:>11} {line['bare_per_s']:>9.0f} {line['gateway_per_s']:>9.0f} {line['ratio']:>7.2f}"
            f" {line['bare_p99_ms']:>7.2f} ms {line['gateway_p99_ms']:>10.2f} ms {line['failed']:>8}"
        )
    best = max(line["gateway_per_s"] for line in lines)
    print(f"target {TARGET:.0f} a second on one core: {'reached' if best >= TARGET else 'MISSED'} ({best:.0f})")


if __name__ == "__main__":
    main()
