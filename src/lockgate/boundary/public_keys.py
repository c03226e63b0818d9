"""Public keys and what was signed by them: Ed25519, as text `ed25519:` and base 64 of 32 bytes."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lockgate.kernel.digest import digest_bytes, digits
from lockgate.kernel.errors import Invalid

KIND = "ed25519:"
SIZE = 32  # bytes, of either half


def spelled(public: Ed25519PublicKey) -> str:
    return KIND + b64encode(public.public_bytes_raw()).decode()


def parsed(text: str) -> Ed25519PublicKey:
    """Raises Invalid if it is no public key."""
    return Ed25519PublicKey.from_public_bytes(_raw(text))


def key_id(text: str) -> str:
    """The key's fingerprint: 64 hexadecimal digits of SHA-256 over its 32 bytes.

    Raises:
        Invalid: it is no public key.
    """
    return digits(digest_bytes(_raw(text)))


def genuine(public_key: str, content: bytes, signature: str) -> bool:
    """Is it the signature (base 64) of that content by that key? False too for what is no signature at all.

    Raises:
        Invalid: the public key is none.
    """
    key = parsed(public_key)
    try:
        key.verify(b64decode(signature, validate=True), content)
    except (InvalidSignature, ValueError):  # the latter for what is no base 64
        return False
    return True


def _raw(text: str) -> bytes:
    kind, _, rest = text.partition(":")
    try:
        content = b64decode(rest, validate=True) if f"{kind}:" == KIND else b""
    except (binascii.Error, ValueError):  # the latter for what is not ASCII
        content = b""
    if len(content) != SIZE:
        raise Invalid(f"public key {text!r:.100} found, {KIND} and base64 of {SIZE} bytes expected")
    return content
