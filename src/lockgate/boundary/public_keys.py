"""Public keys and what was signed by them: Ed25519, as text `ed25519:` and base 64 of 32 bytes."""

from __future__ import annotations

from base64 import b64decode, b64encode

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from lockgate.kernel.digest import digest_bytes, digits
from lockgate.kernel.errors import Invalid

KIND = "ed25519:"
SIZE = 32  # bytes, of either half
_SHOWN = 12  # digits of an id
_STANDARD = str.maketrans("-_", "+/")
PEM = "-----BEGIN PUBLIC KEY-----"


def spelled(public: Ed25519PublicKey) -> str:
    return KIND + b64encode(public.public_bytes_raw()).decode()


def parsed(text: str) -> Ed25519PublicKey:
    """Raises Invalid if it is no public key."""
    return Ed25519PublicKey.from_public_bytes(_raw(text))


def understood(text: str) -> str:
    """The public key as we spell it, from text that other tools gave: ours, or PEM (SubjectPublicKeyInfo).

    Raises:
        Invalid: it is no public key, or of another kind.
    """
    if not text.strip().startswith(PEM):
        return spelled(parsed(text.strip()))
    try:
        found = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Invalid(f"a public key as PEM found that cannot be read: {error}") from error
    if not isinstance(found, Ed25519PublicKey):
        raise Invalid("a public key of another kind found, Ed25519 expected")
    return spelled(found)


def as_pem(text: str) -> str:
    """SubjectPublicKeyInfo as PEM, for other tools.

    Raises:
        Invalid: it is no public key.
    """
    return parsed(text).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def key_id(text: str) -> str:
    """The key's fingerprint: 64 hexadecimal digits of SHA-256 over its 32 bytes.

    Raises:
        Invalid: it is no public key.
    """
    return digits(digest_bytes(_raw(text)))


def short_id(text: str) -> str:
    """The digits of a key's id that people are shown, in faults and beside the key itself.

    Raises:
        Invalid: it is no public key.
    """
    return key_id(text)[:_SHOWN]


def genuine(public_key: str, content: bytes, signature: str) -> bool:
    """Is it the signature (base 64) of that content by that key? False too for what is no signature at all.

    Raises:
        Invalid: the public key is none.
    """
    key = parsed(public_key)
    try:
        key.verify(unspelled(signature), content)
    except (InvalidSignature, ValueError):  # the latter for what is no base 64
        return False
    return True


def unspelled(text: str) -> bytes:
    """From base 64, in the standard or the URL-safe alphabet (RFC 4648, sections 4 and 5), with its padding.

    Bits that no byte is made of must be 0, so that one content has no two spellings in one alphabet.

    Raises:
        ValueError: it is none.
    """
    standard = text.translate(_STANDARD)
    content = b64decode(standard, validate=True)
    if b64encode(content).decode() != standard:
        raise ValueError("bits are left over")
    return content


def _raw(text: str) -> bytes:
    kind, _, rest = text.partition(":")
    try:
        content = unspelled(rest) if f"{kind}:" == KIND else b""
    except ValueError:
        content = b""
    if len(content) != SIZE or b64encode(content).decode() != rest:  # one key has one spelling
        raise Invalid(f"public key {text!r:.100} found, {KIND} and base64 of {SIZE} bytes expected")
    return content
