"""Values of steps in the home's cache, by the digest of their stored bytes. Data frames are Parquet, all else is pickled.

A pickle runs code when it is read, so only workers of a project's own steps read them: this file, which is used by all sides,
moves bytes and no more.
"""

from __future__ import annotations

from pathlib import Path

from lockgate.integrations.local.artifacts import LocalArtifacts
from lockgate.kernel.digest import digest_file


class LocalValues:
    """A ports.executor.Values."""

    def __init__(self, folder: Path) -> None:
        self._store = LocalArtifacts(folder)

    def put(self, content: bytes) -> str:
        return self._store.put(content)

    def get(self, digest: str) -> bytes:
        return self._store.get(digest)

    def holds(self, digest: str) -> bool:
        path = self._store.path(digest)
        return path.is_file() and digest_file(path) == digest
