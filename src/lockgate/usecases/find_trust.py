"""Find whose signatures count in this home: its own key, those that its policy trusts, and those that it revoked."""

from __future__ import annotations

from lockgate.boundary.trust import Trust
from lockgate.domain.policy import CURRENT, SignatureRule
from lockgate.ports.state import POLICIES
from lockgate.stages.decide.vouching import trust_by, trust_in_force
from lockgate.usecases.world import World


def find_trust(world: World) -> Trust:
    """Where the policy demands signatures, as the data plane goes by; elsewhere the key that signs here now, and the policy's."""
    with world.state.read() as tx:
        record = tx.get(POLICIES, CURRENT)
    in_force = trust_in_force(record)
    if in_force is not None:
        return in_force
    rule = record.policy.signatures if record is not None else SignatureRule()
    return trust_by(rule, world.signer.public_key if world.signer is not None else "")
