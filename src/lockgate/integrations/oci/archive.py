"""An image as one file: an OCI layout and what `docker load` reads at once, over the same blobs."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from lockgate.boundary.images import REF_NAME
from lockgate.integrations.oci.blobs import finish
from lockgate.integrations.oci.media import Descriptor, Index, decode
from lockgate.integrations.oci.reading import INDEX, LAYOUT, SAVED, Files, document, opened, place
from lockgate.kernel.digest import PREFIX
from lockgate.kernel.errors import Corrupt, Invalid, Unavailable

_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_MODE = 0o644


def write(path: Path, index: bytes, saved: bytes, documents: Mapping[str, bytes], layers: Mapping[str, Path]) -> None:
    """Whole or not at all. documents, layers: by digest.

    Raises:
        Corrupt: a layer was damaged meanwhile. Unavailable: it cannot be written.
    """
    named: dict[str, bytes | Path] = {LAYOUT: _LAYOUT, INDEX: index, SAVED: saved}
    blobs: dict[str, bytes | Path] = {**documents, **layers}
    named |= {place(digest): blobs[digest] for digest in sorted(blobs)}
    try:
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            try:
                with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
                    for name, content in named.items():
                        _add(archive, name, content)
                finish(file, path)
            finally:
                Path(file.name).unlink(missing_ok=True)
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror or error}", hint="Check its space and rights.") from error


def image_in(files: Files, path: Path) -> tuple[Descriptor, Index]:
    """The descriptor of the one image that has a name there, and all that lies beside it.

    Raises:
        Corrupt: it is no layout. Invalid: there is not one image.
    """
    index = decode(document(files, INDEX), Index, f"{INDEX} of {path.name}")
    named = [one for one in index.manifests if REF_NAME in one.annotations]
    if len(named) != 1:
        raise Invalid(f"{len(named)} named images found in {path.name}, one expected", hint="Build it: lockgate package.")
    return named[0], index


def digest(path: Path) -> str:
    """Of the image's manifest: what registries know it by.

    Raises:
        NotFound, Corrupt, Invalid: it is no image.
    """
    with opened(path) as files:
        return image_in(files, path)[0].digest


def _add(archive: tarfile.TarFile, name: str, content: bytes | Path) -> None:
    info = tarfile.TarInfo(name)
    info.mode = _MODE
    if isinstance(content, bytes):
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
        return
    info.size = content.stat().st_size
    with content.open("rb") as file:
        verified = _Verified(file)
        archive.addfile(info, verified)
    if place(verified.digest) != name:
        content.unlink()
        raise Corrupt(f"{content} was damaged, and is removed", hint="Build again: it is made anew.")


class _Verified(io.RawIOBase):
    """Reads on, and knows the digest of what was read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._state = sha256()

    @property
    def digest(self) -> str:
        return PREFIX + self._state.hexdigest()

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self._state.update(content)
        return content
