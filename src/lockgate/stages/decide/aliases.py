"""Who may move an alias by hand."""

from __future__ import annotations

from fnmatch import fnmatchcase

from lockgate.domain.people import Actor
from lockgate.domain.policy import Policy
from lockgate.kernel.errors import Refused
from lockgate.stages.decide.roles import has_role


def check_may_move(policy: Policy, alias: str, actor: Actor) -> None:
    """Let pass or raise. A name in the policy may be a pattern, such as `champion:*`; where several fit, the longest counts.

    Raises:
        Refused: the policy gives the alias to roles of which the actor has none.
    """
    fitting = [pattern for pattern in policy.aliases if fnmatchcase(alias, pattern)]
    roles = policy.aliases[max(fitting, key=lambda pattern: (pattern == alias, len(pattern)))] if fitting else ()
    if not has_role(policy, actor, roles):
        raise Refused(
            f"{actor.name} has none of the roles that may move alias {alias!r}: {', '.join(roles)}",
            hint="See who has them: lockgate policy show",
        )
