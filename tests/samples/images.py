"""What images are tested with: a version with signed papers, a base image of a few bytes, and the layers of what was built."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from lockgate.boundary.manifest import File, Golden, Lineage, Manifest, Signature, Tensor
from lockgate.domain.distributions import Distribution
from lockgate.domain.forms import Contents
from lockgate.integrations.local.distributions import LocalDistributions
from lockgate.integrations.oci.bases import architecture, version
from lockgate.kernel.digest import digest_bytes
from lockgate.testing.signer import KeySigner
from tests.contracts.runtime_models.fixture import Fixture
from tests.samples.contents import contents_of, files_in

HOME = KeySigner()
PYTHON = f"usr/local/bin/python{version()}"
LIBC = b"..GNU C Library (Debian GLIBC 2.40-1) stable release version 2.40.\n.."
ROOT = {PYTHON: b"a program", "lib/x86_64-linux-gnu/libc.so.6": LIBC}
"""As much of a root folder as is looked at."""


def contents(folder: Path, model: str = "flight-delay", number: int = 7, graph: bytes = b"a graph", **changed: Any) -> Contents:
    """A version that nobody could run."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.onnx"
    path.write_bytes(graph)
    signature = Signature((Tensor("x", "FP32", (-1, 1)),), (Tensor("y", "FP32", (-1, 2)),), "y", 1)
    told = {
        "model": model,
        "runtime": "onnx",
        "files": (File("model.onnx", digest_bytes(graph), len(graph)),),
        "signature": signature,
        "golden": Golden({"x": [1.0, 2.0]}, [0.2, 0.7], 1e-5),
        "lineage": Lineage("run-1", "3f1c9a", dirty=False, author="anna", data={}, params={}),
    }
    return contents_of(Manifest(**{**told, **changed}), {"model.onnx": path}, HOME, number)


def runnable(made: Fixture, model: str, number: int = 7) -> Contents:
    """A version that runs."""
    named = made.changed(model=model)
    return contents_of(named.manifest, files_in(named.artifacts, named.manifest), HOME, number)


def few(_: Manifest) -> tuple[Distribution, ...]:
    """Needs that are quickly copied."""
    return _needed("click")


@cache
def _needed(module: str) -> tuple[Distribution, ...]:
    return LocalDistributions().needed_by([module])


def layer(files: Mapping[str, bytes], *more: tarfile.TarInfo) -> bytes:
    """A tar file. more: members without a content, such as links."""
    told = io.BytesIO()
    with tarfile.open(fileobj=told, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info in more:
            archive.addfile(info)
    return told.getvalue()


def saved(path: Path, *layers: bytes, **config: Any) -> Path:
    """As `docker save` writes it. config: fields that are others."""
    diffs = [digest_bytes(gzip.decompress(one) if one[:2] == b"\x1f\x8b" else one) for one in layers]
    told = {"architecture": architecture(), "os": "linux", "rootfs": {"type": "layers", "diff_ids": diffs}, **config}
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    index = [{"Config": "config.json", "RepoTags": None, "Layers": names}]
    files = {"config.json": json.dumps(told).encode(), "manifest.json": json.dumps(index).encode()}
    path.write_bytes(layer({**files, **dict(zip(names, layers, strict=True))}))
    return path


def tiny_base(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return saved(folder / "base.tar", layer(ROOT), config={"Env": ["PATH=/usr/local/bin", "PYTHONPATH=/elsewhere"]})


def blobs_of(file: Path) -> dict[str, bytes]:
    """By digest, of a layout; and the three documents that have names."""
    with tarfile.open(file) as archive:
        found = {one.name: archive.extractfile(one) for one in archive.getmembers()}
        return {name.replace("blobs/sha256/", "sha256:"): one.read() for name, one in found.items() if one is not None}


def image_of(file: Path) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, tarfile.TarInfo]]]:
    """Manifest, config, and the members of each layer by name."""
    blobs = blobs_of(file)
    manifest = json.loads(blobs[json.loads(blobs["index.json"])["manifests"][0]["digest"]])
    layers = [tarfile.open(fileobj=io.BytesIO(blobs[one["digest"]])) for one in manifest["layers"]]  # noqa: SIM115 - of bytes
    return manifest, json.loads(blobs[manifest["config"]["digest"]]), [{one.name: one for one in each} for each in layers]


def content_in(file: Path, name: str) -> bytes:
    """Of a file in one of the layers."""
    blobs = blobs_of(file)
    for one in json.loads(blobs[json.loads(blobs["index.json"])["manifests"][0]["digest"]])["layers"]:
        with tarfile.open(fileobj=io.BytesIO(blobs[one["digest"]])) as archive:
            found = archive.extractfile(name) if name in archive.getnames() else None
            if found is not None:
                return found.read()
    raise AssertionError(f"no layer holds {name}")
