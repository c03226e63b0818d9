"""Find whose signatures count in this home: its own key, those that its policy trusts, and those that it revoked."""

from __future__ import annotations

from lockgate.boundary.trust import Trust, TrustedKey, trusting
from lockgate.domain.policy import CURRENT, SignatureRule
from lockgate.ports.state import POLICIES
from lockgate.stages.decide.vouching import OWN
from lockgate.usecases.world import World


def find_trust(world: World) -> Trust:
    """Whether or not the policy demands signatures. A key that is revoked is revoked, wherever else it stands."""
    with world.state.read() as tx:
        record = tx.get(POLICIES, CURRENT)
    rule = record.policy.signatures if record is not None else SignatureRule()
    own = (TrustedKey(world.signer.public_key, OWN),) if world.signer is not None else ()
    found = {one.key: one for one in (*trusting(rule.keys).keys, *own)}
    found |= {one.key: TrustedKey(one.key, one.name, revoked=True) for one in trusting(rule.revoked).keys}
    return Trust(tuple(found.values()))
