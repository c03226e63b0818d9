"""Requests, comments and events, as Databricks' activities. It knows seven kinds; `x_activity_type` says ours."""

from __future__ import annotations

from typing import Any

from lockgate.domain.events import Action, Event, Happened
from lockgate.domain.models import ModelVersion, RequestState, Stage, TransitionRequest, Vote
from lockgate.domain.people import Actor
from lockgate.domain.remarks import Comment
from lockgate.entrypoints.api.mlflow.shapes.moments import milliseconds
from lockgate.kernel.errors import LockgateError
from lockgate.ports.state import Reader
from lockgate.stages.decide.approvals import check_has_not_decided
from lockgate.usecases.find_rule import check_person, known_as, rule_for

_APPLIED, _REQUESTED, _CANCELLED = "APPLIED_TRANSITION", "REQUESTED_TRANSITION", "CANCELLED_REQUEST"
_APPROVED, _REJECTED, _SYSTEM, _COMMENT = "APPROVED_REQUEST", "REJECTED_REQUEST", "SYSTEM_TRANSITION", "NEW_COMMENT"

# The nearest that Databricks knows, and our own name where there is a nearer one. All else: a doing of the system, by its action.
_TYPES: dict[Action, tuple[str, str]] = {
    Action.REQUEST_CREATED: (_REQUESTED, _REQUESTED),
    Action.REQUEST_APPROVED: (_APPROVED, _APPROVED),
    Action.REQUEST_REJECTED: (_REJECTED, _REJECTED),
    Action.REQUEST_CANCELLED: (_CANCELLED, _CANCELLED),
    Action.REQUEST_EXPIRED: (_CANCELLED, "REQUEST_EXPIRED"),
    Action.STAGE_APPLIED: (_APPLIED, _APPLIED),
    Action.STAGE_ARCHIVED: (_SYSTEM, _SYSTEM),
    Action.COMMENT_ADDED: (_COMMENT, _COMMENT),
    Action.COMMENT_EDITED: (_COMMENT, "COMMENT_EDITED"),
    Action.COMMENT_DELETED: (_COMMENT, "COMMENT_DELETED"),
    Action.APPROVAL_VOIDED: (_SYSTEM, "APPROVAL_VOIDED"),
    Action.VERSION_REGISTERED: (_SYSTEM, "GATE_RESULT"),
    Action.WAIVER_GRANTED: (_SYSTEM, "WAIVER_GRANTED"),
    Action.GLASS_BROKEN: (_SYSTEM, "BREAK_GLASS"),
    Action.ROLLOUT_PROMOTED: (_SYSTEM, "DEPLOYED"),
    Action.ROLLED_BACK: (_SYSTEM, "ROLLED_BACK"),
    Action.ALIAS_SET: (_SYSTEM, "ALIAS_SET"),
    Action.ALIAS_REMOVED: (_SYSTEM, "ALIAS_REMOVED"),
}


def activity_type(happened: Happened) -> tuple[str, str]:
    """Databricks' kind of activity, and ours."""
    if happened.action is Action.REQUEST_APPROVED and happened.details.get("state") == RequestState.OPEN.value:
        return _APPROVED, "APPROVAL_VOTE"  # more are needed
    return _TYPES.get(happened.action, (_SYSTEM, happened.action.name))


def activity(event: Event) -> dict[str, Any]:
    """With its place in the chain of events."""
    happened, details = event.happened, event.happened.details
    kind, ours = activity_type(happened)
    told: dict[str, Any] = {
        "id": str(event.seq),
        "activity_type": kind,
        "x_activity_type": ours,
        "user_id": happened.actor,
        "creation_timestamp": milliseconds(happened.at),
        "last_updated_timestamp": milliseconds(happened.at),
        "comment": str(details.get("comment", "")),
        "version": str(happened.version) if happened.version else "",
        "seq": event.seq,
        "prev_hash": event.prev_hash,
        "hash": event.hash,
    }
    return told | _stages(happened) | _explained(happened, kind)


