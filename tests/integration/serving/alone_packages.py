"""Packaged models as they leave the house, signed, in a folder or a file; and a data plane that serves them alone."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockgate.boundary import archives, bundles, statements
from lockgate.boundary.manifest import File, Golden, Lineage, Manifest, decode, encode
from lockgate.boundary.releases import Release
from lockgate.kernel.digest import digest_bytes
from lockgate.testing.signer import KeySigner
from tests.integration.serving.data_plane import (
    CARRIER,
    DISTANCE,
    DataPlane,
    Folder,
    answer_of,
    linear_model,
    signature,
    wait_for,
)

SIGNER = KeySigner("platform")
PATIENCE = 60.0


@dataclass(frozen=True)
class Bundle:
    """members: by name."""

    release: Release
    members: Mapping[str, bytes]

    def folder(self, path: Path) -> Path:
        for name, content in self.members.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
        return path

    def file(self, path: Path, prefix: str = "") -> Path:
        members = {prefix + name: content for name, content in self.members.items()}
        with path.open("wb") as file:
            archives.write(file, members)
        return path


def bundle(folder: Path, digest: str, *, version: int = 7, signer: KeySigner = SIGNER, signed: str | None = None) -> Bundle:
    """Of a package among the artifacts. signed: the digest that the provenance speaks of, if it is another one."""
    store = Folder(folder)
    content = store.file(digest).read_bytes()
    manifest = decode(content, digest)
    provenance = statements.say({manifest.model: signed or digest}, statements.PROVENANCE, {"made": "by a test"}, signer)
    bill = statements.say({manifest.model: digest}, statements.BILL, {"components": []}, signer)
    release = Release(manifest.model, version, digest, digest_bytes(provenance), digest_bytes(bill))
    files = {file.name: store.file(file.digest) for file in manifest.files}
    members = bundles.members(release, content, files, {release.provenance: provenance, release.sbom: bill})
    whole = {name: one.read_bytes() if isinstance(one, Path) else one for name, one in members.items()}
    whole[bundles.SIGNATURE] = bundles.signature({name: digest_bytes(one) for name, one in whole.items()}, release, signer)
    return Bundle(release, whole)


def linear(tmp_path: Path, bias: float = 5.0, **more: Any) -> Bundle:
    folder = tmp_path / "artifacts"
    return bundle(folder, Folder(folder).linear(bias), **more)


def renamed(tmp_path: Path, model: str, **changes: Any) -> Bundle:
    """The same model, with other words in its manifest."""
    store, content = Folder(tmp_path / "artifacts"), linear_model(0.0)
    fields: dict[str, Any] = {
        "model": model,
        "runtime": "onnx",
        "files": (File("model.onnx", store.put(content), len(content)),),
        "signature": signature(),
        "golden": Golden({DISTANCE: [1.0], CARRIER: ["AA"]}, [answer_of(0.0, 1.0, "AA")], 1e-4),
        "lineage": Lineage("run-1", None, dirty=False, author="tester", data={}, params={}),
    }
    return bundle(store.path, store.put(encode(Manifest(**{**fields, **changes}))))


class Alone(DataPlane):
    """`python -m lockgate.serving --package …`. before: words that start it, as `setpriv` and its own."""

    def __init__(self, *words: str | Path, before: tuple[str, ...] = (), environment: Mapping[str, str] | None = None) -> None:
        super().__init__(Path(), Folder(Path()), "", tuple(map(str, words)))
        self._before = before
        self._environment = environment

    def start(self) -> None:
        """Returns when it listens, or has ended."""
        argv = [*self._before, sys.executable, "-P", "-m", "lockgate.serving", "--port", "0", "--grace", "0.1", *self.options]
        self.process = subprocess.Popen(argv, stderr=subprocess.PIPE, stdin=subprocess.PIPE, env=self._environment)
        self._ears = threading.Thread(target=self._listen, args=(self.process,), daemon=True)
        self._ears.start()
        wait_for(lambda: self.port or (self.process and self.process.poll() is not None), "it listens or ends", PATIENCE)

    @property
    def said(self) -> str:
        """What it said, once it has ended."""
        self._ears.join(PATIENCE)
        return "".join(str(event) for event in self.events)


@contextmanager
def alone(*words: str | Path, **more: Any) -> Iterator[Alone]:
    """One that is ready to answer."""
    plane = Alone(*words, **more)
    plane.start()
    try:
        wait_for(lambda: plane.process and (plane.process.poll() is not None or plane.ready()), "it answers", PATIENCE)
        yield plane
    finally:
        if plane.process is not None:
            plane.stop()


def refused(*words: str | Path, **more: Any) -> tuple[int, str]:
    """The exit code of one that cannot start, and what it said."""
    plane = Alone(*words, **more)
    plane.start()
    assert plane.process is not None
    code = plane.process.wait(PATIENCE)
    plane.ended()
    return code, plane.said
