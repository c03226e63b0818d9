"""Documents that all programs read alike: Go's take `Manifests` for `manifests`, and of two fields of one name the last."""

from __future__ import annotations

import json
from typing import Any

from lockgate.kernel.errors import Corrupt


def plain(content: bytes, what: str) -> bytes:
    """The same.

    Raises:
        Corrupt: it is no JSON, or two of its names are one name to others.
    """
    try:
        json.loads(content.decode(), object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise Corrupt(f"{what} cannot be read: {error!s:.200}") from error
    return content


def _object(pairs: list[tuple[str, Any]]) -> None:
    names = [name.casefold() for name, _ in pairs]
    if len(set(names)) != len(names):
        twice = next(name for at, name in enumerate(names) if name in names[:at])
        raise ValueError(f"{twice!r:.80} stands twice in it")
