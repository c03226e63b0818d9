"""Programs that follow channels or embed a version, as the REST API answers them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from lockgate.entrypoints.api.shapes.basics import Shape


class Following(Shape):
    """One process. channel: of a wheel, which follows none, its model. wanted: the version that the channel has for whoever is in
    no trial. behind: it answers otherwise than the channel says. seen_at: by the control plane's clock. silent: for 15 minutes.
    """

    channel: str
    host: str
    kind: Literal["embedded", "subscriber"]
    running: int | None
    ready: list[int]
    wanted: int | None
    behind: bool
    revision: str
    faults: list[str]
    seen_at: datetime
    silent: bool
