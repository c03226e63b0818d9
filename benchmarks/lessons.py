"""What lessons and labels cost on their way: `python -m benchmarks.lessons [worker] [controller] [pause]`.

worker: lessons that one worker takes in, by wrk, of a model with eight numbers and two texts. controller: lessons that it writes
into the log, SQLite on disk. pause: how long the event loop stands still while many labels come in one body, read in it and in
the thread for large ones.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

import msgspec
import uvloop

from benchmarks.serving import load
from benchmarks.serving.models import served
from benchmarks.serving.packages import columns, onnx_form, package
from benchmarks.serving.plane import data_plane, in_use, table
from lockgate.boundary.observations import Block, Lesson
from lockgate.boundary.predictions import Mint, Prediction
from lockgate.boundary.routes import Revision
from lockgate.domain.learning import Learning
from lockgate.integrations.sql.state import SqlState
from lockgate.kernel.clock import SystemClock
from lockgate.ports.state import INBOX, LEARNINGS, Received
from lockgate.serving.capture.figures import FigureFiles, Figures
from lockgate.serving.capture.flusher import Flusher
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.capture.records import RecordLog
from lockgate.serving.capture.spool import Spool
from lockgate.serving.gateway import accepting
from lockgate.serving.gateway.intake import LARGE
from lockgate.serving.gateway.labels import LabelDesk
from lockgate.usecases.take_observations import anything_waits, take_observations

SECONDS = 3.0
ROUNDS = 3
SECRET = b"k" * 32
LABELS = 150_000
SWITCH = 0.0005  # seconds, as in a worker


def worker(folder: Path) -> None:
    model = served("flights")
    route = msgspec.structs.replace(in_use(model.name, package(folder / "artifacts", model, onnx_form(model))), learns=True)
    with data_plane(folder, folder / "artifacts", table(route)) as plane:
        for rows in (1, 100):
            shots = [_shot(model.name, columns(model.rows(rows, seed=seed))) for seed in range(20)]
            for connections in (1, 16):
                for _ in range(ROUNDS):
                    before = plane.server.processor_time()
                    got = load.run(plane.port, shots, connections, SECONDS)
                    each = (plane.server.processor_time() - before) / got.answers
                    told = (
                        f"{got.rate:6.0f}/s, p50 {1e3 * got.p50:.2f} ms, p99 {1e3 * got.p99:.1f} ms, CPU {1e6 * each:.0f} µs each"
                    )
                    print(f"{rows:3} rows, {connections:2} connections: {told}, {got.failed} failed", flush=True)


def _shot(model: str, values: dict[str, list[object]]) -> load.Shot:
    rows = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    body = json.dumps({"instances": rows, "labels": [number % 2 for number in range(len(rows))]})
    return load.Shot(f"/v2/models/{model}/learn", body.encode())


def controller(folder: Path) -> None:
    for rows, lessons in ((1, 20_000), (100, 4000)):
        state = SqlState.open(folder / f"{rows}.db")
        with state.write() as tx:
            tx.put(LEARNINGS, Learning("m", "course", 1, 0, 0, 1, 0, 1))
        seconds = 0.0
        for sequence in range(1, lessons // 100 + 1):
            with state.write() as tx:
                block = Block("w", "i", sequence, 0.0, 1.0, lessons=tuple(_lesson(rows) for _ in range(100)))
                tx.add(INBOX, Received("w", "i", sequence, block))
            if sequence % 20 == 0:
                seconds += _timed(lambda state=state: _drain(state))
        print(f"lessons of {rows} rows: {lessons / seconds:.0f} lessons/s, {rows * lessons / seconds:.0f} rows/s", flush=True)


def _lesson(rows: int) -> Lesson:
    values = {f"x{number}": [random.random() for _ in range(rows)] for number in range(10)}
    return Lesson(f"{random.getrandbits(128):032x}", "m", 1, values, (1.0,) * rows, 1.0)


def _drain(state: SqlState) -> None:
    waits = True
    while waits:
        with state.write() as tx:
            take_observations(tx)
            waits = anything_waits(tx)


def _timed(do: Callable[[], None]) -> float:
    begun = perf_counter()
    do()
    return perf_counter() - begun


def pause(folder: Path) -> None:
    mint = Mint(SECRET, "m")
    labels = [{"prediction_id": mint(Prediction(1, Revision(1, 1), n, 0.5, 1.0, n)), "label": 1} for n in range(LABELS)]
    body = json.dumps(labels).encode()
    sys.setswitchinterval(SWITCH)
    gc.freeze()  # as a worker does: what the benchmark has loaded would be looked through again and again
    gc.set_threshold(50_000, 20, 50)
    for number in range(ROUNDS):
        for where, large in (("in the loop", len(body) + 1), ("in the thread", LARGE)):
            accepting.LARGE = large
            longest, idle = uvloop.run(_pauses(folder / f"{number}-{large}", body))
            told = f"longest pause {1e3 * longest:.0f} ms, without it {1e3 * idle:.0f} ms"
            print(f"{LABELS} labels, {len(body) / 1e6:.0f} MB, {where}: {told}", flush=True)


async def _pauses(home: Path, body: bytes) -> tuple[float, float]:
    """The longest of an event loop, in seconds: while the labels are taken in, and in the second before."""
    gaps: list[float] = []
    clock, desk = SystemClock(), _desk(home, ThreadPoolExecutor(1))
    beating = asyncio.ensure_future(_beat(gaps))
    await asyncio.sleep(1.0)
    idle = max(gaps)
    gaps.clear()
    answer = await LabelDesk(desk, SECRET, clock).take("m", body)
    await asyncio.sleep(0.1)
    beating.cancel()
    if answer.status != 202:
        raise SystemExit(f"refused: {answer.body!r}")
    return max(gaps), idle


async def _beat(gaps: list[float]) -> None:
    last = perf_counter()
    while True:
        await asyncio.sleep(0.0005)
        now = perf_counter()
        gaps.append(now - last)
        last = now


def _desk(home: Path, large: Executor) -> accepting.Accepting:
    clock = SystemClock()
    spool = Spool.create(home / "spool", "w", "i")
    ledger = Ledger("w", "i", Figures(), clock.unix(), spool.book)
    records, files = RecordLog(home / "records", "i", spool.book), FigureFiles(home / "figures", "w")
    flusher = Flusher(ledger, records, spool, files, ThreadPoolExecutor(1), clock, lambda: None)
    return accepting.Accepting(flusher, ledger, large)


def main() -> None:
    parts = {"worker": worker, "controller": controller, "pause": pause}
    for name in sys.argv[1:] or parts:
        with tempfile.TemporaryDirectory() as folder:
            print(f"--- {name}", flush=True)
            parts[name](Path(folder))


if __name__ == "__main__":
    main()
