"""Ask people whether a version may move to a stage."""

from __future__ import annotations

from datetime import datetime

from lockgate.domain.environments import ENVIRONMENT_OF
from lockgate.domain.events import Action, Happened
from lockgate.domain.models import ModelVersion, RequestState, Stage, TransitionRequest
from lockgate.domain.people import Actor
from lockgate.kernel.errors import Conflict, Invalid
from lockgate.kernel.ids import new_id
from lockgate.ports.state import REQUESTS, Writer
from lockgate.usecases.check_segment import told_by_file
from lockgate.usecases.find_staged import check_had_its_time
from lockgate.usecases.find_things import version_of
from lockgate.usecases.start_rollout import check_may_enter
from lockgate.usecases.world import World


def request_transition(
    world: World, model: str, version: int, to_stage: Stage, actor: Actor, comment: str = "", segment: str = ""
) -> TransitionRequest:
    """An open request. segment: the part of Production's traffic whose champion it is to be; "": of all without one.

    Raises:
        NotFound: no such version. Conflict: it is there already, or the same request is open. Refused: it may not go there.
        Invalid: the segment cannot have a champion.
    """
    with world.state.write() as tx:
        return open_request(tx, version_of(tx, model, version), to_stage, actor, world.clock.now(), comment, segment)


def open_request(
    tx: Writer, version: ModelVersion, to_stage: Stage, actor: Actor, now: datetime, comment: str, segment: str = ""
) -> TransitionRequest:
    if segment and to_stage not in ENVIRONMENT_OF:
        raise Invalid(f"segment {segment!r} of {to_stage.value} found, none expected: only Production has segments")
    if version.stage is to_stage and not segment:
        raise Conflict(f"{version.model} {version.version} already is in {to_stage.value}")
    if to_stage in ENVIRONMENT_OF:
        check_may_enter(tx, version, ENVIRONMENT_OF[to_stage], segment=segment)
        check_had_its_time(tx, version, ENVIRONMENT_OF[to_stage], now)
    by = told_by_file(tx, version.model) if segment else ""
    for other in tx.find(REQUESTS, model=version.model, version=version.version, state=RequestState.OPEN.value):
        if (other.to_stage, other.segment, other.by) == (to_stage, segment, by):
            raise Conflict(f"request {other.id} by {other.requester} already asks for this", hint=f"lockgate approve {other.id}")
    return ask(tx, version, to_stage, actor, now, comment, segment)


def ask(
    tx: Writer, version: ModelVersion, to_stage: Stage, actor: Actor, now: datetime, comment: str, segment: str = ""
) -> TransitionRequest:
    """The same where it is no fault that something is still in the way: the request waits for it."""
    request = TransitionRequest(
        id=new_id("request"),
        model=version.model,
        version=version.version,
        digest=version.digest,
        to_stage=to_stage,
        requester=actor.name,
        created_at=now,
        comment=comment,
        segment=segment,
        by=told_by_file(tx, version.model) if segment else "",
    )
    tx.put(REQUESTS, request)
    details = {"to": to_stage.value, "comment": comment}
    if segment:
        details["segment"] = segment
    tx.record(
        Happened(
            Action.REQUEST_CREATED,
            actor.name,
            actor.authenticated,
            now,
            request.id,
            version.model,
            version.version,
            dict(details),
        )
    )
    return request
