"""Let another policy be in force. What people said under the one before counts no more."""

from __future__ import annotations

from dataclasses import dataclass

from lockgate.domain.events import Action, Happened
from lockgate.domain.models import TransitionRequest
from lockgate.domain.people import Actor
from lockgate.domain.policy import CURRENT, Policy, PolicyRecord
from lockgate.kernel.digest import digest_bytes
from lockgate.kernel.errors import Conflict
from lockgate.ports.state import POLICIES, PROJECTS, Reader
from lockgate.project.policy import FILE, parse_policy
from lockgate.usecases.bind_request import bind_open_requests
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
    with world.state.write() as tx:
        before = tx.get(POLICIES, CURRENT)
        in_force = before.digest if before else ""
        if if_digest is not None and if_digest != in_force:
            told = f"the policy in force is {in_force or 'none'}, not {if_digest or 'none'}"
            raise Conflict(told, hint="Look at it again: lockgate policy show")
        if before is not None and before.digest == digest:
            return PolicySet(before, changed=False)
        record = PolicyRecord(policy, text, digest, actor.name, now)
        tx.put(POLICIES, record)
        details = {"from": in_force or None, "to": digest, "text": text}
        tx.record(Happened(Action.POLICY_SET, actor.name, actor.authenticated, now, CURRENT, details=dict(details)))
        return PolicySet(record, changed=True, voided=tuple(bind_open_requests(tx, actor, now)))


def roles_of_nobody(tx: Reader, policy: Policy) -> list[str]:
    """Where project files ask for a role that the policy gives to nobody, in words."""
    found = []
    for project in tx.find(PROJECTS):
        for name, environment in project.environments.items():
            missing = [role for role in environment.approvals.roles if not policy.roles.get(role)]
            found += [f"{project.model} asks for role {role!r} in environments.{name}.approvals.from" for role in missing]
    return found
