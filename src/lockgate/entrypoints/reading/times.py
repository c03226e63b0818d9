"""Times as people and addresses write them."""

from __future__ import annotations

from datetime import UTC, datetime

from lockgate.kernel.errors import Invalid


def moment_of(text: str) -> datetime:
    """ISO 8601; UTC unless it says otherwise.

    Raises:
        Invalid: it is no time.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"time {text!r:.100} found, ISO 8601 expected", hint="For example 2026-11-21T14:30:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def moment_or_none(text: str) -> datetime | None:
    """None for no text; raises as `moment_of`."""
    return moment_of(text) if text else None
