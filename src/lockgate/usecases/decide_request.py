"""Approve, reject or cancel a request. The approval that completes the quorum opens the way in the same transaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from lockgate.domain.environments import ENVIRONMENT_OF
from lockgate.domain.events import Action, Happened
from lockgate.domain.models import Decision, ModelVersion, RequestState, TransitionRequest, Vote
from lockgate.domain.people import Actor
from lockgate.domain.policy import BrokenGlass
from lockgate.kernel.errors import Conflict, Refused
from lockgate.ports.state import REQUESTS, Writer
from lockgate.stages.decide.approvals import check_authenticated, check_has_not_decided, check_open, tally
from lockgate.stages.decide.binding import check_seen
from lockgate.stages.decide.entry import EntryRule
from lockgate.usecases.apply_stage import apply_stage
from lockgate.usecases.bind_request import bind_request
from lockgate.usecases.break_glass import glass_of
from lockgate.usecases.check_segment import check_same_part
from lockgate.usecases.check_signature import check_signed
from lockgate.usecases.expire_requests import expire_requests
from lockgate.usecases.find_rule import check_gates, check_move, check_person, known_as, rule_for
from lockgate.usecases.find_staged import check_had_its_time
from lockgate.usecases.find_things import request_by, version_of
from lockgate.usecases.publish_routes import publish_routes
from lockgate.usecases.start_rollout import check_may_leave, open_rollout
from lockgate.usecases.world import World


def approve_request(
    world: World, request_id: str, actor: Actor, comment: str = "", if_digest: str | None = None
) -> TransitionRequest:
    """One person's yes. if_digest: of the version, or of all that an answer goes by, as this person saw it.

    Raises:
        NotFound, Conflict (closed, expired, already decided, not what was seen, another rollout is under way), Refused (the rules
        exclude the actor or ask for a role, a gate has not passed, the policy has no such move, or the segment that was asked for
        is another part of the traffic by now).
    """
    expire_requests(world)
    with world.state.write() as tx:
        return decide(tx, request_by(tx, request_id), Vote.APPROVE, actor, world.clock.now(), comment, if_digest)


def reject_request(
    world: World, request_id: str, actor: Actor, comment: str = "", if_digest: str | None = None
) -> TransitionRequest:
    """One person's no. Raises as `approve_request`; gates and moves do not matter to it."""
    expire_requests(world)
    with world.state.write() as tx:
        return decide(tx, request_by(tx, request_id), Vote.REJECT, actor, world.clock.now(), comment, if_digest)


def cancel_request(world: World, request_id: str, actor: Actor, comment: str = "") -> TransitionRequest:
    """Its requester takes a request back."""
    expire_requests(world)
    now = world.clock.now()
    with world.state.write() as tx:
        request = request_by(tx, request_id)
        check_open(request, now, "cancelled")
        if request.requester != actor.name:
            raise Refused(f"request {request.id} is {request.requester}'s; {actor.name} may reject it, not cancel it")
        cancelled = replace(request, state=RequestState.CANCELLED, closed_at=now)
        tx.put(REQUESTS, cancelled)
        tx.record(_happened(Action.REQUEST_CANCELLED, cancelled, actor, now, comment))
        return cancelled


def decide(
    tx: Writer,
    request: TransitionRequest,
    vote: Vote,
    actor: Actor,
    now: datetime,
    comment: str,
    if_digest: str | None = None,
) -> TransitionRequest:
    """The request with the actor's word; raises as `approve_request`."""
    check_open(request, now)
    version = version_of(tx, request.model, request.version)
    request = bind_request(tx, request, actor, now)
    check_seen(version, request.binding, if_digest)
    rule = rule_for(tx, request.model, request.to_stage)
    glass = glass_of(tx, actor, request.model, now) if vote is Vote.APPROVE else None
    _check_person(tx, rule, request, version, actor, glass)
    if vote is Vote.APPROVE:
        _check_way(tx, rule, request, version, now, glass)
    decision = Decision(actor.name, vote, now, comment, request.binding)
    decided = replace(request, decisions=(*(one for one in request.decisions if one.by != actor.name), decision))
    state = tally(1 if glass else rule.need, decided)
    if state is not RequestState.OPEN:
        decided = replace(decided, state=state, closed_at=now)
    tx.put(REQUESTS, decided)
    action = Action.REQUEST_APPROVED if vote is Vote.APPROVE else Action.REQUEST_REJECTED
    told = {"break_glass": glass.id} if glass else {}
    tx.record(_happened(action, decided, actor, now, comment, **told))
    if state is RequestState.APPROVED:
        _close_alike(tx, decided, actor, now)
        _carry_out(tx, decided, actor, now)
    return decided


def _check_person(
    tx: Writer, rule: EntryRule, request: TransitionRequest, version: ModelVersion, actor: Actor, glass: BrokenGlass | None
) -> None:
    """Who broke the glass may also decide what they asked for, and say yes once more: alone then."""
    if glass:
        check_authenticated(rule, actor, f"request {request.id}")
        return
    check_has_not_decided(request, actor, known_as(tx, actor))
    check_person(tx, rule, version, request.requester, actor, f"request {request.id}")


def _check_way(
    tx: Writer, rule: EntryRule, request: TransitionRequest, version: ModelVersion, now: datetime, glass: BrokenGlass | None
) -> None:
    """Looked at with every yes: what was open when it was asked for may be closed by now."""
    check_move(tx, version, request.to_stage)
    if glass is None:
        check_gates(tx, version, rule, request.to_stage, now)
    if request.to_stage in ENVIRONMENT_OF:
        check_signed(tx, version)
        check_same_part(tx, request)
        check_had_its_time(tx, version, ENVIRONMENT_OF[request.to_stage], now)


def _close_alike(tx: Writer, approved: TransitionRequest, actor: Actor, now: datetime) -> None:
    """Who else asked for the same has it too."""
    target = (approved.to_stage, approved.segment, approved.by)
    for other in tx.find(REQUESTS, model=approved.model, version=approved.version, state=RequestState.OPEN.value):
        if (other.to_stage, other.segment, other.by) == target:
            closed = replace(other, state=RequestState.APPROVED, closed_at=now)
            tx.put(REQUESTS, closed)
            tx.record(_happened(Action.REQUEST_APPROVED, closed, actor, now, "", approved_by=approved.id))


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


def _happened(action: Action, request: TransitionRequest, actor: Actor, now: datetime, comment: str, **told: str) -> Happened:
    details = {"to": request.to_stage.value, "state": request.state.value, "comment": comment, "digest": request.digest, **told}
    if request.segment:
        details["segment"] = request.segment
    return Happened(action, actor.name, actor.authenticated, now, request.id, request.model, request.version, dict(details))
