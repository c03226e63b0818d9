"""How many yes a request has, how many it needs, and whose."""

from __future__ import annotations

from dataclasses import dataclass

from lockgate.domain.models import RequestState, TransitionRequest, Vote
from lockgate.ports.state import Reader
from lockgate.usecases.bind_request import binding_of
from lockgate.usecases.find_rule import rule_for
from lockgate.usecases.find_things import version_of


@dataclass(frozen=True, slots=True)
class Approvals:
    """have: yes that count now. need: by the rules of now. by: whose they are. roles: groups of roles; whoever decides has one of
    each. excluded: `requester`, `author`.
    """

    have: int
    need: int
    by: tuple[str, ...]
    roles: tuple[tuple[str, ...], ...]
    excluded: tuple[str, ...]

    @property
    def missing(self) -> int:
        return max(0, self.need - self.have)


def count_approvals(tx: Reader, request: TransitionRequest) -> Approvals:
    """A yes that was given to something else counts no more, though nobody has taken it out yet."""
    rule = rule_for(tx, request.model, request.to_stage)
    bound = request.binding
    if request.state is RequestState.OPEN:
        bound = binding_of(tx, version_of(tx, request.model, request.version), request.to_stage)
    by = tuple(one.by for one in request.decisions if one.vote is Vote.APPROVE and one.binding == bound)
    return Approvals(len(by), rule.need, by, rule.roles, rule.excluded)
