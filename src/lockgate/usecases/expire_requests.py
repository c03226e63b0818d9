"""Close requests that nobody decided in time: whoever looks next does it, and the controller by and by."""

from __future__ import annotations

from dataclasses import replace

from lockgate.domain.events import Action, Happened
from lockgate.domain.models import RequestState
from lockgate.domain.people import POLICY
from lockgate.ports.state import REQUESTS
from lockgate.stages.decide.approvals import has_expired
from lockgate.usecases.world import World


def expire_requests(world: World) -> int:
    """How many were closed, as the policy."""
    now = world.clock.now()
    with world.state.read() as tx:
        if not any(has_expired(one, now) for one in tx.find(REQUESTS, state=RequestState.OPEN.value)):
            return 0
    with world.state.write() as tx:
        due = [one for one in tx.find(REQUESTS, state=RequestState.OPEN.value) if has_expired(one, now)]
        for request in due:
            tx.put(REQUESTS, replace(request, state=RequestState.EXPIRED, closed_at=now))
            until = request.expires_at.isoformat() if request.expires_at else None
            details = {"to": request.to_stage.value, "expires_at": until}
            subject = (request.id, request.model, request.version, dict(details))
            tx.record(Happened(Action.REQUEST_EXPIRED, POLICY.name, POLICY.authenticated, now, *subject))
        return len(due)
