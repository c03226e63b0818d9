"""How units, segments and rules spell the values of fields: as project files write them. No dependency, so that a wheel can
carry it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_WHOLE = 2.0**53  # beyond it a float does not tell whole numbers apart


def common_value(values: Sequence[Any]) -> float | str | None:
    """The value that all rows have; None if one has none, or if they differ."""
    first = values[0] if len(values) else None
    return first if isinstance(first, float | int | str) and all(value == first for value in values) else None


def spelled(value: float | str) -> str:
    """A whole number is the same one whether it came as 7, as 7.0 or in a tensor of floats."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) <= _WHOLE:
        return str(int(value))
    return str(value)


def spellings(value: float | str | None) -> tuple[str, ...]:
    """A whole number that came as a float has two, for project files know whole numbers and text only: `1`, and "1.0"."""
    if value is None:
        return ()
    return (spelled(value), str(value)) if isinstance(value, float) else (spelled(value),)