def last_activity(tx: Reader, request: TransitionRequest, *actions: Action) -> dict[str, Any]:
    """The newest of these about the request: what the call that is answered has brought about."""
    found = (one for one in tx.events(subject=request.id, newest_first=True) if one.happened.action in actions)
    return activity(next(found))


def _stages(happened: Happened) -> dict[str, str]:
    if happened.action is Action.STAGE_ARCHIVED:
        return {"from_stage": str(happened.details["from"]), "to_stage": Stage.ARCHIVED.value}
    stages = [stage.value for stage in Stage]  # other events say other things by the same words
    fields = (("from", "from_stage"), ("to", "to_stage"))
    return {name: happened.details[key] for key, name in fields if happened.details.get(key) in stages}


def _explained(happened: Happened, kind: str) -> dict[str, str]:
    """Why the system did it, where nobody said so in a comment."""
    if happened.action is Action.STAGE_ARCHIVED:
        return {"system_comment": f"Version {happened.details['for']} entered {happened.details['from']}."}
    said = next((str(happened.details[key]) for key in ("why", "detail", "reason") if happened.details.get(key)), "")
    return {"system_comment": said or happened.action.value} if kind == _SYSTEM or said else {}


def open_request(tx: Reader, request: TransitionRequest, version: ModelVersion, viewer: Actor) -> dict[str, Any]:
    """A request that waits, as the activity of having asked."""
    last = max((request.created_at, *(one.at for one in request.decisions)))
    return {
        "id": request.id,
        "activity_type": _REQUESTED,
        "x_activity_type": _REQUESTED,
        "user_id": request.requester,
        "creation_timestamp": milliseconds(request.created_at),
        "last_updated_timestamp": milliseconds(last),
        "comment": request.comment,
        "from_stage": version.stage.value,
        "to_stage": request.to_stage.value,
        "available_actions": request_actions(tx, request, version, viewer),
    }


def transition_request(tx: Reader, request: TransitionRequest, version: ModelVersion, viewer: Actor) -> dict[str, Any]:
    return {
        "id": request.id,
        "user_id": request.requester,
        "creation_timestamp": milliseconds(request.created_at),
        "last_updated_timestamp": milliseconds(request.created_at),
        "comment": request.comment,
        "to_stage": request.to_stage.value,
        "available_actions": request_actions(tx, request, version, viewer),
    }


def request_actions(tx: Reader, request: TransitionRequest, version: ModelVersion, viewer: Actor) -> list[str]:
    """What the rules leave to the viewer. Whether the way is open as well (gates, other rollouts) the answer to the call says."""
    own = ["CANCEL_TRANSITION_REQUEST"] if request.requester == viewer.name else []
    try:
        check_has_not_decided(request, viewer, known_as(tx, viewer))
        rule = rule_for(tx, request.model, request.to_stage)
        check_person(tx, rule, version, request.requester, viewer, f"request {request.id}")
    except LockgateError:
        return own
    return ["APPROVE_TRANSITION_REQUEST", "REJECT_TRANSITION_REQUEST", *own]


def approvals(tx: Reader, request: TransitionRequest) -> dict[str, Any]:
    """Who said yes so far, and how many must."""
    voters = [one.by for one in request.decisions if one.vote is Vote.APPROVE]
    return {"have": len(voters), "need": rule_for(tx, request.model, request.to_stage).need, "voters": voters}


def comment_object(comment: Comment, viewer: Actor) -> dict[str, Any]:
    return {
        "id": comment.id,
        "user_id": comment.by,
        "creation_timestamp": milliseconds(comment.at),
        "last_updated_timestamp": milliseconds(comment.edited_at or comment.at),
        "comment": comment.text,
        "available_actions": ["EDIT_COMMENT", "DELETE_COMMENT"] if comment.by == viewer.name else [],
    }
