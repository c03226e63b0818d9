"""What a request still needs, in words."""

from __future__ import annotations

from lockgate.usecases.count_approvals import Approvals


def given_clause(given: Approvals) -> str:
    """`1 of 2 (ben)`."""
    return f"{given.have} of {given.need}" + (f" ({', '.join(given.by)})" if given.by else "")


def roles_clause(given: Approvals) -> str:
    """`role approvers`, `role approvers or leads, and risk`; empty where anybody may."""
    return f"role {', and '.join(' or '.join(group) for group in given.roles)}" if given.roles else ""


def missing_clause(given: Approvals) -> str:
    """`1 more (role approvers; not the requester or the author)`: whose word is still needed."""
    who = f"not the {' or the '.join(given.excluded)}" if given.excluded else ""
    told = "; ".join(filter(None, (roles_clause(given), who)))
    return f"{given.missing} more" + (f" ({told})" if told else "")


def next_clause(request: str, requester: str, given: Approvals) -> str:
    """What whoever asked does next: mostly, ask others."""
    told = roles_clause(given)
    whose = f" ({told})" if told else ""
    if "requester" in given.excluded or given.need > 1:
        people = "somebody else" if given.need == 1 else f"{given.need} people"
        other = f", and not {requester}" if "requester" in given.excluded and given.need > 1 else ""
        return f"Next: {people}{whose}{other} must say: lockgate approve {request}. See who has: lockgate requests show {request}"
    return f"Next{whose}: lockgate approve {request}"
