"""Limits of what a package may cost in the form in which it will be run, as people write them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lockgate.stages.fields import Number, Spec

Limit = Annotated[Number, Field(gt=0)]


class PackagedSpec(Spec):
    """p50_ms, p95_ms, p99_ms: milliseconds for one row through the real server. size_mb: of the package's files. rss_mb: memory
    of the server's processes with this package alone. cold_start_s: seconds from the server's start to the first answer. A
    megabyte is 1,000,000 bytes.
    """

    p50_ms: Limit | None = None
    p95_ms: Limit | None = None
    p99_ms: Limit | None = None
    size_mb: Limit | None = None
    rss_mb: Limit | None = None
    cold_start_s: Limit | None = None

    @property
    def limits(self) -> dict[str, float]:
        """Those that are set, by name."""
        return {name: limit for name in type(self).model_fields if (limit := getattr(self, name)) is not None}
