"""What images are made of as documents: descriptors, manifests, indices.

Source: OCI Image Format Specification 1.1 (descriptor.md, manifest.md, image-index.md, image-layout.md). The older documents of
Docker (Image Manifest Version 2, Schema 2) have the same fields and other media types.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from lockgate.boundary.images import LAYER
from lockgate.kernel.digest import digest_bytes, digits
from lockgate.kernel.errors import Corrupt, Invalid

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"  # the config of what is no image: see NOTHING
NOTHING = b"{}"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFESTS = (MANIFEST, DOCKER_MANIFEST)
INDICES = (INDEX, DOCKER_INDEX)
_LAYERS = {  # the same bytes under their OCI name
    LAYER: LAYER,
    f"{LAYER}+gzip": f"{LAYER}+gzip",
    "application/vnd.docker.image.rootfs.diff.tar": LAYER,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": f"{LAYER}+gzip",
}
LONGEST = 4 << 20  # bytes of a document: what registries take, and more than any honest one has

T = TypeVar("T")


class Platform(msgspec.Struct, frozen=True, omit_defaults=True):
    architecture: str
    os: str
    variant: str = ""


class Descriptor(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Of a blob: digest as `sha256:…`, size in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: dict[str, str] = {}
    artifact_type: str = ""
    platform: Platform | None = None


class Manifest(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Of an image; with `artifact_type`, of something that lies beside one, its `subject`."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    schema_version: int
    media_type: str = ""
    artifact_type: str = ""
    subject: Descriptor | None = None
    annotations: dict[str, str] = {}


class Index(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    manifests: tuple[Descriptor, ...]
    schema_version: int
    media_type: str = ""
    annotations: dict[str, str] = {}


class RootFs(msgspec.Struct, frozen=True):
    diff_ids: tuple[str, ...]
    type: str = "layers"


class BaseConfig(msgspec.Struct, frozen=True):
    """What is asked of a base's config. config: of containers, with Docker's spelling (`Env`, `Labels`, …)."""

    architecture: str
    os: str
    rootfs: RootFs
    variant: str = ""
    config: dict[str, msgspec.Raw] | None = None


def encode(document: object) -> bytes:
    return msgspec.json.encode(document, order="deterministic")


def decode(content: bytes, kind: type[T], what: str) -> T:
    """Raises Corrupt if it is none, or names what is no digest."""
    if len(content) > LONGEST:
        raise Corrupt(f"{what}: {len(content)} bytes found, at most {LONGEST} expected")
    try:
        found = msgspec.json.decode(content, type=kind)
        for one in _named(found):
            digits(one.digest)
    except (msgspec.DecodeError, UnicodeDecodeError, Invalid) as error:
        raise Corrupt(f"{what} cannot be read: {error}") from error
    return found


def describe(content: bytes, media_type: str, **more: object) -> Descriptor:
    plain = Descriptor(media_type, digest_bytes(content), len(content))
    return msgspec.structs.replace(plain, **more)


def layer_type(media_type: str) -> str:
    """Its OCI name.

    Raises:
        Invalid: layers of another kind, such as Windows' or those compressed with Zstandard.
    """
    if media_type not in _LAYERS:
        raise Invalid(
            f"a layer of {media_type!r:.100} found, a tar file, plain or compressed with gzip, expected",
            hint="Choose another base image, or convert it: skopeo copy --dest-compress-format gzip FROM TO.",
        )
    return _LAYERS[media_type]


def _named(document: object) -> tuple[Descriptor, ...]:
    if isinstance(document, Manifest):
        return (document.config, *document.layers)
    return document.manifests if isinstance(document, Index) else ()
