"""Lay a channel down in a folder from which any web server, bucket or synchronised disk can serve it: pointer and artifacts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lockgate.boundary.manifest import decode
from lockgate.boundary.pointers import Pointer
from lockgate.kernel.digest import digits
from lockgate.kernel.errors import NotFound, Refused, Unavailable
from lockgate.ports.artifacts import ArtifactStore
from lockgate.ports.channels import ChannelStore
from lockgate.usecases.publish_channels import standing_pointer

_UNFINISHED = ".unfinished-"


@dataclass(frozen=True, slots=True)
class Exported:
    """new: artifacts that were not there before. size: their bytes."""

    pointer: Pointer
    new: int
    size: int


def export_channel(channel: str, source: ChannelStore, artifacts: ArtifactStore, target: ChannelStore, folder: Path) -> Exported:
    """The pointer comes last: whoever follows the folder finds what it names. What was interrupted is completed by the next call.

    target: where pointers lie in the folder. folder: for the artifacts, as `ab/cdef…`; none that is there is written again.

    Raises:
        NotFound: there is no such channel, or an artifact is missing. Corrupt: one is damaged. Refused: the folder has a newer
        pointer. Unavailable: it cannot be written to.
    """
    content, pointer = source.read(channel), standing_pointer(source, channel)
    if content is None or pointer is None:
        known = ", ".join(source.names()) or "none yet"
        raise NotFound(f"there is no channel {channel!r}; those that there are: {known}", hint="Move a version to a stage first.")
    standing = standing_pointer(target, channel)
    if standing is not None and (standing.revision, standing.issued_at) > (pointer.revision, pointer.issued_at):
        raise Refused(
            f"{channel} has revision {pointer.revision} here, and the folder has {standing.revision} already",
            hint="Whoever followed it would take the older one for a replay. Publish from the home that is ahead.",
        )
    sizes = [_lay_down(digest, artifacts, folder) for digest in _digests(pointer, artifacts)]
    target.write(channel, content)
    return Exported(pointer, sum(size is not None for size in sizes), sum(size or 0 for size in sizes))


def _digests(pointer: Pointer, artifacts: ArtifactStore) -> Iterator[str]:
    """All that the releases are made of, each once."""
    found: dict[str, None] = {}
    for release in pointer.releases:
        manifest = decode(artifacts.get(release.digest), release.digest)
        papers = [one for one in (release.provenance, release.sbom) if one]
        found |= dict.fromkeys((release.digest, *(file.digest for file in manifest.files), *papers))
    yield from found


def _lay_down(digest: str, artifacts: ArtifactStore, folder: Path) -> int | None:
    """Bytes that were laid down; None if it was there. It appears under its name at once, verified and whole."""
    name = digits(digest)
    path = folder / name[:2] / name[2:]
    if path.is_file():
        return None
    draft = folder / f"{_UNFINISHED}{name}.{os.getpid()}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        artifacts.copy(digest, draft)
        size = draft.stat().st_size
        draft.replace(path)
    except OSError as error:
        raise Unavailable(
            f"artifacts cannot be laid down in {folder}: {error.strerror}", hint="Check its space and rights."
        ) from error
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()
    return size
