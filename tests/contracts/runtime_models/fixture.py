"""What a module of this folder offers for its runtime, and the means to make it: a package on disk and its library's answers.

A module is named like its runtime. It has `LIBRARY`, the name by which the library is imported (None if the runtime needs none
but what every server has), and `make(folder) -> Fixture`; if it has several models, `MAKERS`, a tuple of such functions.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lockgate.boundary.manifest import File, Golden, Lineage, Manifest, Signature, Tensor, encode
from lockgate.integrations.local.artifacts import LocalArtifacts
from lockgate.runtimes.frames import feeds_of

Columns = dict[str, list[Any]]


@dataclass(frozen=True)
class Fixture:
    """A package in `artifacts` under `digest`, rows (columns by input, laid flat) and, for each output, what the library says.

    tolerance: how far answers may be from the library's. raising: rows that the signature accepts and the model raises on, if
    there are such. knows_names: whether the model knows its inputs by name, so that a signature with others is refused.
    knows_options: whether the runtime reads options, so that unknown ones are refused.
    """

    artifacts: Path
    digest: str
    manifest: Manifest
    rows: Columns
    expected: list[NDArray[Any]]
    tolerance: float = 0.0
    raising: Columns | None = None
    knows_names: bool = True
    knows_options: bool = True

    def feeds(self, rows: Columns | None = None) -> dict[str, NDArray[Any]]:
        """Nobody may write into them, as into those that lie in shared memory."""
        feeds = feeds_of(self.manifest.signature, self.rows if rows is None else rows)
        for feed in feeds.values():
            feed.flags.writeable = False
        return feeds

    def first(self, count: int) -> Columns:
        """The first rows. Inputs that hold several values a row are laid flat."""
        return {name: values[: count * len(values) // self.size] for name, values in self.rows.items()}

    @property
    def size(self) -> int:
        return len(self.expected[0])

    def changed(self, **manifest: Any) -> Fixture:
        """The same package with other words in its manifest."""
        made = _replaced(self.manifest, manifest)
        return replace(self, manifest=made, digest=LocalArtifacts(self.artifacts).put(encode(made)))

    def with_file(self, content: bytes, name: str | None = None) -> Fixture:
        """Another content (and name) for the model's file, rightly stored."""
        first = self.manifest.files[0]
        file = File(name or first.name, LocalArtifacts(self.artifacts).put(content), len(content))
        return self.changed(files=(file, *self.manifest.files[1:]))

    def content(self) -> bytes:
        return LocalArtifacts(self.artifacts).get(self.manifest.files[0].digest)


@dataclass(frozen=True)
class Made:
    """What `fixture` puts into a package. outputs: each with the library's own answer; the last one is judged."""

    runtime: str
    files: dict[str, bytes]
    inputs: tuple[Tensor, ...]
    outputs: tuple[tuple[Tensor, NDArray[Any]], ...]
    rows: Columns
    options: dict[str, Any] = field(default_factory=dict)
    score_column: int = 0


def fixture(folder: Path, made: Made, **more: Any) -> Fixture:
    store = LocalArtifacts(folder)
    tensors = tuple(tensor for tensor, _ in made.outputs)
    signature = Signature(made.inputs, tensors, tensors[-1].name, made.score_column)
    scores = np.asarray(made.outputs[-1][1], dtype=float)
    judged = scores.reshape(len(scores), -1)[:, made.score_column].tolist()
    manifest = Manifest(
        model="tested",
        runtime=made.runtime,
        files=tuple(File(name, store.put(content), len(content)) for name, content in made.files.items()),
        signature=signature,
        golden=Golden(made.rows, judged, 1e-5),
        lineage=Lineage("run-1", None, dirty=False, author="ada", data={}, params={}),
        options=made.options,
    )
    return Fixture(folder, store.put(encode(manifest)), manifest, made.rows, [answer for _, answer in made.outputs], **more)


def columns(names: str, datatype: str) -> tuple[Tensor, ...]:
    """An input of one value a row for each of the names."""
    return tuple(Tensor(name, datatype, (-1, 1)) for name in names.split())


def _replaced(manifest: Manifest, changes: dict[str, Any]) -> Manifest:
    fields = {name: getattr(manifest, name) for name in manifest.__struct_fields__}
    return Manifest(**{**fields, **changes})
