"""Signers for tests: one of toy keys, which has no cryptography and the same contract, and one of real keys in memory."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lockgate.boundary.private_keys import KeyHolder
from lockgate.kernel.digest import digest_bytes
from lockgate.kernel.errors import Invalid

_KIND = "toy:"


@dataclass(frozen=True, slots=True)
class MemorySigner:
    """A ports.signer.Signer. Whoever knows the public key can sign with it: for tests only."""

    name: str = "anna"

    @property
    def public_key(self) -> str:
        return _KIND + self.name

    def sign(self, content: bytes) -> str:
        return _signature(self.public_key, content)

    def genuine(self, public_key: str, content: bytes, signature: str) -> bool:
        if not public_key.startswith(_KIND):
            raise Invalid(f"public key {public_key!r:.100} found, {_KIND} and a name expected")
        return signature == _signature(public_key, content)


@dataclass(frozen=True, slots=True)
class KeySigner(KeyHolder):
    """A ports.signer.Signer with Ed25519, for what is verified by public key. The key follows from the name: for tests only."""

    name: str = "home"

    def private_key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(sha256(self.name.encode()).digest())


def _signature(public_key: str, content: bytes) -> str:
    return digest_bytes(public_key.encode() + b"\n" + content)
