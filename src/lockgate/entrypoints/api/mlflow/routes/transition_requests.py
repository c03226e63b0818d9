"""`/mlflow/transition-requests`: one person asks, another decides. A call names the version and the stage, not the request."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from lockgate.domain.environments import ENVIRONMENT_OF
from lockgate.domain.events import Action
from lockgate.domain.models import RequestState, Stage, TransitionRequest
from lockgate.domain.people import Actor
from lockgate.entrypoints.api.mlflow.callers import Decider, Viewer, Writer
from lockgate.entrypoints.api.mlflow.failures import AlreadyExists
from lockgate.entrypoints.api.mlflow.gates import telling_gates
from lockgate.entrypoints.api.mlflow.shapes import asked
from lockgate.entrypoints.api.mlflow.shapes.activities import approvals, last_activity, open_request, transition_request
from lockgate.entrypoints.reading.desk import Desk, DeskHere
from lockgate.kernel.errors import Conflict, Invalid, NotFound, Refused
from lockgate.ports.state import REQUESTS, VERSIONS, Reader
from lockgate.stages.decide.binding import check_seen
from lockgate.usecases.decide_request import approve_request, cancel_request, reject_request
from lockgate.usecases.expire_requests import expire_requests
from lockgate.usecases.find_things import request_by, version_of
from lockgate.usecases.request_transition import request_transition

router = APIRouter(prefix="/mlflow/transition-requests")


@router.post("/create")
def create(desk: DeskHere, actor: Writer, sent: asked.OfStageSent) -> Any:
    expire_requests(desk.world)
    with desk.world.state.read() as tx:
        _check_new(tx, sent, actor)
    with telling_gates(desk.world, sent):
        request = request_transition(desk.world, sent.name, sent.version, sent.stage, actor, sent.comment)
    with desk.world.state.read() as tx:
        return {"request": transition_request(tx, request, version_of(tx, sent.name, sent.version), actor)}


@router.get("/list")
def listed(desk: DeskHere, viewer: Viewer, sent: asked.OfVersionSent) -> Any:
    expire_requests(desk.world)
    with desk.world.state.read() as tx:
        version = version_of(tx, sent.name, sent.version)
        return {"requests": [open_request(tx, one, version, viewer) for one in _open(tx, sent)]}


@router.post("/approve")
def approve(desk: DeskHere, actor: Decider, sent: asked.ApprovingSent) -> Any:
    request = _meant(desk, sent)
    if not sent.archive_existing_versions:
        _check_is_free(desk, sent)
    with telling_gates(desk.world, sent):
        decided = approve_request(desk.world, request.id, actor, sent.comment, sent.if_version_digest)
    with desk.world.state.read() as tx:
        return {
            "activity": last_activity(tx, decided, Action.REQUEST_APPROVED),
            "approvals": approvals(tx, decided),
        }


@router.post("/reject")
def reject(desk: DeskHere, actor: Decider, sent: asked.DecidingSent) -> Any:
    request = _meant(desk, sent)
    with desk.world.state.read() as tx:
        check_seen(version_of(tx, sent.name, sent.version), request.binding, sent.if_version_digest)
    decided = reject_request(desk.world, request.id, actor, sent.comment)
    with desk.world.state.read() as tx:
        return {"activity": last_activity(tx, decided, Action.REQUEST_REJECTED)}


@router.delete("/delete")
def delete(desk: DeskHere, actor: Writer, sent: asked.CancellingSent) -> Any:
    if sent.creator != actor.name:
        raise Refused(f"the request is {sent.creator}'s; {actor.name} may reject it, not delete it")
    expire_requests(desk.world)
    with desk.world.state.read() as tx:
        request = _newest(tx, sent, actor.name)
    cancelled = cancel_request(desk.world, request.id, actor, sent.comment)
    with desk.world.state.read() as tx:
        return {"activity": last_activity(tx, cancelled, Action.REQUEST_CANCELLED)}


def _check_new(tx: Reader, sent: asked.OfStage, actor: Actor) -> None:
    """What the use case would call a conflict, too, and these clients tell apart."""
    version = version_of(tx, sent.name, sent.version)
    if version.stage is sent.stage:
        raise Invalid(f"{sent.name} {sent.version} already is in {sent.stage.value}; ask for another stage")
    for other in _open(tx, sent, sent.stage):
        if other.requester == actor.name:
            raise AlreadyExists(f"request {other.id} by {actor.name} already asks for this")


def _check_is_free(desk: Desk, sent: asked.OfStage) -> None:
    """
    Raises:
        Conflict: another version stands there, and would be archived.
    """  # noqa: D212 - there is nothing else to say
    with desk.world.state.read() as tx:
        standing = tx.find(VERSIONS, model=sent.name, stage=sent.stage.value) if sent.stage in ENVIRONMENT_OF else []
    if standing:
        raise Conflict(
            f"{sent.stage.value} holds one version of a model, and {sent.name} {standing[0].version} is in it",
            hint="Let it be archived: `archive_existing_versions: true`.",
        )


def _meant(desk: Desk, sent: asked.Deciding) -> TransitionRequest:
    """The request that is to be decided.

    Raises:
        NotFound: there is none. Invalid: the one that is named is about something else.
    """
    expire_requests(desk.world)
    with desk.world.state.read() as tx:
        if sent.request_id is None:
            return _newest(tx, sent)
        named = request_by(tx, sent.request_id)
    if (named.model, named.version, named.to_stage) != (sent.name, sent.version, sent.stage):
        about = f"{named.model} {named.version} to {named.to_stage.value}"
        raise Invalid(f"request {named.id} is about {about}, not {sent.name} {sent.version} to {sent.stage.value}")
    return named


def _newest(tx: Reader, sent: asked.OfStage, requester: str | None = None) -> TransitionRequest:
    """Of all traffic before one of a segment, which must be named by its id."""
    version_of(tx, sent.name, sent.version)
    found = [one for one in _open(tx, sent, sent.stage) if requester in (None, one.requester) and not one.segment]
    if not found:
        by = f" by {requester}" if requester else ""
        raise NotFound(f"there is no open request{by} for {sent.name} {sent.version} to {sent.stage.value}")
    return found[-1]


def _open(tx: Reader, sent: asked.OfVersion, stage: Stage | None = None) -> list[TransitionRequest]:
    found = tx.find(REQUESTS, model=sent.name, version=sent.version, state=RequestState.OPEN.value)
    return [one for one in found if stage in (None, one.to_stage)]
