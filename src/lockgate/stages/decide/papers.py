"""What a version's signed papers are drawn up from, and how they spell what they share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from lockgate.boundary.manifest import Manifest
from lockgate.domain.distributions import Distribution
from lockgate.domain.models import ModelVersion
from lockgate.domain.remarks import Notes
from lockgate.domain.runs import Run
from lockgate.kernel.digest import digits

NODES = "nodes"  # an option of a graph's manifest: the digest of each model in it, by MODEL@VERSION


@dataclass(frozen=True, slots=True)
class Facts:
    """release: the version of lockgate. run: None where it is not known any more. notes: of the model and of the version, as far
    as somebody wrote any. needs: what must be there for the package to run.
    """

    version: ModelVersion
    manifest: Manifest
    release: str
    run: Run | None = None
    notes: tuple[Notes, ...] = ()
    needs: tuple[Distribution, ...] = ()

    def nodes(self) -> dict[str, str]:
        """Of a graph: the digests of the packages that it is made of, by MODEL@VERSION."""
        found = self.manifest.options.get(NODES)
        return {str(name): str(digest) for name, digest in found.items()} if isinstance(found, dict) else {}


def moment(at: datetime) -> str:
    """RFC 3339, to the second, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def hash_of(digest: str) -> dict[str, str]:
    """As in-toto spells digests."""
    return {"sha256": digits(digest)}
