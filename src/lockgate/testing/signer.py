"""A signer of toy keys: no cryptography, the same contract."""

from __future__ import annotations

from dataclasses import dataclass

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


def _signature(public_key: str, content: bytes) -> str:
    return digest_bytes(public_key.encode() + b"\n" + content)
