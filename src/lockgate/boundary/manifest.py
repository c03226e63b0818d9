"""The manifest of a model package: every file with its digest, what goes in and comes out, where it came from, how to check it.

The digest of a package is the digest of its manifest's bytes; the manifest names the digest of every file: one digest pins all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from lockgate.kernel.digest import digest_bytes
from lockgate.kernel.errors import Corrupt, Invalid

FORMAT = "lockgate/package/v1"


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    digest: str
    size: int


class Tensor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`datatype` as in the Open Inference Protocol (FP32, INT64, BYTES, …); −1 in `shape` is any length; rows come first."""

    name: str
    datatype: str
    shape: tuple[int, ...]


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    score: str  # the output that is judged and watched
    score_column: int = 0  # which column of it: 1 is the positive class of a binary classifier


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows with the answers of the *original* model: every form and every load of the package must repeat them."""

    inputs: dict[str, list[Any]]
    scores: list[float]
    tolerance: float


class Lineage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    run: str
    commit: str | None
    dirty: bool
    author: str
    data: dict[str, str]  # name → content digest
    params: dict[str, Any]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    model: str
    runtime: str  # onnx, sklearn, xgboost, lightgbm, torch, river, mlflow, python, graph
    files: tuple[File, ...]
    signature: Signature
    golden: Golden
    lineage: Lineage
    format: str = FORMAT
    environment: dict[str, str] = {}  # library → version that made it
    options: dict[str, Any] = {}  # how its runtime calls the model; each runtime says which it knows
    requirements: tuple[str, ...] = ()  # pinned: a virtual environment of its own; none: that of the server

    def file(self, name: str) -> File:
        for file in self.files:
            if file.name == name:
                return file
        raise Invalid(f"the package of {self.model} has no file {name!r}")


def encode(manifest: Manifest) -> bytes:
    return msgspec.json.encode(manifest, order="deterministic")


def decode(content: bytes, digest: str) -> Manifest:
    """The manifest behind `digest`.

    Raises:
        Corrupt: the bytes are not those that the digest names.
        Invalid: they are, but they are no manifest that this version can read.
    """
    verify(content, digest, "manifest")
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"{digest} is no manifest: {error}") from error
    if manifest.format != FORMAT:
        raise Invalid(f"package format {manifest.format!r} found, {FORMAT!r} expected", hint="Upgrade lockgate.")
    return manifest


def verify(content: bytes | memoryview, digest: str, what: str) -> None:
    found = digest_bytes(content)
    if found != digest:
        raise Corrupt(f"{what}: expected {digest}, found {found}", hint="Restore the artifact; it was altered or damaged.")


def names(tensors: Sequence[Tensor]) -> tuple[str, ...]:
    return tuple(tensor.name for tensor in tensors)
