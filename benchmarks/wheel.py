"""What a model costs in the program that embeds it: `python -m benchmarks.wheel`. Of the flights' model, as a wheel.

cold start: a fresh process of an environment with the wheel and what it requires alone, from its start to its first answer. row:
`predict` of one dict, beside onnxruntime's own `run` of the same feeds, in turns. rows: `predict` of a data frame.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import onnxruntime

from benchmarks.serving.models import Served, served
from benchmarks.serving.packages import columns, onnx_form, package
from lockgate.boundary.manifest import decode
from lockgate.boundary.releases import Release
from lockgate.domain.forms import Contents
from lockgate.embedded.model import Model
from lockgate.integrations.wheel.builder import WheelBuilder
from lockgate.kernel.digest import digits
from lockgate.testing.signer import KeySigner

STARTS = 15
ROUNDS = 15
TURNS = 60
CALLS = 500
FRAMES = (1, 100, 10_000)
ROWS = 20


def contents(folder: Path, model: Served) -> Contents:
    digest = package(folder, model, onnx_form(model))
    stored = _place(folder, digest).read_bytes()
    manifest = decode(stored, digest)
    files = {file.name: _place(folder, file.digest) for file in manifest.files}
    return Contents(Release(model.name, 1, digest), manifest, stored, files, {})


def _place(folder: Path, digest: str) -> Path:
    return folder / digits(digest)[:2] / digits(digest)[2:]


def cold_start(builder: WheelBuilder, wheel: Path, one: Contents) -> None:
    first = builder.ask(wheel, one)  # installs what it requires, and warms the files
    print(first.environment)
    starts = [builder.ask(wheel, one).cold_start for _ in range(STARTS)]
    bare = [_timed(lambda: subprocess.run([sys.executable, "-I", "-c", "pass"], check=True)) for _ in range(STARTS)]
    print(f"cold start to the first answer: {_told(starts, 1e3, 'ms')}; the interpreter alone {_told(bare, 1e3, 'ms')}")


def row(model: Model, content: bytes, asked: Sequence[dict[str, Any]]) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    kinds = {one.name: np.object_ if one.datatype == "BYTES" else np.float32 for one in model.signature.inputs}
    fed = [{name: np.array([[value]], kinds[name]) for name, value in one.items()} for one in asked]
    ours, theirs = [], []
    for _ in range(TURNS):
        theirs.append(_each(lambda feeds: session.run(None, feeds), fed))
        ours.append(_each(model.predict, asked))
    over = [one - other for one, other in zip(ours, theirs, strict=True)]
    print(f"one row: predict {_told(ours, 1e6, 'µs')}, onnxruntime's run {_told(theirs, 1e6, 'µs')}")
    print(f"one row, predict over onnxruntime's run: {_told(over, 1e6, 'µs')}")


def rows(model: Model, source: Served) -> None:
    for count in FRAMES:
        frame = source.rows(count)
        took = [_timed(partial(model.predict, frame)) for _ in range(ROUNDS)]
        print(f"a data frame of {count:,} rows: {_told(took, 1e3, 'ms')}, {count / statistics.median(took):,.0f} rows/s")


def _each(call: Callable[[Any], Any], given: Sequence[Any]) -> float:
    """Seconds of one call."""
    begun = perf_counter()
    for number in range(CALLS):
        call(given[number % len(given)])
    return (perf_counter() - begun) / CALLS


def _timed(call: Callable[[], Any]) -> float:
    begun = perf_counter()
    call()
    return perf_counter() - begun


def _told(values: Sequence[float], scale: float, unit: str) -> str:
    """Median, least and most."""
    median, least, most = (scale * value for value in (statistics.median(values), min(values), max(values)))
    return f"{median:.1f} {unit} ({least:.1f}–{most:.1f})"


def main() -> None:
    source = served("flights")
    with tempfile.TemporaryDirectory(prefix="lockgate-wheel-") as name:
        folder = Path(name)
        one = contents(folder / "artifacts", source)
        builder = WheelBuilder(KeySigner(), folder / "cache")
        begun = perf_counter()
        wheel = builder.build([one], folder)
        print(f"{wheel.name}: {wheel.stat().st_size / 1024:.0f} KiB, built in {1e3 * (perf_counter() - begun):.0f} ms")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder / "site")
        model = Model.open(folder / "site" / source.name / "_model")
        values = columns(source.rows(ROWS))
        asked = [dict(zip(values, each, strict=True)) for each in zip(*values.values(), strict=True)]
        row(model, one.files["model.onnx"].read_bytes(), asked)
        rows(model, source)
        cold_start(builder, wheel, one)


if __name__ == "__main__":
    main()
