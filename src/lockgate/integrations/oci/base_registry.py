"""Base images from a registry: the manifest for this machine, its config and its layers, each under its digest in the cache."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

from lockgate.integrations.oci.bases import Base, assembled, chosen
from lockgate.integrations.oci.blobs import CHUNK, LARGEST, Blobs
from lockgate.integrations.oci.media import INDICES, LONGEST, MANIFESTS, Descriptor, Index, Manifest, decode
from lockgate.integrations.oci.references import Reference
from lockgate.integrations.oci.wire import Wire
from lockgate.kernel.digest import digest_bytes, digest_json
from lockgate.kernel.errors import Corrupt, NotFound, Unavailable

_OK, _NOT_FOUND = 200, 404
_ATTEMPTS = 3
_ACCEPT = {"accept": ", ".join((*INDICES, *MANIFESTS))}
_ELSEWHERE = (
    "Where no registry can be reached, give --base a tar file or a folder with an OCI image; "
    "by a digest (NAME@sha256:…) a base is fetched only once."
)


def take(reference: Reference, blobs: Blobs, wire: Wire | None = None) -> Base:
    """What was fetched before is not fetched again; a tag is looked up each time, since it may be another's today.

    Raises:
        Unavailable: the registry cannot be reached. Refused: it does not let us. NotFound: it has no such image.
        Corrupt, Invalid: what it has is damaged, or no base for what runs here.
    """
    line = wire or Wire(reference, "pull")
    try:
        digest, manifest = _manifest(reference, line, blobs)
        for one in (manifest.config, *manifest.layers):
            if not blobs.has(one.digest):
                _fetch(one, line, blobs)
    except Unavailable as error:
        raise Unavailable(f"the base image {reference}: {error.message}", hint=_ELSEWHERE) from error
    return assembled(manifest, blobs.read(manifest.config.digest), blobs, str(reference), digest)


def _manifest(reference: Reference, line: Wire, blobs: Blobs) -> tuple[str, Manifest]:
    kind, content = _document(reference.wanted, reference, line, blobs)
    if kind in INDICES:
        one = chosen(decode(content, Index, f"the index of {reference}"))
        kind, content = _document(one.digest, reference, line, blobs)
    if kind not in MANIFESTS:
        raise Corrupt(f"{reference} is a {kind!r:.100}, the manifest of an image expected")
    return digest_bytes(content), decode(content, Manifest, f"the manifest of {reference}")


def _document(wanted: str, reference: Reference, line: Wire, blobs: Blobs) -> tuple[str, bytes]:
    """Its media type and its bytes."""
    pinned = ":" in wanted
    noted = blobs.note(digest_json(["type", wanted])) if pinned else None
    if noted is not None and blobs.has(wanted):
        return noted.decode(), blobs.read(wanted)
    answer = line.ask("GET", f"manifests/{wanted}", headers=_ACCEPT)
    if answer.status == _NOT_FOUND:
        raise NotFound(f"there is no image {reference}", hint="Look at its name and tag.")
    if answer.status != _OK:
        raise Unavailable(f"{reference.host} answers {answer.status}")
    kind = (answer.headers.get("content-type") or "").partition(";")[0].strip()
    digest, _ = blobs.keep([answer.body], wanted if pinned else None, LONGEST)
    blobs.take_note(digest_json(["type", digest]), kind.encode())
    return kind, answer.body


def _fetch(one: Descriptor, line: Wire, blobs: Blobs) -> None:
    """Again from the beginning, if it breaks off: only what has its digest is kept.

    Raises:
        Corrupt: it is not what its digest says, each time. Unavailable: it breaks off each time.
    """
    for left in reversed(range(_ATTEMPTS)):
        try:
            blobs.keep(_chunks(one, line), one.digest, min(one.size, LARGEST))
        except (Corrupt, Unavailable):
            if not left:
                raise
        else:
            return


def _chunks(one: Descriptor, line: Wire) -> Iterator[bytes]:
    with line.asked("GET", f"blobs/{one.digest}") as answer:
        if answer.status != _OK:
            raise Unavailable(f"{one.digest} cannot be fetched ({answer.status})")
        try:
            while chunk := answer.read(CHUNK):
                yield chunk
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{one.digest} breaks off: {type(error).__name__}") from error
