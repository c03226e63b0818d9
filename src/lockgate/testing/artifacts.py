"""Artifacts in memory: gone with the process."""

from __future__ import annotations

from pathlib import Path

from lockgate.kernel.digest import digest_bytes, digits
from lockgate.kernel.errors import Corrupt, NotFound

HINT = "Run the pipeline again, or restore it from a backup."


class MemoryArtifacts:
    """A ports.artifacts.ArtifactStore. `damage` is for tests of what reads from it."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    def put(self, content: bytes) -> str:
        digest = digest_bytes(content)
        self._contents[digest] = bytes(content)
        return digest

    def put_file(self, path: Path) -> str:
        return self.put(path.read_bytes())

    def get(self, digest: str) -> bytes:
        if not self.has(digest):
            raise NotFound(f"there is no artifact {digest}", hint=HINT)
        content = self._contents[digest]
        if digest_bytes(content) != digest:
            raise Corrupt(f"artifact {digest}: its bytes are {digest_bytes(content)}", hint=HINT)
        return content

    def copy(self, digest: str, path: Path) -> None:
        content = self.get(digest)
        with path.open("xb") as file:
            file.write(content)
        path.chmod(0o444)

    def has(self, digest: str) -> bool:
        digits(digest)  # must be one
        return digest in self._contents

    def damage(self, digest: str, content: bytes) -> None:
        """Let the artifact's bytes be others, as a failing disk would."""
        self._contents[digest] = content
