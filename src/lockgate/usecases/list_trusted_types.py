"""The types that the platform's policy trusts beside Lockgate's own, for whoever loads a package."""

from __future__ import annotations

from lockgate.boundary.trusted_types import TrustedTypes
from lockgate.domain.policy import CURRENT
from lockgate.ports.state import POLICIES, State


def list_trusted_types(state: State) -> TrustedTypes:
    """As the policy in force says; none where there is no policy."""
    with state.read() as tx:
        record = tx.get(POLICIES, CURRENT)
    return TrustedTypes(record.digest, tuple(record.policy.trusted_types)) if record else TrustedTypes()
