"""What leaves the house under a model's name: one version's package, and the signed papers that travel with it."""

from __future__ import annotations

import msgspec

from lockgate.boundary import statements
from lockgate.boundary.trust import Trust, TrustedKey
from lockgate.kernel.errors import Refused


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """digest: of the package's manifest. provenance, sbom: digests of signed statements about it, as artifacts; "" where none."""

    model: str
    version: int
    digest: str
    provenance: str = ""
    sbom: str = ""

    def __str__(self) -> str:
        return f"{self.model} {self.version}"


def check_provenance(release: Release, content: bytes | None, trust: Trust) -> TrustedKey:
    """Who vouches for the package. content: the statement that `release.provenance` names, None where there is none.

    Raises:
        Refused: nobody that is trusted does, or for another package. Corrupt: it is no statement.
    """
    what = f"the provenance of {release}"
    if content is None:
        raise Refused(
            f"{release} is not signed, and only what is signed may be used here",
            hint="Versions are signed when they are registered: `lockgate sign MODEL VERSION` signs an older one.",
        )
    return statements.hear_about(content, statements.PROVENANCE, release.digest, trust, what)[1]
