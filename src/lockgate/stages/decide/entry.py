"""What it takes to come into a stage: of the platform's policy and the project file, the stricter in every respect."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lockgate.domain.models import Stage
from lockgate.domain.people import Actor
from lockgate.domain.policy import Edge, Policy, StageRule
from lockgate.domain.projects import ApprovalPolicy
from lockgate.stages.decide.roles import has_role

_ALONE = ApprovalPolicy()


@dataclass(frozen=True, slots=True)
class EntryRule:
    """need: yes of so many different people. roles: groups of roles; whoever decides has one of each group. excluded: as in
    projects.ApprovalPolicy. gates: that must have passed or be waived. authenticated: a name that was only given does not count.
    """

    need: int = 1
    roles: tuple[tuple[str, ...], ...] = ()
    excluded: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    authenticated: bool = False


def entry_rule(platform: StageRule | None, project: ApprovalPolicy | None) -> EntryRule:
    """The stricter of both. Where neither says anything: one yes, by neither the requester nor the author."""
    if platform is None:
        said = project or _ALONE
        return EntryRule(said.need, _groups(said.roles), said.excluded)
    said = project or ApprovalPolicy(excluded=())
    return EntryRule(
        need=max(platform.need, said.need),
        roles=_groups(platform.roles, said.roles),
        excluded=tuple(dict.fromkeys((*platform.excluded, *said.excluded))),
        gates=platform.gates,
        authenticated=platform.authenticated,
    )


def _groups(*groups: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(dict.fromkeys(group for group in groups if group))


def lacked_roles(rule: EntryRule, policy: Policy, actor: Actor) -> tuple[str, ...]:
    """The first group of roles of which the actor has none; empty: nothing is lacking."""
    return next((group for group in rule.roles if not has_role(policy, actor, group)), ())


def missing_edge(edges: Iterable[Edge] | None, from_stage: Stage, to_stage: Stage) -> str | None:
    """What is against the move, in words; None: nothing. edges: None: every move."""
    if edges is None or from_stage is to_stage:  # a segment of Production, for what stands there already
        return None
    allowed = [one for one in edges if one.from_stage in (None, from_stage)]
    if any(one.to_stage is to_stage for one in allowed):
        return None
    goals = ", ".join(dict.fromkeys(one.to_stage.value for one in allowed if one.to_stage is not from_stage)) or "nowhere"
    return f"the policy has no move from {from_stage.value} to {to_stage.value}; from {from_stage.value} one may go to: {goals}"
