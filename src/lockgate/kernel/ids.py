"""Short names for things that have none of their own."""

from __future__ import annotations

import secrets

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: nothing that a person mistakes when reading aloud
_LENGTH = 10  # 50 bits: at a million things the chance that any two collide is 1 in 2,000; stores refuse duplicates


def new_id(prefix: str) -> str:
    """`run-7k3m9x2q4d`: a prefix that says what it names, and 50 random bits."""
    return f"{prefix}-{''.join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))}"
