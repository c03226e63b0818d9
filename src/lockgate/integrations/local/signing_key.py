"""A key to sign with, Ed25519, in a file that its owner alone may read: of the audit log's checkpoints, or of releases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lockgate.boundary import public_keys
from lockgate.boundary.private_keys import KeyHolder
from lockgate.integrations.local.private_file import create_private
from lockgate.kernel.errors import Corrupt


@dataclass(frozen=True, slots=True)
class LocalSigningKey(KeyHolder):
    """A ports.signer.Signer."""

    path: Path

    def private_key(self) -> Ed25519PrivateKey:
        if not self.path.exists():
            self._make()
        content = self.path.read_bytes()
        if len(content) != public_keys.SIZE:
            raise Corrupt(
                f"{self.path}: {len(content)} bytes found, a key has {public_keys.SIZE}",
                hint="Put back the key from a backup, or move the file away: a new key is made, and whoever checks what "
                "the old one signed is then to be given both public ones.",
            )
        return Ed25519PrivateKey.from_private_bytes(content)

    def _make(self) -> None:
        """Whole or not at all, on the disk, and never over a key that another process or thread made meanwhile."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        create_private(self.path, Ed25519PrivateKey.generate().private_bytes_raw())
