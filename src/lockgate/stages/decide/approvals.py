"""Who may decide a transition request, and when it is decided."""

from __future__ import annotations

from collections.abc import Mapping

from lockgate.domain.models import ModelVersion, RequestState, TransitionRequest, Vote
from lockgate.domain.people import POLICY, Actor
from lockgate.domain.projects import ApprovalPolicy
from lockgate.kernel.errors import Conflict, Refused


def check_may_decide(policy: ApprovalPolicy, request: TransitionRequest, version: ModelVersion, actor: Actor) -> None:
    """Let pass or raise.

    Raises:
        Conflict: the request is closed, or this person already decided. Refused: the policy excludes this person.
    """
    if request.state is not RequestState.OPEN:
        raise Conflict(f"request {request.id} is {request.state.value}, it can no longer be decided")
    if any(decision.by == actor.name for decision in request.decisions):
        raise Conflict(f"{actor.name} has already decided request {request.id}")
    if actor != POLICY:
        check_not_excluded(policy, {"requester": request.requester, "author": version.author}, actor, f"request {request.id}")


def check_not_excluded(policy: ApprovalPolicy, people: Mapping[str, str], actor: Actor, what: str) -> None:
    """Let pass or raise. people: by role, those who may be excluded. what: is to be decided, as in `request request-1`.

    Raises:
        Refused: the policy excludes this person.
    """
    for role in policy.excluded:
        if people.get(role) == actor.name:
            raise Refused(
                f"{actor.name} is the {role} of {what} and may not decide it",
                hint="Ask somebody else, or change `approvals: not:` of the environment in lockgate.yaml.",
            )


def tally(policy: ApprovalPolicy, request: TransitionRequest) -> RequestState:
    """One rejection rejects; `need` approvals approve; until then the request stays open."""
    votes = [decision.vote for decision in request.decisions]
    if Vote.REJECT in votes:
        return RequestState.REJECTED
    return RequestState.APPROVED if votes.count(Vote.APPROVE) >= policy.need else RequestState.OPEN
