"""Let another policy be in force. What people said under the one before counts no more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lockgate.boundary.public_keys import key_id
from lockgate.domain.events import Action, Happened
from lockgate.domain.models import TransitionRequest
from lockgate.domain.people import Actor
from lockgate.domain.policy import CURRENT, Policy, PolicyRecord
from lockgate.domain.rollouts import Outcome, Signal
from lockgate.kernel.digest import digest_bytes, short
from lockgate.kernel.errors import Conflict
from lockgate.ports.state import POLICIES, PROJECTS, Reader, Writer
from lockgate.project.policy import FILE, parse_policy
from lockgate.stages.decide.vouching import newly_revoked
from lockgate.usecases.bind_request import bind_open_requests
from lockgate.usecases.check_signature import against_signature
from lockgate.usecases.find_rollouts import rollouts_under_way
from lockgate.usecases.find_things import version_of
from lockgate.usecases.steer_rollout import give_signal
from lockgate.usecases.world import World


@dataclass(frozen=True, slots=True)
class PolicySet:
    """changed: another was in force before. voided: the requests whose approvals count no more, as they were."""

    record: PolicyRecord
    changed: bool
    voided: tuple[TransitionRequest, ...] = ()


def set_policy(world: World, text: str, actor: Actor, file: str = FILE, if_digest: str | None = None) -> PolicySet:
    """The policy is in force from now on; the same text again changes nothing, and no approval is void by it.

    file: as faults call the text. if_digest: of the policy that the caller saw in force, "" for none.

    Raises:
        InvalidInput: the text has faults: all of them. Conflict: another policy is in force than was seen.
    """
    policy, digest, now = parse_policy(text, file), digest_bytes(text.encode()), world.clock.now()
    own_key = world.signer.public_key if policy.signatures.required and world.signer else ""
    with world.state.write() as tx:
        before = tx.get(POLICIES, CURRENT)
        in_force = before.digest if before else ""
        if if_digest is not None and if_digest != in_force:
            told = f"the policy in force is {in_force or 'none'}, not {if_digest or 'none'}"
            raise Conflict(told, hint="Look at it again: lockgate policy show")
        if before is not None and (before.digest, before.own_key) == (digest, own_key):
            return PolicySet(before, changed=False)
        record = PolicyRecord(policy, text, digest, actor.name, now, own_key=own_key)
        tx.put(POLICIES, record)
        details = {"from": in_force or None, "to": digest, "text": text}
        tx.record(Happened(Action.POLICY_SET, actor.name, actor.authenticated, now, CURRENT, details=dict(details)))
        _heed_signatures(tx, before, record, actor, now)
        return PolicySet(record, changed=True, voided=tuple(bind_open_requests(tx, actor, now)))


def _heed_signatures(tx: Writer, before: PolicyRecord | None, record: PolicyRecord, actor: Actor, now: datetime) -> None:
    """Say which keys count no more, and end what is on its way without a signature that counts. What serves goes on serving."""
    for key in newly_revoked(before, record):
        details: dict[str, object] = {
            "key": key.key,
            "name": key.name,
            "why": f"policy {short(record.digest)} names it as revoked",
        }
        tx.record(Happened(Action.KEY_REVOKED, actor.name, actor.authenticated, now, key_id(key.key), details=details))
    for rollout in rollouts_under_way(tx) if record.policy.signatures.required else []:
        numbers = {rollout.version, *(one.version for one in rollout.contestants if not one.gone)} - {rollout.baseline}
        why = [said for one in sorted(numbers) if (said := against_signature(tx, version_of(tx, rollout.model, one)))]
        if why:
            give_signal(tx, rollout, Signal.ABORT, actor, now, Outcome(rollout.verdict, detail=f"signatures: {why[0]}"))


def roles_of_nobody(tx: Reader, policy: Policy) -> list[str]:
    """Where project files ask for a role that the policy gives to nobody, in words."""
    found = []
    for project in tx.find(PROJECTS):
        for name, environment in project.environments.items():
            missing = [role for role in environment.approvals.roles if not policy.roles.get(role)]
            found += [f"{project.model} asks for role {role!r} in environments.{name}.approvals.from" for role in missing]
    return found
