"""Base images from a file or a folder: an OCI layout, or what `docker save` writes. Their layers are copied into the cache.

Sources: OCI image-layout.md 1.1; the Docker image specification 1.2 (`manifest.json`: Config, RepoTags, Layers).
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from lockgate.boundary.images import LAYER
from lockgate.integrations.oci.bases import Base, assembled, chosen
from lockgate.integrations.oci.blobs import Blobs
from lockgate.integrations.oci.media import CONFIG, INDICES, Descriptor, Index, Manifest, decode
from lockgate.integrations.oci.reading import HINT, INDEX, LAYOUT, SAVED, Files, blob, chunks, document, has, opened, place
from lockgate.kernel.errors import Corrupt, Invalid

_DEEPEST = 4  # indices in indices
_GZIP = b"\x1f\x8b"


class _Saved(msgspec.Struct, frozen=True, rename="pascal"):
    config: str
    layers: tuple[str, ...]


def take(path: Path, blobs: Blobs) -> Base:
    """
    Raises:
        NotFound: there is nothing. Corrupt, Invalid: it is no image, is damaged, or does not fit this machine.
    """  # noqa: D212 - there is nothing else to say
    with opened(path) as files:
        if has(files, LAYOUT):
            return _of_layout(files, blobs)
        if has(files, SAVED):
            return _saved(files, blobs)
    raise Invalid(f"{path} is no image: neither an OCI layout nor what `docker save` writes", hint=HINT)


def _of_layout(files: Files, blobs: Blobs) -> Base:
    digest = _manifest_in(decode(document(files, INDEX), Index, "index.json of the base image"), files)
    manifest = decode(blob(files, digest), Manifest, "the manifest of the base image")
    for one in manifest.layers:
        if not blobs.has(one.digest):
            blobs.keep(chunks(files, place(one.digest)), one.digest, one.size)
    return assembled(manifest, blob(files, manifest.config.digest), blobs, digest=digest)


def _manifest_in(index: Index, files: Files) -> str:
    for _ in range(_DEEPEST):
        found = chosen(index)
        if found.media_type not in INDICES:
            return found.digest
        index = decode(blob(files, found.digest), Index, "an index of the base image")
    raise Invalid(f"more than {_DEEPEST} indices inside each other found in the base image")


def _saved(files: Files, blobs: Blobs) -> Base:
    try:
        images = msgspec.json.decode(document(files, SAVED), type=tuple[_Saved, ...])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Corrupt(f"{SAVED} of the base image cannot be read: {error}") from error
    if len(images) != 1:
        raise Invalid(f"{len(images)} images found in the base image's file, one expected", hint="Save one alone.")
    kept = [blobs.keep(chunks(files, name)) for name in images[0].layers]
    layers = tuple(Descriptor(_kind(blobs, digest), digest, size) for digest, size in kept)
    config = document(files, images[0].config)
    return assembled(Manifest(Descriptor(CONFIG, "", len(config)), layers, 2), config, blobs)


def _kind(blobs: Blobs, digest: str) -> str:
    """`docker save` never compresses, and others that write such files may."""
    with blobs.path(digest).open("rb") as file:
        return f"{LAYER}+gzip" if file.read(len(_GZIP)) == _GZIP else LAYER
