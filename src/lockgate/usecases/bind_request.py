"""Keep a request bound to what an answer goes by. Where that has changed, what people said before counts no more."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from lockgate.domain.events import Action, Happened
from lockgate.domain.models import ModelVersion, RequestState, Stage, TransitionRequest
from lockgate.domain.people import Actor
from lockgate.domain.policy import CURRENT
from lockgate.ports.state import POLICIES, PROJECTS, REQUESTS, RUNS, VERSIONS, Reader, Writer
from lockgate.stages.decide.binding import binding
from lockgate.usecases.find_rule import approvals_of


def binding_of(tx: Reader, version: ModelVersion, to_stage: Stage) -> str:
    """Digest of all that a yes to the version's move goes by now."""
    run, policy = tx.get(RUNS, version.run), tx.get(POLICIES, CURRENT)
    said, project = approvals_of(tx, version.model, to_stage), tx.get(PROJECTS, version.model)
    platform, rules = policy.digest if policy else "", project.gates if project else ""
    return binding(version, to_stage, run.data if run else {}, platform, said, rules)


def bind_request(tx: Writer, request: TransitionRequest, actor: Actor, now: datetime) -> TransitionRequest:
    """The request as it stands now; each word that was given to something else is taken out, and an event says so."""
    version = tx.get(VERSIONS, request.model, request.version)
    current = binding_of(tx, version, request.to_stage) if version else request.binding
    if current == request.binding:
        return request
    bound = replace(request, binding=current, decisions=())
    tx.put(REQUESTS, bound)
    for decision in request.decisions:
        details = {"by": decision.by, "given_to": decision.binding, "now": current}
        action, name = Action.APPROVAL_VOIDED, actor.name
        tx.record(Happened(action, name, actor.authenticated, now, request.id, request.model, request.version, dict(details)))
    return bound


def bind_open_requests(tx: Writer, actor: Actor, now: datetime, model: str | None = None) -> list[TransitionRequest]:
    """The same for all that are open; model: of this one only. Those whose approvals count no more, as they were."""
    waiting = [one for one in tx.find(REQUESTS, state=RequestState.OPEN.value) if model in (None, one.model)]
    bound = [(one, bind_request(tx, one, actor, now)) for one in waiting]
    return [before for before, after in bound if before.decisions and not after.decisions]
