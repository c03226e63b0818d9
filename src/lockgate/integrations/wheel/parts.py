"""What a package runs by: one runtime, or as a graph those of its nodes too."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lockgate.boundary.manifest import Manifest, decode
from lockgate.boundary.mlmodel import DESCRIPTION, PYTHON, flavors_of, native_file
from lockgate.kernel.digest import digest_bytes

ONNX, GRAPH, MLFLOW = "onnx", "graph", "mlflow"
_NODE = re.compile(r"(nodes/[^/]+/[0-9]+/)manifest\.json", re.ASCII)


@dataclass(frozen=True, slots=True)
class Part:
    """runtimes: modules of `lockgate.runtimes`; several where one hands over to another."""

    manifest: Manifest
    runtimes: tuple[str, ...]


def parts_of(manifest: Manifest, files: Mapping[str, Path]) -> list[Part]:
    """The package and, of a graph, its nodes, with theirs. files: of the package, by name; verified.

    Raises:
        Invalid, Refused: a description in it cannot be read.
    """
    return [Part(manifest, _runtimes(manifest, files)), *(part for node in _nodes(manifest, files) for part in node)]


def _runtimes(manifest: Manifest, files: Mapping[str, Path]) -> tuple[str, ...]:
    flavor = manifest.options.get("flavor", PYTHON)
    if manifest.runtime != MLFLOW or flavor == PYTHON:
        return (manifest.runtime,)
    described = flavors_of(files[DESCRIPTION].read_bytes())[flavor]
    return (manifest.runtime, native_file(flavor, described).runtime)


def _nodes(manifest: Manifest, files: Mapping[str, Path]) -> Iterator[list[Part]]:
    if manifest.runtime != GRAPH:
        return
    for name, path in files.items():
        if found := _NODE.fullmatch(name):
            content = path.read_bytes()
            inner = f"{found[1]}files/"
            own = {one.removeprefix(inner): place for one, place in files.items() if one.startswith(inner)}
            yield parts_of(decode(content, digest_bytes(content)), own)
