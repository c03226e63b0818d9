"""How long a program that follows a channel is held up by a swap, and how fast a large artifact is published and fetched.

    python -m benchmarks.channels [--only swap transfer] [--gigabytes 1]

swap: one thread predicts without a pause while versions are swapped under it; a gap is the time between two answers. transfer: an
artifact is laid down in a folder (`channel publish`) and fetched by a subscriber's fetching, from the folder and over loopback
from the control plane's web server, in a process of its own. Each fetch hashes once, as the bytes come, and flushes to the disk.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import cast

import numpy as np
from msgspec import structs
from onnx import ModelProto, TensorProto, helper, numpy_helper

from lockgate.boundary import statements
from lockgate.boundary.manifest import File, Golden, Lineage, Manifest, Signature, Tensor, encode
from lockgate.boundary.pointers import Pointer, publish
from lockgate.boundary.releases import Release
from lockgate.boundary.routes import Arm, Revision, Role, Route
from lockgate.client import Subscriber
from lockgate.client.fetching import Fetching
from lockgate.client.http_source import HttpSource
from lockgate.client.kept import Kept
from lockgate.client.sources import FolderSource, Source
from lockgate.integrations.local.artifacts import LocalArtifacts
from lockgate.integrations.local.channels import LocalChannels
from lockgate.testing.signer import KeySigner
from lockgate.usecases.export_channel import export_channel

MODEL, CHANNEL, TOKEN = "wide", "wide@production", "benchmark"
SIGNER = KeySigner("benchmark")
SWAPS = 20
HIDDEN = 1500  # units of two layers: 11 MB of weights
INPUTS = 30


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", choices=("swap", "transfer"), default=("swap", "transfer"))
    parser.add_argument("--gigabytes", type=float, default=1.0)
    chosen = parser.parse_args()
    with TemporaryDirectory(prefix="lockgate-channels-") as folder:
        if "swap" in chosen.only:
            swap(Path(folder) / "swap")
        if "transfer" in chosen.only:
            transfer(Path(folder) / "transfer", int(chosen.gigabytes * 1e9))


def swap(folder: Path) -> None:
    release_of(folder, 1, dense(1))
    put(folder, 1, 1)
    with Subscriber(CHANNEL, folder, keys=SIGNER.public_key, folder=folder / "kept", interval=0.05) as model:
        gaps, wrong, done = [], 0, 0
        row = {f"x{place}": 0.5 for place in range(INPUTS)}
        for n in range(2, SWAPS + 2):
            release_of(folder, n, dense(n))
            put(folder, n, n)
            last = time.perf_counter()
            while model.version != n:
                model.predict(row)
                now = time.perf_counter()
                gaps.append(now - last)
                last, done = now, done + 1
            wrong += bool(model.faults)
    found = np.array(gaps)
    print(f"swap: {SWAPS} swaps of a model of {len(dense(1)) / 1e6:.0f} MB under {done} predictions, {wrong} faults")
    print(f"  longest gap {found.max() * 1e3:.1f} ms, 99.9 % below {np.quantile(found, 0.999) * 1e3:.2f} ms, ", end="")
    print(f"median {np.median(found) * 1e3:.3f} ms")


def transfer(folder: Path, size: int) -> None:
    digest = release_of(folder, 1, b"", beside=os.urandom(1 << 20) * max(1, size >> 20))
    size = LocalArtifacts(folder / "artifacts").path(digest).stat().st_size
    put(folder, 1, 1)
    say("hash alone", size, lambda: hashlib.file_digest(path_of(folder, digest).open("rb"), "sha256"))
    say("publish to a folder (second names, verified)", size, lambda: export(folder, folder / "site"))
    fetched("fetch from a folder", folder, FolderSource(folder), digest, size)
    with control_plane(folder) as address:
        fetched("fetch over loopback HTTP", folder, HttpSource(address, TOKEN), digest, size)


def fetched(name: str, folder: Path, source: Source, digest: str, size: int) -> None:
    for _ in range(2):
        rmtree(folder / "kept", ignore_errors=True)
        fetching = Fetching(Kept(folder / "kept", CHANNEL), source, lambda: False)
        say(name, size, lambda fetching=fetching: fetching.fetch(digest, size, size))
    source.close()


def say(name: str, size: int, do: Callable[[], object]) -> None:
    begun, cpu = time.perf_counter(), time.process_time()
    do()
    seconds, busy = time.perf_counter() - begun, time.process_time() - cpu
    print(f"{name}: {size / 1e6 / seconds:.0f} MB/s ({seconds:.2f} s, of which {busy:.2f} s of processor here)", flush=True)


def export(folder: Path, site: Path) -> None:
    source, target = LocalChannels(folder / "channels"), LocalChannels(site / "channels")
    export_channel(CHANNEL, source, LocalArtifacts(folder / "artifacts"), target, site / "artifacts")


def path_of(folder: Path, digest: str) -> Path:
    return LocalArtifacts(folder / "artifacts").path(digest)


def release_of(folder: Path, version: int, model: bytes, beside: bytes = b"") -> str:
    """Puts a signed version into the folder; the digest of its last file."""
    store = LocalArtifacts(folder / "artifacts")
    contents = {name: content for name, content in (("model.onnx", model), ("beside.bin", beside)) if content}
    files = tuple(File(name, store.put(content), len(content)) for name, content in contents.items())
    inputs = tuple(Tensor(f"x{place}", "FP32", (-1, 1)) for place in range(INPUTS))
    golden = Golden({one.name: [0.5] for one in inputs}, [0.0], 1e9)
    signature = Signature(inputs, (Tensor("score", "FP32", (-1, 1)),), "score")
    manifest = Manifest(MODEL, "onnx", files, signature, golden, Lineage("run", None, dirty=False, author="", data={}, params={}))
    digest = store.put(encode(manifest))
    paper = store.put(statements.say({"manifest.json": digest}, statements.PROVENANCE, {}, SIGNER))
    RELEASES[version] = Release(MODEL, version, digest, paper)
    return files[-1].digest


RELEASES: dict[int, Release] = {}


def put(folder: Path, n: int, version: int) -> None:
    release = RELEASES[version]
    route = Route(MODEL, (Arm(version, release.digest, Role.CHAMPION, 1.0, release.provenance),))
    pointer = Pointer(CHANNEL, Revision(0, n), route, (release,), 0.0)
    LocalChannels(folder / "channels").write(CHANNEL, publish(structs.replace(pointer, issued_at=float(n)), SIGNER))


def dense(seed: int) -> bytes:
    """Two wide layers of other weights for each seed."""
    random = np.random.default_rng(seed)
    shapes = {"a": (INPUTS, HIDDEN), "b": (HIDDEN, HIDDEN), "c": (HIDDEN, 1)}
    weights = [numpy_helper.from_array(random.normal(0, 0.01, shape).astype(np.float32), name) for name, shape in shapes.items()]
    names = [f"x{place}" for place in range(INPUTS)]
    nodes = [helper.make_node("Concat", names, ["x"], axis=1), helper.make_node("MatMul", ["x", "a"], ["ha"])]
    nodes += [helper.make_node("Relu", ["ha"], ["ra"]), helper.make_node("MatMul", ["ra", "b"], ["hb"])]
    nodes += [helper.make_node("Relu", ["hb"], ["rb"]), helper.make_node("MatMul", ["rb", "c"], ["score"])]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in [*names, "score"]]
    graph = helper.make_graph(nodes, "wide", ends[:-1], ends[-1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return cast("bytes", ModelProto.SerializeToString(model))


SERVER = """
import sys
from pathlib import Path
import uvicorn
from lockgate.entrypoints.api.app import create_app
from lockgate.integrations.sql.state import SqlState
from lockgate.kernel.clock import SystemClock
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.usecases.world import World
folder = Path(sys.argv[1])
world = World(SqlState.open(folder / "state.db"), MemoryArtifacts(), SystemClock())
server = uvicorn.Server(uvicorn.Config(create_app(world, home=folder, control_token=sys.argv[2]), port=0, log_level="error"))
config = server.config
import asyncio, threading, time
def tell():
    while not server.started:
        time.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
threading.Thread(target=tell, daemon=True).start()
server.run()
"""


@contextmanager
def control_plane(folder: Path) -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-c", SERVER, str(folder), TOKEN], stdout=subprocess.PIPE, text=True) as process:
        try:
            told = process.stdout.readline() if process.stdout is not None else ""
            yield f"http://127.0.0.1:{int(told)}"
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
