"""The package of a version as the folder that clients of MLflow download: its files, its manifest, and an MLmodel."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from lockgate.boundary.manifest import File, Manifest, decode, verify
from lockgate.boundary.mlmodel import DESCRIPTION, PYTHON
from lockgate.domain.models import ModelVersion
from lockgate.kernel.errors import NotFound
from lockgate.ports.artifacts import ArtifactStore
from lockgate.ports.state import Reader
from lockgate.usecases.find_things import version_of

ROOT = "models"
MANIFEST = "lockgate-manifest.json"
_NUMBER = re.compile(r"[1-9][0-9]{0,14}", re.ASCII)


class Entry(NamedTuple):
    """path: below the folder that was asked for. size: bytes; None of a folder."""

    path: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Folder:
    """stored: in the artifact store. made: content of what lies in no store. The package's own files come first."""

    stored: dict[str, File]
    made: dict[str, bytes] = field(default_factory=dict)

    def below(self, path: str) -> list[Entry]:
        """What lies directly in a folder; nothing where the path is a file.

        Raises:
            NotFound: there is neither.
        """
        sizes = {name: len(content) for name, content in self.made.items()}
        sizes |= {name: one.size for name, one in self.stored.items()}
        if path in sizes:
            return []
        prefix = f"{path}/" if path else ""
        inside = {name.removeprefix(prefix): size for name, size in sizes.items() if name.startswith(prefix)}
        if not inside:
            raise NotFound(f"the package has no {path!r}")
        folders = {name.partition("/")[0] for name in inside if "/" in name}
        files = [Entry(name, size) for name, size in inside.items() if "/" not in name]
        return sorted([*files, *(Entry(name, None) for name in folders)])

    def content(self, artifacts: ArtifactStore, path: str) -> bytes:
        """A file's bytes, verified against the manifest.

        Raises:
            NotFound: no such file, or the store has lost it. Corrupt: its bytes are no longer those that were stored.
        """
        if path in self.stored:
            content = artifacts.get(self.stored[path].digest)
            verify(content, self.stored[path].digest, path)
            return content
        if path in self.made:
            return self.made[path]
        raise NotFound(f"the package has no file {path!r}")


def folder_at(tx: Reader, artifacts: ArtifactStore, path: str) -> tuple[Folder, str]:
    """The folder of the version that `models/NAME/NUMBER/REST` leads into, and REST. Names are looked up, never opened as paths.

    Raises:
        NotFound: it leads nowhere, or the store has lost the package.
    """
    root, _, below = path.strip("/").partition("/")
    name, _, below = below.partition("/")
    number, _, rest = below.partition("/")
    if root != ROOT or not _NUMBER.fullmatch(number):
        raise NotFound(f"{path[:200]!r} leads nowhere, {ROOT}/NAME/NUMBER/FILE expected")
    return folder_of(artifacts, version_of(tx, name, int(number))), rest.strip("/")


def folder_of(artifacts: ArtifactStore, version: ModelVersion) -> Folder:
    content = artifacts.get(version.digest)
    manifest = decode(content, version.digest)
    stored = {file.name: file for file in manifest.files}
    made = {MANIFEST: content, DESCRIPTION: _description(version, manifest)}
    return Folder(stored, {name: content for name, content in made.items() if name not in stored})


def _description(version: ModelVersion, manifest: Manifest) -> bytes:
    """What makes the folder an MLflow model. Our flavour says where the package comes from."""
    ours = {"runtime": manifest.runtime, "package": version.digest, "manifest": MANIFEST}
    told: dict[str, Any] = {
        "flavors": {"lockgate": ours} | _native(manifest),
        "model_size_bytes": sum(file.size for file in manifest.files),
        "run_id": version.run,
        "utc_time_created": f"{version.created_at:%Y-%m-%d %H:%M:%S.%f}",
    }
    return yaml.safe_dump(told, sort_keys=True).encode()


def _native(manifest: Manifest) -> dict[str, dict[str, Any]]:
    """Of packages that are one ONNX file. What other runtimes load, MLflow would load otherwise than Lockgate does."""
    if manifest.runtime != "onnx" or len(manifest.files) != 1:
        return {}
    name = manifest.files[0].name
    graph = {"data": name, "onnx_version": manifest.environment.get("onnx", ""), "providers": ["CPUExecutionProvider"]}
    return {"onnx": graph, PYTHON: {"loader_module": "mlflow.onnx", "data": name}}
