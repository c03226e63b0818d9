"""Where the policy asks for signatures: nothing answers traffic that nobody trusted vouches for."""

from __future__ import annotations

from lockgate.boundary.trust import Trust
from lockgate.domain.events import Action
from lockgate.domain.models import ModelVersion, Stage
from lockgate.domain.policy import CURRENT
from lockgate.kernel.errors import Refused
from lockgate.ports.state import POLICIES, VERSIONS, Reader, State
from lockgate.stages.decide.vouching import against, trust_in_force
from lockgate.usecases.find_nodes import nodes_of


def check_signed(tx: Reader, version: ModelVersion) -> None:
    """
    Raises:
        Refused: the policy asks for signatures, and nobody whom it trusts signed the version, or one that a graph is made of.
    """  # noqa: D212 - there is nothing else to say
    why = against_signature(tx, version)
    if why is not None:
        name = f"{version.model} {version.version}"
        raise Refused(
            f"{name} may not answer: {why}",
            hint=f"Sign it with a key that the policy trusts: lockgate sign {name}. Who is trusted: lockgate policy show",
        )


def against_signature(tx: Reader, version: ModelVersion) -> str | None:
    """What the policy has against the version's signature, in words; None: nothing."""
    trust = trust_in_force(tx.get(POLICIES, CURRENT))
    return _against(tx, version, trust, "it") if trust is not None else None


def find_unsigned(tx: Reader) -> list[tuple[ModelVersion, str]]:
    """The versions in Production and Staging that no data plane would load now, each with the reason."""
    if trust_in_force(tx.get(POLICIES, CURRENT)) is None:
        return []
    standing = [one for stage in (Stage.PRODUCTION, Stage.STAGING) for one in tx.find(VERSIONS, stage=stage.value)]
    return [(one, why) for one in standing if (why := against_signature(tx, one))]


def list_trusted_keys(state: State) -> Trust | None:
    """As the policy in force says, for the data plane; None: nothing need be signed."""
    with state.read() as tx:
        return trust_in_force(tx.get(POLICIES, CURRENT))


def _against(tx: Reader, version: ModelVersion, trust: Trust, who: str) -> str | None:
    """A graph carries the packages of its nodes: each answers for itself, however deep."""
    if why := against(version, _signer(tx, version), trust):
        return f"{who} {why}"
    for name, node in nodes_of(tx, version).items():
        who_else = f"its node {name}"
        if node is None:
            return f"{who_else} was deleted, so nobody can say who signed it"
        if why := _against(tx, node, trust, who_else):
            return why
    return None


def _signer(tx: Reader, version: ModelVersion) -> str | None:
    """The id of the key by which its provenance was signed, as it was noted in the transaction that registered it."""
    signed = tx.events(subject=f"{version.model}/{version.version}", actions=(Action.VERSION_SIGNED,), newest_first=True)
    noted = (one.happened.details for one in signed)
    return next((str(one["key"]) for one in noted if one.get("provenance") == version.provenance), None)
