"""Model packages as `lockgate run` makes them, put into a folder of artifacts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.serving.models import Rows, Served
from lockgate.boundary.manifest import File, Golden, Lineage, Manifest, Signature, encode
from lockgate.kernel.digest import digest_bytes, digits

GOLDEN_ROWS = 32
_TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True)
class Form:
    """A model in the form that one runtime takes: its files by name, what goes in and comes out, how its runtime calls it."""

    runtime: str
    files: dict[str, bytes]
    signature: Signature
    options: dict[str, object] = field(default_factory=dict)


def onnx_form(model: Served) -> Form:
    converted = model.converted()
    return Form("onnx", {"model.onnx": converted.content}, converted.signature)


def package(artifacts: Path, model: Served, form: Form, *, name: str | None = None, run: str = "run") -> str:
    """Write the package and return its digest. Another `run` makes another package of the same model."""
    rows = model.rows(GOLDEN_ROWS, seed=13)
    return kept(artifacts, form, columns(rows), model.probabilities(rows).tolist(), name=name or model.name, run=run)


def kept(
    artifacts: Path,
    form: Form,
    rows: dict[str, list[object]],
    scores: list[float],
    tolerance: float = _TOLERANCE,
    *,
    name: str = "linear",
    run: str = "run",
) -> str:
    """The same for any model, with its golden rows and their scores."""
    files = tuple(File(file, _kept(artifacts, content), len(content)) for file, content in form.files.items())
    lineage = Lineage(run, None, dirty=False, author="benchmark", data={}, params={})
    golden = Golden(rows, scores, tolerance)
    return _kept(artifacts, encode(Manifest(name, form.runtime, files, form.signature, golden, lineage, options=form.options)))


def columns(rows: Rows) -> dict[str, list[object]]:
    """Plain values. Numbers are the four decimals that were meant, not the nearest FP32 written out."""
    return {str(name): [_plain(value) for value in rows[name]] for name in rows.columns}


def _plain(value: str | float) -> str | float:
    return value if isinstance(value, str) else round(float(value), 4)


def _kept(artifacts: Path, content: bytes) -> str:
    digest = digest_bytes(content)
    name = digits(digest)
    path = artifacts / name[:2] / name[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return digest
