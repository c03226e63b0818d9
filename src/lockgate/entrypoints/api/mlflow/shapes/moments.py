"""Times, as these clients read them."""

from __future__ import annotations

from datetime import datetime


def milliseconds(at: datetime) -> int:
    """Since 1970, in UTC."""
    return round(at.timestamp() * 1000)
