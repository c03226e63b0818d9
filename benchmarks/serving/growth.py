"""How Lockgate's cost grows with its work: models that are loaded, and rows in one request, in each form that it takes them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.serving import dialects
from benchmarks.serving.asking import Wrong, check
from benchmarks.serving.compare import loaded, started
from benchmarks.serving.contestants import OWN
from benchmarks.serving.contestants.kind import Contestant, Place, Started
from benchmarks.serving.load import Shot
from benchmarks.serving.models import Rows, Served
from benchmarks.serving.packages import onnx_form, package
from benchmarks.serving.plane import data_plane, in_use, table

MODELS = (1, 10, 100)
ROWS = (1, 10, 100, 1_000, 10_000)
COLUMNS = "JSON, columns"
_FORMS = {COLUMNS: dialects.protocol_columns, "JSON, rows": dialects.instances, "binary": dialects.protocol_binary}
_MEASURED = {"bare": (COLUMNS,), "lockgate": tuple(_FORMS)}
_CONNECTIONS = {"models": 16, "rows": 4}
_PREPARED = 2_000  # rows, over all bodies of one size
_LOADING = 300.0  # seconds until all packages are ready


@dataclass(frozen=True, slots=True)
class Step:
    """size: models loaded, or rows in a request. rate: answers a second. Times in seconds. memory: bytes, after this step."""

    growing: str  # models | rows
    server: str
    form: str
    model: str
    size: int
    repetition: int
    rate: float
    rows_rate: float
    p50: float
    p99: float
    failed: int
    processor: float
    memory: int
    others: float | None = None


@dataclass(frozen=True, slots=True)
class Grown:
    """skipped: what could not be asked, and why."""

    steps: tuple[Step, ...]
    skipped: tuple[str, ...]


def grow(models: Sequence[Served], seconds: float, repetitions: int, cache: Path) -> Grown:
    steps: list[Step] = []
    skipped: dict[str, str] = {}
    for repetition in range(repetitions):
        for model in models:
            steps += [_tell(_with_models(model, size, seconds, repetition)) for size in MODELS]
            for contestant in OWN:
                if contestant.name in _MEASURED and contestant.takes(model):
                    steps += _with_rows(contestant, model, seconds, repetition, cache, skipped)
    return Grown(tuple(steps), tuple(f"{form}: {reason}" for form, reason in skipped.items()))


def _with_models(model: Served, size: int, seconds: float, repetition: int) -> Step:
    """One-row requests to so many models in turn. The same model under other names: every one is loaded for itself."""
    names = [f"{model.name}-{number}" for number in range(size)]
    asked = _bodies(model, 1)
    with tempfile.TemporaryDirectory() as folder:
        artifacts, form = Path(folder) / "artifacts", onnx_form(model)
        routes = [in_use(name, package(artifacts, model, form, name=name)) for name in names]
        with data_plane(Path(folder), artifacts, table(*routes), ready=_LOADING) as plane:
            spoken = [dialects.protocol_columns(f"/v2/models/{name}/infer") for name in names]
            for dialect in spoken:
                check(plane.port, model, dialect, asked[:1])
            shots = [spoken[number % size].shot(rows) for number, rows in enumerate(asked * max(1, size // len(asked)))]
            running = Started(plane.port, plane.server, plane)
            step = partial(Step, "models", "lockgate", COLUMNS, model.name, size, repetition)
            return _measured(step, running, shots, "models", 1, seconds)


def _with_rows(
    contestant: Contestant, model: Served, seconds: float, repetition: int, cache: Path, skipped: dict[str, str]
) -> Iterator[Step]:
    path = f"/v2/models/{model.name}/infer"
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder), cache, model)
        with started(contestant, place, contestant.dialect(model)) as running:
            for form in _MEASURED[contestant.name]:
                for size in ROWS:
                    dialect, asked = _FORMS[form](path), _bodies(model, size)
                    try:
                        check(running.port, model, dialect, asked)
                    except Wrong as wrong:
                        skipped[f"{contestant.name}, {form}, {size:,} rows"] = str(wrong)
                        break
                    shots = [dialect.shot(rows) for rows in asked]
                    step = partial(Step, "rows", contestant.name, form, model.name, size, repetition)
                    yield _tell(_measured(step, running, shots, "rows", size, seconds))


def _measured(step: partial[Step], running: Started, shots: Sequence[Shot], growing: str, rows: int, seconds: float) -> Step:
    loaded(running, shots, _CONNECTIONS[growing], 1.0)  # warm
    one = loaded(running, shots, _CONNECTIONS[growing], seconds)
    seen, memory = one.seen, running.server.memory()
    return step(seen.rate, seen.rate * rows, seen.p50, seen.p99, seen.failed, one.processor, memory, one.others)


def _bodies(model: Served, size: int) -> list[Rows]:
    count = max(2, min(50, _PREPARED // size))
    rows = model.rows(count * size)
    return [rows.iloc[number * size : (number + 1) * size] for number in range(count)]


def _tell(step: Step) -> Step:
    what = f"{step.repetition + 1} {step.model:<8} {step.server:<9} {step.form:<14} {step.size:>6,} {step.growing:<6}"
    print(f"  {what} {step.rows_rate:>9,.0f} rows/s  p50 {1e3 * step.p50:>8.2f} ms  {step.memory >> 20:>5} MB", flush=True)
    return step
