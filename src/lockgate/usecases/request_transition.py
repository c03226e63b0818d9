"""Ask people whether a version may move to a stage."""

from __future__ import annotations

from datetime import datetime, timedelta

from lockgate.domain.environments import ENVIRONMENT_OF
from lockgate.domain.events import Action, Happened
from lockgate.domain.models import ModelVersion, RequestState, Stage, TransitionRequest
from lockgate.domain.people import Actor
from lockgate.kernel.errors import Conflict, Invalid
from lockgate.kernel.ids import new_id
from lockgate.ports.state import REQUESTS, Reader, Writer
from lockgate.stages.decide.binding import check_seen
from lockgate.usecases.bind_request import binding_of
from lockgate.usecases.check_segment import told_by_file
from lockgate.usecases.check_signature import check_signed
from lockgate.usecases.expire_requests import expire_requests
from lockgate.usecases.find_rule import check_move
from lockgate.usecases.find_staged import check_had_its_time
from lockgate.usecases.find_things import policy_of, version_of
from lockgate.usecases.start_rollout import check_may_enter
from lockgate.usecases.world import World


def request_transition(
    world: World,
    model: str,
    version: int,
    to_stage: Stage,
    actor: Actor,
    comment: str = "",
    segment: str = "",
    if_digest: str | None = None,
) -> TransitionRequest:
    """An open request. Several people may ask for the same, each once; the yes that completes one of them closes them all.

    segment: the part of Production's traffic whose champion it is to be; "": of all without one. if_digest: of the version, or of
    all that an answer goes by, as the caller saw it.

    Raises:
        NotFound: no such version. Conflict: it is there already, the actor asks for it already, or it is not what was seen.
        Refused: it may not go there. Invalid: the segment cannot have a champion.
    """
    expire_requests(world)
    with world.state.write() as tx:
        found = version_of(tx, model, version)
        check_seen(found, binding_of(tx, found, to_stage), if_digest)
        return open_request(tx, found, to_stage, actor, world.clock.now(), comment, segment)


def open_request(
    tx: Writer, version: ModelVersion, to_stage: Stage, actor: Actor, now: datetime, comment: str, segment: str = ""
) -> TransitionRequest:
    if segment and to_stage not in ENVIRONMENT_OF:
        raise Invalid(f"segment {segment!r} of {to_stage.value} found, none expected: only Production has segments")
    if version.stage is to_stage and not segment:
        hint = f"See what stands where: lockgate versions {version.model}"
        raise Conflict(f"{version.model} {version.version} already is in {to_stage.value}", hint=hint)
    check_move(tx, version, to_stage)
    if to_stage in ENVIRONMENT_OF:
        check_signed(tx, version)
        check_may_enter(tx, version, ENVIRONMENT_OF[to_stage], segment=segment)
        check_had_its_time(tx, version, ENVIRONMENT_OF[to_stage], now)
    own = next((one for one in asking_for(tx, version, to_stage, segment) if one.requester == actor.name), None)
    if own is not None:
        raise Conflict(f"request {own.id} by {own.requester} already asks for this", hint=f"lockgate approve {own.id}")
    return ask(tx, version, to_stage, actor, now, comment, segment)


def asking_for(tx: Reader, version: ModelVersion, to_stage: Stage, segment: str = "") -> list[TransitionRequest]:
    """The open requests for the same move, by whomever."""
    by = told_by_file(tx, version.model) if segment else ""
    found = tx.find(REQUESTS, model=version.model, version=version.version, state=RequestState.OPEN.value)
    return [one for one in found if (one.to_stage, one.segment, one.by) == (to_stage, segment, by)]


def ask(
    tx: Writer,
    version: ModelVersion,
    to_stage: Stage,
    actor: Actor,
    now: datetime,
    comment: str,
    segment: str = "",
    *,
    lasting: bool = False,
) -> TransitionRequest:
    """The same where it is no fault that something is still in the way: the request waits for it.

    lasting: it waits for its turn, however long others take, and does not expire.
    """
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
        binding=binding_of(tx, version, to_stage),
        expires_at=None if lasting else now + timedelta(seconds=policy_of(tx).expiry),
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
