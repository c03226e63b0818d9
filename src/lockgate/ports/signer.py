"""Who vouches for the audit log: one key, whose public half may be given to anybody."""

from __future__ import annotations

from typing import Protocol


class Signer(Protocol):
    @property
    def public_key(self) -> str:
        """As text, for people to keep; the key is made where there is none yet.

        Raises:
            Corrupt: what is there is no key.
        """
        ...

    def sign(self, content: bytes) -> str:
        """The signature as text."""
        ...

    def genuine(self, public_key: str, content: bytes, signature: str) -> bool:
        """Is it the signature of that content by that key? False too for what is no signature at all.

        Raises:
            Invalid: the public key is none.
        """
        ...
