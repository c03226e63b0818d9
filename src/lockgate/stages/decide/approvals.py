"""Who may decide a transition request, and when it is decided."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime

from lockgate.domain.models import RequestState, TransitionRequest, Vote
from lockgate.domain.people import Actor, folded
from lockgate.domain.policy import Policy
from lockgate.kernel.errors import Conflict, Refused
from lockgate.stages.decide.entry import EntryRule, lacked_roles

Names = AbstractSet[str]  # by which one person is known, folded


def check_open(request: TransitionRequest, now: datetime, verb: str = "decided") -> None:
    """Let pass or raise.

    Raises:
        Conflict: the request is closed, or its time is over.
    """
    if request.state is not RequestState.OPEN:
        seen = f"Who said what of it: lockgate requests show {request.id}"
        hint = seen if request.state is RequestState.APPROVED else f"{seen}. {_again(request)}"
        raise Conflict(f"request {request.id} is {request.state.value}, it can no longer be {verb}", hint=hint)
    if has_expired(request, now):
        raise Conflict(
            f"request {request.id} expired at {request.expires_at:%Y-%m-%d %H:%M:%S} UTC, it can no longer be {verb}",
            hint=_again(request),
        )


def _again(request: TransitionRequest) -> str:
    segment = f" --segment {request.segment}" if request.segment else ""
    return f"Ask again: lockgate request {request.model} {request.version} --to {request.to_stage.value}{segment}"


def has_expired(request: TransitionRequest, now: datetime) -> bool:
    return request.state is RequestState.OPEN and request.expires_at is not None and request.expires_at <= now


def check_has_not_decided(request: TransitionRequest, actor: Actor, known_as: Names) -> None:
    """
    Raises:
        Conflict: this person's word is there already, and stands.
    """  # noqa: D212 - there is nothing else to say
    if any(folded(decision.by) in known_as for decision in request.decisions):
        raise Conflict(f"{actor.name} has already decided request {request.id}")


def check_may_decide(
    rule: EntryRule, policy: Policy, actor: Actor, known_as: Names, people: Mapping[str, Names], what: str
) -> None:
    """Let pass or raise. known_as: the actor's names. people: `requester` and `author`, each by their names. what: is to be
    decided, as in `request request-1`.

    Raises:
        Refused: the rule excludes this person, asks for a role that they have not, or for a name that was checked.
    """
    check_authenticated(rule, actor, what)
    check_not_excluded(rule, known_as, people, actor, what)
    lacked = lacked_roles(rule, policy, actor)
    if lacked:
        unknown = [role for role in lacked if role not in policy.roles]
        told = f"; the policy gives {_listed(unknown)} to nobody" if unknown else ""
        raise Refused(
            f"{actor.name} has none of the roles that may decide {what}: {_listed(lacked)}{told}",
            hint="See who has them: lockgate policy show",
        )


def check_authenticated(rule: EntryRule, actor: Actor, what: str) -> None:
    if rule.authenticated and not actor.authenticated:
        raise Refused(
            f"the policy wants to know who decides {what}, and nobody has checked that {actor.name} is {actor.name}",
            hint="Sign in, or show a token: $LOCKGATE_TOKEN on the command line, `Authorization: Bearer TOKEN` over HTTP.",
        )


def check_not_excluded(rule: EntryRule, known_as: Names, people: Mapping[str, Names], actor: Actor, what: str) -> None:
    for role in rule.excluded:
        if not known_as.isdisjoint(people.get(role, frozenset())):
            hint = "Ask somebody else, or change `approvals: not:` of the environment in lockgate.yaml, and the policy's `not:`."
            raise Refused(f"{actor.name} is the {role} of {what} and may not decide it", hint=hint)


def _listed(roles: tuple[str, ...] | list[str]) -> str:
    return ", ".join(roles)


def tally(need: int, request: TransitionRequest) -> RequestState:
    """One rejection rejects; `need` approvals approve; until then the request stays open."""
    votes = [decision.vote for decision in request.decisions]
    if Vote.REJECT in votes:
        return RequestState.REJECTED
    return RequestState.APPROVED if votes.count(Vote.APPROVE) >= need else RequestState.OPEN


def alone(rule: EntryRule, policy: Policy, actor: Actor, known_as: Names, authors: Names) -> list[str]:
    """Why the actor cannot both ask for a move and let it happen; empty: nothing is against it."""
    against = []
    if rule.need > 1:
        against.append(f"{rule.need} different people must say yes")
    if "requester" in rule.excluded:
        against.append("whoever asks may not decide")
    if "author" in rule.excluded and not known_as.isdisjoint(authors):
        against.append("the author of its commit may not decide")
    lacked = lacked_roles(rule, policy, actor)
    if lacked:
        against.append(f"one of the roles {_listed(lacked)} is needed")
    if rule.authenticated and not actor.authenticated:
        against.append("a name that was only given does not count")
    return against
