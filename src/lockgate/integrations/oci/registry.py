"""Pushing an image, and the papers beside it, to a registry.

Source: OCI Distribution Specification 1.1. What lies beside an image is a manifest with a `subject`; a registry that knows no
such thing does not say OCI-Subject, and then an index of them is kept under the tag `sha256-DIGITS`, as it is specified.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from lockgate.integrations.oci.archive import image_in
from lockgate.integrations.oci.media import INDEX, LONGEST, Descriptor, Index, Manifest, decode, encode
from lockgate.integrations.oci.reading import Files, blob, opened, place
from lockgate.integrations.oci.references import Reference, parse
from lockgate.integrations.oci.wire import Answer, Wire
from lockgate.kernel.digest import digits
from lockgate.kernel.errors import Conflict, Corrupt, Invalid, Unavailable

_OK, _CREATED, _ACCEPTED, _NOT_FOUND = 200, 201, 202, 404
_OCTETS = {"content-type": "application/octet-stream"}


def push(file: Path, reference: str, wire: Callable[[Reference], Wire] | None = None) -> str:
    """Blobs that are there already are not sent again. Returns the name by which the image is known there, with its digest.

    Raises:
        Invalid: the reference is none, or names a digest. Unavailable: the registry cannot be reached, or falters.
        Refused: it does not let us. Conflict: it does not take what was sent. NotFound, Corrupt: as `archive.digest`.
    """
    target = parse(reference)
    if target.digest:
        raise Invalid(f"{target} names a digest, a tag expected", hint="What is pushed has its own digest.")
    pushing = _Pushing(target, wire(target) if wire else Wire(target, "pull,push"))
    with opened(file) as files:
        image, index = image_in(files, file)
        pushing.manifest(files, image, target.tag)
        papers = [one for one in index.manifests if one.artifact_type]
        unheard = [one for one in papers if not pushing.manifest(files, one, one.digest)]
        if unheard:
            pushing.fallback(image, unheard)
    return f"{target}@{image.digest}"


class _Pushing:
    def __init__(self, target: Reference, wire: Wire) -> None:
        self._target = target
        self._wire = wire

    def manifest(self, files: Files, descriptor: Descriptor, under: str) -> bool:
        """With all that it names. Whether the registry understood what it lies beside."""
        content = blob(files, descriptor.digest)
        manifest = decode(content, Manifest, f"the manifest {descriptor.digest}")
        for one in (manifest.config, *manifest.layers):
            self._blob(files, one)
        answer = self._put(under, content, descriptor.media_type)
        return answer.headers.get("oci-subject") is not None

    def fallback(self, image: Descriptor, papers: Sequence[Descriptor]) -> None:
        """Others' entries in the index stay. Two that write it at once may lose one's; pushing again mends that."""
        tag = f"sha256-{digits(image.digest)}"
        answer = self._wire.ask("GET", f"manifests/{tag}", headers={"accept": INDEX})
        known: tuple[Descriptor, ...] = ()
        if answer.status == _OK:
            known = decode(answer.body, Index, f"the index {tag}").manifests
        elif answer.status != _NOT_FOUND:
            raise self._odd(answer, f"the index {tag}")
        kept = {one.digest: one for one in (*known, *papers)}
        content = encode(Index(tuple(kept.values()), 2, INDEX))
        if len(content) > LONGEST:
            raise Conflict(f"{self._target.host}: too much lies beside {image.digest}", hint=f"Remove the tag {tag} there.")
        if kept.keys() != {one.digest for one in known}:
            self._put(tag, content, INDEX)

    def _put(self, under: str, content: bytes, kind: str) -> Answer:
        answer = self._wire.ask("PUT", f"manifests/{under}", content, {"content-type": kind})
        if answer.status != _CREATED:
            raise self._odd(answer, f"the manifest {under}")
        return answer

    def _blob(self, files: Files, one: Descriptor) -> None:
        found = self._wire.ask("HEAD", f"blobs/{one.digest}")
        if found.status == _OK:
            return
        begun = self._wire.ask("POST", "blobs/uploads/", b"", _OCTETS)
        location = begun.headers.get("location")
        if begun.status != _ACCEPTED or not location:
            raise self._odd(begun, f"the upload of {one.digest}")
        mark = "&" if "?" in location else "?"
        address = f"{location}{mark}digest={one.digest.replace(':', '%3A')}"
        answer = self._wire.ask("PUT", address, lambda: _open(files, one.digest), _OCTETS, one.size)
        if answer.status != _CREATED:
            raise self._odd(answer, one.digest)

    def _odd(self, answer: Answer, what: str) -> Conflict | Unavailable:
        said = answer.body.decode(errors="replace").strip()
        return Conflict(
            f"{self._target.host} does not take {what} ({answer.status}): {said:.300}", hint="Look at what that registry takes."
        )


def _open(files: Files, digest: str) -> IO[bytes]:
    file = files.open(place(digest))
    if file is None:
        raise Corrupt(f"{digest} is missing in the image", hint="Build it again.")
    return file
