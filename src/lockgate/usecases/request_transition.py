"""Ask people whether a version may move to a stage."""

from __future__ import annotations

from datetime import datetime

from lockgate.domain.environments import ENVIRONMENT_OF
from lockgate.domain.events import Action, Happened
from lockgate.domain.models import ModelVersion, RequestState, Stage, TransitionRequest
from lockgate.domain.people import Actor
from lockgate.kernel.errors import Conflict
from lockgate.kernel.ids import new_id
from lockgate.ports.state import REQUESTS, Writer
from lockgate.usecases.find_things import version_of
from lockgate.usecases.start_rollout import check_may_enter
from lockgate.usecases.world import World


def request_transition(
    world: World, model: str, version: int, to_stage: Stage, actor: Actor, comment: str = ""
) -> TransitionRequest:
    """An open request.

    Raises:
        NotFound: no such version. Conflict: it is there already, or the same request is open. Refused: it may not go there.
    """
    with world.state.write() as tx:
        return open_request(tx, version_of(tx, model, version), to_stage, actor, world.clock.now(), comment)


def open_request(
    tx: Writer, version: ModelVersion, to_stage: Stage, actor: Actor, now: datetime, comment: str
) -> TransitionRequest:
    if version.stage is to_stage:
        raise Conflict(f"{version.model} {version.version} already is in {to_stage.value}")
    if to_stage in ENVIRONMENT_OF:
        check_may_enter(tx, version, ENVIRONMENT_OF[to_stage])
    for other in tx.find(REQUESTS, model=version.model, version=version.version, state=RequestState.OPEN.value):
        if other.to_stage is to_stage:
            raise Conflict(f"request {other.id} by {other.requester} already asks for this", hint=f"lockgate approve {other.id}")
    request = TransitionRequest(
        new_id("request"), version.model, version.version, version.digest, to_stage, actor.name, now, comment
    )
    tx.put(REQUESTS, request)
    details = {"to": to_stage.value, "comment": comment}
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
