"""A package served for a moment by the real server, and asked: what it costs in the form in which it will be run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from lockgate.boundary.manifest import Manifest
from lockgate.domain.packages import Cost


class PackageServer(Protocol):
    def cost(self, manifest: Manifest, files: Mapping[str, bytes], columns: Mapping[str, Sequence[Any]], requests: int) -> Cost:
        """Start a server with this package alone, put so many requests of one row each to it one after the other, end it.

        files: the package's, by name. columns: rows to ask about, by input; they are asked in turns.

        Raises:
            Invalid: it cannot be served, or does not answer these rows.
        """
        ...
