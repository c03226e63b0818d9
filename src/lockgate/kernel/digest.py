"""Content digests: `sha256:` and 64 hexadecimal digits."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from lockgate.kernel.errors import Invalid

PREFIX = "sha256:"
_DIGEST = re.compile(PREFIX + "[0-9a-f]{64}")
_CHUNK = 1 << 20
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def digest_bytes(content: bytes | memoryview) -> str:
    return PREFIX + hashlib.sha256(content).hexdigest()


def digest_file(path: Path) -> str:
    state = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            state.update(chunk)
    return PREFIX + state.hexdigest()


def canonical_json(value: Any) -> bytes:
    """The one spelling of a JSON value: sorted keys, no spaces, UTF-8. NaN and infinities have none and are refused."""
    return _canonical(value).encode()


def digest_json(value: Any) -> str:
    return digest_bytes(canonical_json(value))


def digits(digest: str) -> str:
    """The 64 digits of a digest: safe as a file's name.

    Raises:
        Invalid: it is no digest.
    """
    if not _DIGEST.fullmatch(digest):
        raise Invalid(f"{digest!r:.100} is no digest: {PREFIX} and 64 hexadecimal digits (0-9, a-f) expected")
    return digest.removeprefix(PREFIX)


def short(digest: str) -> str:
    """The first twelve digits, for people."""
    return digest.removeprefix(PREFIX)[:12]
