"""The key of the audit log's checkpoints, Ed25519, in a file of the home that its owner alone may read."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lockgate.integrations.local.private_file import create_private
from lockgate.kernel.errors import Corrupt, Invalid

_KIND = "ed25519:"
_SIZE = 32  # bytes, of either half


@dataclass(frozen=True, slots=True)
class LocalAuditKey:
    """A ports.signer.Signer. Public keys are `ed25519:` and base64, signatures base64."""

    path: Path

    @property
    def public_key(self) -> str:
        return _KIND + b64encode(self._private().public_key().public_bytes_raw()).decode()

    def sign(self, content: bytes) -> str:
        return b64encode(self._private().sign(content)).decode()

    def genuine(self, public_key: str, content: bytes, signature: str) -> bool:
        key = _public(public_key)
        try:
            key.verify(b64decode(signature, validate=True), content)
        except (InvalidSignature, ValueError):  # the latter for what is no base64
            return False
        return True

    def _private(self) -> Ed25519PrivateKey:
        if not self.path.exists():
            self._make()
        content = self.path.read_bytes()
        if len(content) != _SIZE:
            raise Corrupt(
                f"{self.path}: {len(content)} bytes found, a key has {_SIZE}",
                hint="Put back the key from a backup, or move the file away: a new key is made, and the old public one is then "
                "to be trusted by `lockgate audit verify --key`.",
            )
        return Ed25519PrivateKey.from_private_bytes(content)

    def _make(self) -> None:
        """Whole or not at all, on the disk, and never over a key that another process or thread made meanwhile."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        create_private(self.path, Ed25519PrivateKey.generate().private_bytes_raw())


def _public(text: str) -> Ed25519PublicKey:
    kind, _, rest = text.partition(":")
    try:
        content = b64decode(rest, validate=True) if f"{kind}:" == _KIND else b""
    except binascii.Error:
        content = b""
    if len(content) != _SIZE:
        raise Invalid(
            f"public key {text!r:.100} found, {_KIND} and base64 of {_SIZE} bytes expected",
            hint="`lockgate audit key` prints it, in the home whose key it is.",
        )
    return Ed25519PublicKey.from_public_bytes(content)
