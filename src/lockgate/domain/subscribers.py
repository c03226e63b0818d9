"""Programs that follow a channel, as they last told of themselves."""

from __future__ import annotations

from dataclasses import dataclass

from lockgate.boundary.reports import Standing


@dataclass(frozen=True, slots=True)
class Subscriber:
    """id: of the process. model: of its channel. seen_at: Unix seconds, by the control plane's clock."""

    id: str
    model: str
    seen_at: float
    standing: Standing
