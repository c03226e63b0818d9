"""What a worker tells the control plane of itself: which table it routes by, and which packages can answer."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from lockgate.boundary.routes import Revision


class Readiness(StrEnum):
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


class PackageState(msgspec.Struct, frozen=True):
    readiness: Readiness
    reason: str = ""


class Acknowledgement(msgspec.Struct, frozen=True):
    """`worker` is the place (slot) that the process fills, `incarnation` the process itself: a restart changes it.

    leaving: it answers no more than what it has in its hands; nobody need wait for it.
    """

    worker: str
    incarnation: str
    revision: Revision
    applied_at: float  # Unix seconds at which `revision` took effect in this worker
    packages: dict[str, PackageState]
    rss_bytes: int = 0
    leaving: bool = False
