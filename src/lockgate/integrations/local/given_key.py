"""A key to sign with that somebody else made and keeps: a file, or a text in the environment. Nothing is made or changed here."""

from __future__ import annotations

import binascii
import os
import stat
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from lockgate.boundary import public_keys
from lockgate.boundary.private_keys import KeyHolder
from lockgate.kernel.errors import Invalid, Refused, Unavailable

PRIVATE = "ed25519-private:"  # how a key as text begins
_MOST = 16 * 1024  # bytes of a key file
_EXPECTED = f"an Ed25519 key expected: {public_keys.SIZE} raw bytes, or PKCS#8 as PEM without a password"


@dataclass(frozen=True, slots=True)
class GivenKey(KeyHolder):
    """A ports.signer.Signer. read: gives the private key's bytes whenever one is needed; `source` is for people."""

    source: str
    read: Callable[[], bytes] = field(repr=False)

    def private_key(self) -> Ed25519PrivateKey:
        content = self.read()
        if len(content) == public_keys.SIZE:
            return Ed25519PrivateKey.from_private_bytes(content)
        try:
            found = load_pem_private_key(content, None)
        except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it needs a password. What it says may quote the key
            raise Invalid(f"{self.source}: {len(content)} bytes found, {_EXPECTED}") from None
        if not isinstance(found, Ed25519PrivateKey):
            raise Invalid(f"{self.source}: a key of another kind found, {_EXPECTED}")
        return found


def key_in_file(path: Path) -> GivenKey:
    return GivenKey(str(path), lambda: _content(path))


def key_in_text(text: str, source: str) -> GivenKey:
    """text: `ed25519-private:` and base 64 of 32 bytes, or of PKCS#8 as PEM. source: where it came from."""
    return GivenKey(source, lambda: _decoded(text, source))


def _content(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would have us wait for its writer
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise Invalid(f"{path}: no regular file")
            if found.st_mode & 0o077:
                why = f"mode {stat.S_IMODE(found.st_mode):04o} found, and only its owner may read a private key"
                raise Refused(f"{path}: {why}", hint=f"chmod 600 {path}")
            return file.read(_MOST)
    except OSError as error:
        hint = "$LOCKGATE_SIGNING_KEY says which key signs releases; without it the home has one of its own."
        raise Unavailable(f"the key to sign with cannot be read from {path}: {error.strerror}", hint=hint) from error


def _decoded(text: str, source: str) -> bytes:
    try:
        return b64decode(text.strip().removeprefix(PRIVATE), validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(f"{source}: no base 64 found behind {PRIVATE}") from None
