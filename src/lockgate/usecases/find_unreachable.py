"""Where a policy asks for more people than there are."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.domain.access import User
from lockgate.domain.people import Actor
from lockgate.domain.policy import Policy
from lockgate.ports.state import USERS, Reader
from lockgate.stages.decide.roles import GROUP, has_role


def find_unreachable(tx: Reader, policy: Policy) -> list[str]:
    """Stages into which no request can be approved for want of people, and names that no user has, in words.

    Without users nothing is known of people, and nothing is said.
    """
    users = tx.find(USERS)
    return [*_strangers(policy, users), *_too_few(policy, users)] if users else []


def _strangers(policy: Policy, users: list[User]) -> Iterator[str]:
    known = {user.name for user in users} | {GROUP + group for user in users for group in user.groups}
    for role, members in policy.roles.items():
        missing = [member for member in members if member not in known]
        if missing:
            yield f"role {role!r} names {', '.join(missing)}, which no user here is or is in"


def _too_few(policy: Policy, users: list[User]) -> Iterator[str]:
    """Of people who may come in."""
    able = [Actor(user.name, authenticated=True, groups=user.groups) for user in users if user.disabled_at is None]
    for stage, rule in policy.stages.items():
        people = sum(has_role(policy, actor, rule.roles) for actor in able)
        if people < rule.need:
            needed = f"{rule.need} different people" + (f" of {' or '.join(rule.roles)}" if rule.roles else "")
            yield f"nobody can let a version into {stage}: {needed} must say yes, and there {_are(people)}"


def _are(people: int) -> str:
    return "is 1 user who may" if people == 1 else f"are {people or 'no'} users who may"
