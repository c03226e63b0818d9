"""Signing with an Ed25519 key that lies here, wherever that is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from base64 import b64encode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lockgate.boundary import public_keys


class KeyHolder(ABC):
    """A ports.signer.Signer. Public keys are `ed25519:` and base 64, signatures base 64."""

    __slots__ = ()

    @property
    def public_key(self) -> str:
        return public_keys.spelled(self.private_key().public_key())

    def sign(self, content: bytes) -> str:
        return b64encode(self.private_key().sign(content)).decode()

    def genuine(self, public_key: str, content: bytes, signature: str) -> bool:
        return public_keys.genuine(public_key, content, signature)

    @abstractmethod
    def private_key(self) -> Ed25519PrivateKey:
        """Read anew each time: it is nowhere kept."""
