"""Whether somebody whom the platform trusts vouches for a version: by the record of who signed it.

The data plane does not take the record's word for it. It opens the signed statement itself before it loads a package.
"""

from __future__ import annotations

from lockgate.boundary import trust as keys
from lockgate.boundary.trust import Trust, TrustedKey
from lockgate.domain.models import ModelVersion
from lockgate.domain.policy import PolicyRecord, SignatureRule

OWN = "this home"
_DIGITS = 12  # of a key's id, for people


def trust_in_force(record: PolicyRecord | None) -> Trust | None:
    """The keys whose signatures count, and those that were revoked; None: nothing need be signed.

    The home's own key is the one that it had when the policy was set: another that it signs with later counts once the policy is
    set again.
    """
    if record is None or not record.policy.signatures.required:
        return None
    return trust_by(record.policy.signatures, record.own_key)


def trust_by(rule: SignatureRule, own_key: str) -> Trust:
    """own_key: this home's, "" where there is none. A key that is revoked is revoked, wherever else it stands."""
    own = (TrustedKey(own_key, OWN),) if own_key else ()
    revoked = {one.key: TrustedKey(one.key, one.name, revoked=True) for one in keys.trusting(rule.revoked).keys}
    trusted = {one.key: one for one in (*own, *keys.trusting(rule.keys).keys)}
    return Trust(tuple((trusted | revoked).values()))


def against(version: ModelVersion, signer: str | None, trust: Trust) -> str | None:
    """What is against using the version, in words that complete `it …`; None: nothing is. signer: the id of the key that signed
    its provenance, None where nobody knows it.
    """
    if not version.provenance:
        return "is not signed"
    key = trust.by_id().get(signer) if signer else None
    if key is None:
        return f"is signed by the key {(signer or 'unknown')[:_DIGITS]}, which the policy does not trust"
    return f"is signed by the key {key.name or key.key}, which was revoked" if key.revoked else None


def newly_revoked(before: PolicyRecord | None, after: PolicyRecord) -> tuple[TrustedKey, ...]:
    """The keys that are revoked from now on."""
    known = {one.key for one in keys.trusting(before.policy.signatures.revoked).keys} if before else set()
    return tuple(one for one in keys.trusting(after.policy.signatures.revoked).keys if one.key not in known)
