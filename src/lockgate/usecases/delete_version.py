"""Take a version that stands nowhere out of the registry. Its number is never used again, and its events stay."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from lockgate.domain.environments import ENVIRONMENT_OF
from lockgate.domain.events import Action, Happened
from lockgate.domain.forms import Form
from lockgate.domain.models import ModelVersion, RequestState
from lockgate.domain.people import Actor
from lockgate.kernel.errors import Refused
from lockgate.ports.state import ALIASES, COMMENTS, FORMS, LEARNINGS, NOTES, REQUESTS, SCANS, VERSIONS, Reader, Writer
from lockgate.usecases.find_champions import segment_champions
from lockgate.usecases.find_rollouts import last_into_each
from lockgate.usecases.find_things import version_of
from lockgate.usecases.publish_routes import desired_route
from lockgate.usecases.start_rollout import check_may_leave
from lockgate.usecases.world import World


def delete_version(world: World, model: str, version: int, actor: Actor) -> None:
    """With what was written beside it and the aliases that name it. Open requests for it are cancelled. Artifacts stay.

    Raises:
        NotFound: no such version. Refused: it stands in Staging or Production, traffic or a roll-back may go to it, or its model
        learns online. Conflict: it takes part in a rollout, or is the champion of a segment.
    """
    now = world.clock.now()
    with world.state.write() as tx:
        found = version_of(tx, model, version)
        check_stands_nowhere(tx, found)
        _cancel_requests(tx, found, actor, now)
        _take_aliases(tx, found, actor, now)
        for comment in tx.find(COMMENTS, model=model, version=version):
            tx.remove(COMMENTS, comment.id)
        tx.remove(NOTES, model, version)
        for form in Form:
            tx.remove(FORMS, model, version, form.value)
        for scan in tx.find(SCANS, model=model, version=version):
            tx.remove(SCANS, model, version, scan.tool)
        tx.remove(VERSIONS, model, version)
        tx.record(_happened(Action.VERSION_DELETED, found, actor, now, digest=found.digest))


def check_stands_nowhere(tx: Reader, version: ModelVersion) -> None:
    """Let pass or raise, as `delete_version`."""
    name = f"{version.model} {version.version}"
    if version.stage in ENVIRONMENT_OF:
        hint = f"Archive it first: lockgate request {name} --to Archived"
        raise Refused(f"{name} stands in {version.stage.value}", hint=hint)
    check_may_leave(tx, version)
    if version.version in _routed(tx, version.model) or version.version in _before_in_segments(tx, version.model):
        raise Refused(
            f"{name} is what requests may be answered by, or what a roll-back would return to",
            hint="Bring another version into Production first; then a roll-back returns to the one that is there now.",
        )
    if tx.get(LEARNINGS, version.model) is not None:
        raise Refused(f"{version.model} learns online: {name} is a step of what it learned, by which later ones are checked")


def _routed(tx: Reader, model: str) -> set[int]:
    """Every version that the model's route names: as an arm, as a shadow, in a rule, or kept warm."""
    told = desired_route(tx, model)
    routes = told.with_parts if told else ()
    named: set[int] = set()
    for route in routes:
        for several in (route.arms, route.shadows, route.rules):
            named.update(one.version for one in several)
    return named


def _before_in_segments(tx: Reader, model: str) -> set[int | None]:
    """What a roll-back in each segment would return to, also where the segment's champion is not in force."""
    return {rollout.baseline for rollout in last_into_each(tx, model, segment_champions(tx, model)).values()}


def _cancel_requests(tx: Writer, version: ModelVersion, actor: Actor, now: datetime) -> None:
    for request in tx.find(REQUESTS, model=version.model, version=version.version, state=RequestState.OPEN.value):
        tx.put(REQUESTS, replace(request, state=RequestState.CANCELLED, closed_at=now))
        why = f"version {version.version} was deleted"
        tx.record(_happened(Action.REQUEST_CANCELLED, version, actor, now, request=request.id, why=why))


def _take_aliases(tx: Writer, version: ModelVersion, actor: Actor, now: datetime) -> None:
    for alias in tx.find(ALIASES, model=version.model):
        if alias.version == version.version:
            tx.remove(ALIASES, version.model, alias.name)
            tx.record(_happened(Action.ALIAS_REMOVED, version, actor, now, alias=alias.name))


def _happened(action: Action, version: ModelVersion, actor: Actor, now: datetime, **details: str) -> Happened:
    subject = f"{version.model}/{version.version}"
    return Happened(action, actor.name, actor.authenticated, now, subject, version.model, version.version, dict(details))
