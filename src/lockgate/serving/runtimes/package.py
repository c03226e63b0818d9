"""The files of a model package, every byte verified by its digest at every load."""

from __future__ import annotations

from pathlib import Path

from lockgate.boundary.manifest import File, Manifest, decode, verify
from lockgate.kernel.digest import PREFIX
from lockgate.kernel.errors import Invalid, NotFound

RUNTIME = "onnx"
_SUFFIX = ".onnx"


def read(artifacts: Path, digest: str) -> tuple[Manifest, bytes]:
    """The manifest behind `digest` and the content of its model file; all files of the package are verified.

    artifacts: folder with a file `ab/cdef…` for the digest `sha256:abcdef…`.

    Raises:
        NotFound: a file is missing. Corrupt: its bytes are not those of its digest. Invalid: it is no package that can run here.
    """
    manifest = decode(_content(artifacts, digest, "the manifest"), digest)
    contents = {file.name: _verified(artifacts, file) for file in manifest.files}
    return manifest, contents[_model_file(manifest).name]


def _model_file(manifest: Manifest) -> File:
    if manifest.runtime != RUNTIME:
        raise Invalid(f"runtime {manifest.runtime!r} found, {RUNTIME!r} expected", hint="Upgrade lockgate.")
    models = [file for file in manifest.files if file.name.endswith(_SUFFIX)]
    if len(models) != 1:
        raise Invalid(f"{len(models)} files of the package end in {_SUFFIX}, one expected")
    return models[0]


def _verified(artifacts: Path, file: File) -> bytes:
    content = _content(artifacts, file.digest, file.name)
    verify(content, file.digest, file.name)
    return content


def _content(artifacts: Path, digest: str, what: str) -> bytes:
    digits = digest.removeprefix(PREFIX)
    if not digits.isalnum():
        raise Invalid(f"{digest[:80]!r} is no digest")
    try:
        return (artifacts / digits[:2] / digits[2:]).read_bytes()
    except OSError as error:
        raise NotFound(f"{what}: artifact {digest} cannot be read: {error.strerror}") from error
