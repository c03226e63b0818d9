"""Who is what: the policy gives roles to users by their name and to groups as `group:NAME`."""

from __future__ import annotations

from collections.abc import Collection

from lockgate.domain.people import Actor
from lockgate.domain.policy import Policy

GROUP = "group:"


def roles_of(policy: Policy, actor: Actor) -> frozenset[str]:
    """The roles that the policy gives to the actor, by name or by one of the actor's groups."""
    names = {actor.name, *(GROUP + group for group in actor.groups)}
    return frozenset(role for role, members in policy.roles.items() if not names.isdisjoint(members))


def has_role(policy: Policy, actor: Actor, roles: Collection[str]) -> bool:
    """Whether the actor has one of `roles`. No roles: anybody."""
    return not roles or not roles_of(policy, actor).isdisjoint(roles)
