"""Content-addressed bytes: hashed once when they come in, verified when they go out, immutable in between."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class ArtifactStore(Protocol):
    def put(self, content: bytes) -> str:
        """Keep the content and return its digest; keeping it twice is keeping it once."""
        ...

    def put_file(self, path: Path) -> str: ...

    def get(self, digest: str) -> bytes:
        """The content, verified.

        Raises:
            NotFound: no such artifact. Corrupt: its bytes are no longer those that were stored.
        """
        ...

    def copy(self, digest: str, path: Path) -> None:
        """The content as a file that is only for reading, verified and never whole in memory. path: there is nothing yet.

        Raises:
            NotFound, Corrupt: as `get`; then there is nothing at the path. Unavailable: nothing can be written there.
        """
        ...

    def has(self, digest: str) -> bool: ...
