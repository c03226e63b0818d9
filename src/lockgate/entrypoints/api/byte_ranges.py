"""Which part of a content a `Range` header asks for (RFC 9110, section 14): one range of bytes; several are answered whole."""

from __future__ import annotations

import re
from typing import NamedTuple

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII)


class Part(NamedTuple):
    """From the byte `first` on, `size` of them; at least one, unless the content is empty."""

    first: int
    size: int


class Unsatisfiable(Exception):
    """The range lies beyond the end."""


def asked_for(header: str, size: int) -> Part | None:
    """None for the whole: without a range, and for what is none, as the standard wants it.

    size: of the content, in bytes.

    Raises:
        Unsatisfiable: nothing of it is there.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        first, last = max(0, size - int(match[2])), size - 1
    else:
        first, last = int(match[1]), min(int(match[2]), size - 1) if match[2] else size - 1
        if match[2] and int(match[2]) < first:
            return None
    if first > last:
        raise Unsatisfiable
    return Part(first, last - first + 1)
