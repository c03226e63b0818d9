"""What of a home may be fetched by subscribers: the pointers of channels, and the artifacts of the releases that these name.

Nothing else in the store leaves the house this way: evaluations, evidence and training data lie beside the packages.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from lockgate.boundary.manifest import decode
from lockgate.boundary.pointers import FOLDER, parse_channel
from lockgate.boundary.releases import Release
from lockgate.integrations.local.artifacts import LocalArtifacts
from lockgate.integrations.local.channels import LocalChannels
from lockgate.kernel.digest import digest_bytes, digits
from lockgate.kernel.errors import LockgateError
from lockgate.usecases.publish_channels import standing_pointer

_MOST_MANIFESTS = 1000  # remembered

log = logging.getLogger(__name__)


class Found(NamedTuple):
    """A pointer as it lies there. tag: changes with every byte."""

    content: bytes
    tag: str


class Published:
    """folder: the home. Blocks for as long as a few small files take to read."""

    def __init__(self, folder: Path) -> None:
        self._channels = LocalChannels(folder / FOLDER)
        self._artifacts = LocalArtifacts(folder / "artifacts")
        self._lock = Lock()  # requests come on many threads
        self._seen: object = None
        self._models: dict[str, frozenset[str]] = {}
        self._named: dict[Release, tuple[str, ...]] = {}

    def pointer(self, channel: str) -> Found | None:
        """
        Raises:
            Invalid: this is no channel's name. Unavailable: it cannot be read.
        """  # noqa: D212 - there is nothing else to say
        content = self._channels.read(channel)
        return None if content is None else Found(content, digits(digest_bytes(content)))

    def stamp(self, channel: str) -> object:
        """Another one when the pointer is another one: costs one look at the folder."""
        return _stamp(self._channels.path(channel))

    def artifact(self, digest: str) -> tuple[Path, frozenset[str]]:
        """Where it lies, or would; and the models to whose releases it belongs: none, if it is not for subscribers.

        Raises:
            Invalid: this is no digest.
        """
        with self._lock:
            self._look()
        return self._artifacts.path(digest), self._models.get(digest, frozenset())

    def _look(self) -> None:
        names = self._channels.names()
        seen = [(name, _stamp(self._channels.path(name))) for name in names]
        if seen == self._seen:
            return
        found: dict[str, set[str]] = {}
        for name in names:
            for digest in self._digests(name):
                found.setdefault(digest, set()).add(parse_channel(name)[0])
        self._models = {digest: frozenset(models) for digest, models in found.items()}
        self._seen = seen

    def _digests(self, channel: str) -> Iterator[str]:
        standing = standing_pointer(self._channels, channel)
        for release in standing.releases if standing else ():
            if release not in self._named:
                if len(self._named) >= _MOST_MANIFESTS:
                    self._named.clear()
                self._named[release] = self._of(release)
            yield from self._named[release]

    def _of(self, release: Release) -> tuple[str, ...]:
        """All that a release is made of; of one whose manifest is gone or damaged nothing, for nobody could check it."""
        try:
            manifest = decode(self._artifacts.get(release.digest), release.digest)
        except LockgateError as error:
            log.warning("release not published", extra={"release": str(release), "reason": error.message})
            return ()
        papers = [one for one in (release.provenance, release.sbom) if one]
        return (release.digest, *(file.digest for file in manifest.files), *papers)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
