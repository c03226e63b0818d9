"""A packaged model in a folder: `release.json`, `manifest.json` and `files/…`, as boundary.bundles lays them down.

They are read here with the standard library alone, since programs of others carry this; what reads and writes them elsewhere is
boundary.manifest and boundary.releases.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockgate.kernel.digest import digest_bytes, digest_file
from lockgate.kernel.errors import Corrupt, Invalid, NotFound

_RELEASE, _MANIFEST, _FILES = "release.json", "manifest.json", "files"
_FORMAT = "lockgate/package/v1"
_AGAIN = "It was altered or damaged: install it again."


@dataclass(frozen=True, slots=True)
class Tensor:
    """See signature.Tensor."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """See signature.Signature."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    score: str
    score_column: int = 0


@dataclass(frozen=True, slots=True)
class Golden:
    """Rows with the answers of the original model. inputs: columns of values, laid flat."""

    inputs: Mapping[str, list[Any]]
    scores: tuple[float, ...]
    tolerance: float


@dataclass(frozen=True, slots=True)
class Package:
    """digest: of the manifest. files: digests by name; whoever uses one has it checked."""

    folder: Path
    model: str
    version: int
    digest: str
    runtime: str
    signature: Signature
    golden: Golden
    files: Mapping[str, str]

    def path(self, name: str) -> Path:
        """Raises Invalid if there is no such file in the package."""
        if name not in self.files:
            raise Invalid(f"the package has no file {name!r}; it has {', '.join(self.files)}")
        return self.folder / _FILES / name

    def content(self, name: str) -> bytes:
        """
        Raises:
            NotFound: the file is missing. Corrupt: it is not what was packaged.
        """  # noqa: D212 - there is nothing else to say
        content = _read(self.path(name))
        _verify(name, digest_bytes(content), self.files[name])
        return content

    def check(self, name: str) -> None:
        """The same, of a file that is too large to be read here."""
        try:
            found = digest_file(self.path(name))
        except OSError as error:
            raise NotFound(f"{name} cannot be read: {error.strerror}", hint=_AGAIN) from error
        _verify(name, found, self.files[name])


def read(folder: Path) -> Package:
    """What stands in the folder; of its files nothing yet.

    Raises:
        NotFound: there is no package. Corrupt: it is not the one that its release names. Invalid: another form of package.
    """
    content = _read(folder / _MANIFEST)
    try:
        release = json.loads(_read(folder / _RELEASE))
        _verify(_MANIFEST, digest_bytes(content), release["digest"])
        manifest = json.loads(content)
        if manifest["format"] != _FORMAT:
            raise Invalid(f"package format {manifest['format']!r} found, {_FORMAT!r} expected")
        return Package(
            folder=folder,
            model=release["model"],
            version=release["version"],
            digest=release["digest"],
            runtime=manifest["runtime"],
            signature=_signature(manifest["signature"]),
            golden=_golden(manifest["golden"]),
            files={file["name"]: file["digest"] for file in manifest["files"]},
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Corrupt(f"{folder}: this is no packaged model: {type(error).__name__}: {error}", hint=_AGAIN) from error


def _signature(told: Mapping[str, Any]) -> Signature:
    inputs, outputs = (tuple(_tensor(one) for one in told[part]) for part in ("inputs", "outputs"))
    return Signature(inputs, outputs, told["score"], told.get("score_column", 0))


def _tensor(told: Mapping[str, Any]) -> Tensor:
    return Tensor(told["name"], told["datatype"], tuple(told["shape"]))


def _golden(told: Mapping[str, Any]) -> Golden:
    return Golden(told["inputs"], tuple(map(float, told["scores"])), told["tolerance"])


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}", hint=_AGAIN) from error


def _verify(what: str, found: str, expected: str) -> None:
    if found != expected:
        raise Corrupt(f"{what}: expected {expected}, found {found}", hint=_AGAIN)
