"""Approve, reject or cancel a request. The approval that completes the quorum opens the way in the same transaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from lockgate.domain.environments import ENVIRONMENT_OF
from lockgate.domain.events import Action, Happened
from lockgate.domain.models import Decision, RequestState, TransitionRequest, Vote
from lockgate.domain.people import Actor
from lockgate.domain.projects import ApprovalPolicy
from lockgate.kernel.errors import Conflict, Refused
from lockgate.ports.state import REQUESTS, Writer
from lockgate.stages.decide.approvals import check_may_decide, tally
from lockgate.usecases.apply_stage import apply_stage
from lockgate.usecases.check_segment import check_same_part
from lockgate.usecases.find_staged import check_had_its_time
from lockgate.usecases.find_things import environment_of, request_by, version_of
from lockgate.usecases.publish_routes import publish_routes
from lockgate.usecases.start_rollout import check_may_leave, open_rollout
from lockgate.usecases.world import World


def approve_request(world: World, request_id: str, actor: Actor, comment: str = "") -> TransitionRequest:
    """One person's yes.

    Raises:
        NotFound, Conflict (closed, already decided, another rollout is under way), Refused (the policy excludes the actor, or the
        segment that was asked for is another part of the traffic by now).
    """
    with world.state.write() as tx:
        return decide(tx, request_by(tx, request_id), Vote.APPROVE, actor, world.clock.now(), comment)


def reject_request(world: World, request_id: str, actor: Actor, comment: str = "") -> TransitionRequest:
    with world.state.write() as tx:
        return decide(tx, request_by(tx, request_id), Vote.REJECT, actor, world.clock.now(), comment)


def cancel_request(world: World, request_id: str, actor: Actor, comment: str = "") -> TransitionRequest:
    """Its requester takes a request back."""
    now = world.clock.now()
    with world.state.write() as tx:
        request = request_by(tx, request_id)
        if request.state is not RequestState.OPEN:
            raise Conflict(f"request {request.id} is {request.state.value}, it can no longer be cancelled")
        if request.requester != actor.name:
            raise Refused(f"request {request.id} is {request.requester}'s; {actor.name} may reject it, not cancel it")
        cancelled = replace(request, state=RequestState.CANCELLED, closed_at=now)
        tx.put(REQUESTS, cancelled)
        tx.record(_happened(Action.REQUEST_CANCELLED, cancelled, actor, now, comment))
        return cancelled


def decide(tx: Writer, request: TransitionRequest, vote: Vote, actor: Actor, now: datetime, comment: str) -> TransitionRequest:
    version = version_of(tx, request.model, request.version)
    policy = approval_policy(tx, request)
    check_may_decide(policy, request, version, actor)
    if vote is Vote.APPROVE and request.to_stage in ENVIRONMENT_OF:
        check_same_part(tx, request)
        check_had_its_time(tx, version, ENVIRONMENT_OF[request.to_stage], now)
    decided = replace(request, decisions=(*request.decisions, Decision(actor.name, vote, now, comment)))
    state = tally(policy, decided)
    if state is not RequestState.OPEN:
        decided = replace(decided, state=state, closed_at=now)
    tx.put(REQUESTS, decided)
    action = Action.REQUEST_APPROVED if vote is Vote.APPROVE else Action.REQUEST_REJECTED
    tx.record(_happened(action, decided, actor, now, comment))
    if state is RequestState.APPROVED:
        _carry_out(tx, decided, actor, now)
    return decided


def approval_policy(tx: Writer, request: TransitionRequest) -> ApprovalPolicy:
    environment = ENVIRONMENT_OF.get(request.to_stage)
    return environment_of(tx, request.model, environment).approvals if environment else ApprovalPolicy()


def _carry_out(tx: Writer, request: TransitionRequest, actor: Actor, now: datetime) -> None:
    version = version_of(tx, request.model, request.version)
    if request.digest != version.digest:
        raise Conflict(f"request {request.id} speaks of {request.digest}, version {version.version} is {version.digest}")
    if request.to_stage in ENVIRONMENT_OF:
        open_rollout(tx, version, ENVIRONMENT_OF[request.to_stage], actor, now, request=request.id, segment=request.segment)
    else:
        check_may_leave(tx, version)
        apply_stage(tx, version, request.to_stage, actor, now)
        publish_routes(tx, version.model)


def _happened(action: Action, request: TransitionRequest, actor: Actor, now: datetime, comment: str) -> Happened:
    details = {"to": request.to_stage.value, "state": request.state.value, "comment": comment, "digest": request.digest}
    if request.segment:
        details["segment"] = request.segment
    return Happened(action, actor.name, actor.authenticated, now, request.id, request.model, request.version, dict(details))
