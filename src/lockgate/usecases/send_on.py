"""Deployment without people: the policy sends a version on its way, and on from one environment into the next.

Each step is decided and taken in one transaction, by nothing but what is kept: whoever takes it twice does it once, and what a
dead controller has not taken the next one finds.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from lockgate.boundary.acknowledgements import Readiness
from lockgate.boundary.routes import Revision
from lockgate.domain.environments import PRODUCTION, STAGE_OF
from lockgate.domain.events import Action, Happened
from lockgate.domain.models import ModelVersion, RequestState, Stage, TransitionRequest, Vote
from lockgate.domain.people import POLICY
from lockgate.domain.projects import After, ProjectRecord
from lockgate.domain.rollouts import Rollout
from lockgate.kernel.errors import Invalid, LockgateError, NotFound, Refused
from lockgate.ports.state import PROJECTS, REQUESTS, ROLLOUTS, Reader, Writer
from lockgate.stages.deliver.order import answered, possible_at, withheld
from lockgate.stages.deliver.readiness import readiness
from lockgate.usecases.decide_request import decide
from lockgate.usecases.find_rollouts import rollouts_under_way
from lockgate.usecases.find_rule import left_to_people
from lockgate.usecases.find_staged import brought_in
from lockgate.usecases.find_things import environment_of, version_of
from lockgate.usecases.live_workers import live_workers
from lockgate.usecases.request_transition import ask, open_request
from lockgate.usecases.start_rollout import in_the_way, standing_in
from lockgate.usecases.take_observations import unread
from lockgate.usecases.world import World

log = logging.getLogger(__name__)

PASSED = "deployment: automatic; all gates passed"
PATIENCE = 600.0  # seconds for a worker to load it after all: it tries again every minute, and a full disk was emptied by then
LAG = 60.0  # seconds by which the inbox may lag behind: blocks come all the time, and a worker's clock may be a little slow


def send_on_its_way(tx: Writer, version: ModelVersion, now: datetime) -> None:
    """Request and approve as the policy. A dirty build, and a production that is busy, stay for a person to decide.

    Where environments stand in a row it goes into the first one. Whoever has not had its time there is not pushed out: the
    newest request waits for it, and those before it are taken back.
    """
    production = environment_of(tx, version.model, PRODUCTION)
    if version.dirty:
        return
    if production.after is None:
        if in_the_way(tx, version.model, PRODUCTION, production.plan) is None:
            _ask_and_approve(tx, version, now, PASSED, "all gates passed")
        return
    first = production.after.environment
    for older in _waiting(tx, version.model, first):
        _take_back(tx, older, now, f"version {version.version} came after it")
    ask(tx, version, STAGE_OF[first], POLICY, now, PASSED, lasting=True)
    why = left_to_people(tx, version, STAGE_OF[first], now)
    if why is not None:
        _withhold(tx, version, why, now, STAGE_OF[first])
    _enter(tx, version.model, production.after, now)


def send_on(world: World) -> bool:
    """One step of every model whose environments stand in a row and are entered by the evidence's go. True if one was taken."""
    with world.state.read() as tx:
        now = world.clock.now()
        due = [project.model for project in tx.find(PROJECTS) if _due(tx, project, now)]
    taken = False
    for model in due:
        try:
            with world.state.write() as tx:
                taken = _step(tx, model, world.clock.now()) or taken
        except (Refused, Invalid, NotFound) as error:  # asking again changes nothing
            taken = _leave_to_a_person(world, model, error) or taken
        except LockgateError as error:  # of one model: the others go on
            log.warning("a version is not sent on", extra={"model": model, "error": error.message})
    return taken


def _due(tx: Reader, project: ProjectRecord, now: datetime) -> bool:
    model, after = project.model, _in_a_row(project)
    if after is None:
        return False
    return bool(_onward(tx, model, after, now) or _next(tx, model, after, now) or _noted(tx, model, after, now))


def _step(tx: Writer, model: str, now: datetime) -> bool:
    project = tx.get(PROJECTS, model)
    after = _in_a_row(project) if project else None
    if after is None:
        return False
    noted = _noted(tx, model, after, now)
    if noted is not None:
        tx.put(ROLLOUTS, noted)
    onward = _onward(tx, model, after, now)
    if onward is not None:
        _go(tx, onward, after, now)
        return True
    return _enter(tx, model, after, now)


def _leave_to_a_person(world: World, model: str, error: LockgateError) -> bool:
    """What cannot begin, as the version and the project file are: said once, so that newer versions may go by."""
    with world.state.write() as tx:
        project, now = tx.get(PROJECTS, model), world.clock.now()
        after = _in_a_row(project) if project else None
        onward = _onward(tx, model, after, now) if after else None
        if onward is None:
            log.warning("a version is not sent on", extra={"model": model, "error": error.message})
            return False
        _withhold(tx, onward.version, f"its rollout cannot begin: {error.message}", now)
        return True


def _in_a_row(project: ProjectRecord) -> After | None:
    """None too where people say go at every one of them."""
    environment = project.environments.get(PRODUCTION)
    after = environment.after if environment else None
    return after if after and (project.is_automatic(after.environment) or project.is_automatic(PRODUCTION)) else None


# On to Production


@dataclass(frozen=True, slots=True)
class _Onward:
    """A version that has had its time. against: why the policy leaves it to a person; None: it is sent on."""

    version: ModelVersion
    came: Rollout
    against: str | None


def _onward(tx: Reader, model: str, after: After, now: datetime) -> _Onward | None:
    """None while there is none, or something must be waited for: its time, a worker, a Production that is busy, a person."""
    found = _had_its_time(tx, model, after, now) if _is_automatic(tx, model, PRODUCTION) else None
    if found is None:
        return None
    version, came = found
    state, missing = _readiness(tx, came, now)
    against = withheld(came.shown)
    if against is None and state is Readiness.FAILED and _is_long(came, now):
        against = f"it cannot be loaded: {missing}"
    if against is not None:
        return _Onward(version, came, f"in {STAGE_OF[after.environment].value} {against}")
    return _Onward(version, came, None) if state is Readiness.READY and _is_free(tx, version) else None


def _had_its_time(tx: Reader, model: str, after: After, now: datetime) -> tuple[ModelVersion, Rollout] | None:
    """With the rollout that brought it there. What it answered must be read: a controller that was away does that first."""
    version = standing_in(tx, model, after.environment)
    came = _on_its_way(tx, version, after) if version else None
    if version is None or came is None or came.ended_at is None:
        return None
    due = possible_at(after, came.ended_at)
    if now < due or unread(tx, max(due, now - timedelta(seconds=LAG)).timestamp()):
        return None
    return version, came


def _on_its_way(tx: Reader, version: ModelVersion, after: After) -> Rollout | None:
    """The rollout by which the policy brought the version there, while it has not been decided whether it goes on.

    What people brought there is theirs, unless only they may; what was asked for already, whatever became of it, and what was
    withheld stays so.
    """
    came = brought_in(tx, version, after.environment)
    if came is None or came.ended_at is None or version.dirty:
        return None
    if _is_automatic(tx, version.model, after.environment) and not _by_the_policy(tx, came):
        return None
    champion = standing_in(tx, version.model, PRODUCTION)
    if champion is not None and champion.version > version.version:
        return None
    since = came.ended_at
    asked = tx.find(REQUESTS, model=version.model, version=version.version)
    if any(one.to_stage is Stage.PRODUCTION and not one.segment and one.created_at >= since for one in asked):
        return None
    told = tx.events(subject=f"{version.model}/{version.version}", newest_first=True)
    withheld_before = any(one.happened.action is Action.POLICY_WITHHELD and one.happened.at >= since for one in told)
    return None if withheld_before else came


def _is_automatic(tx: Reader, model: str, environment: str) -> bool:
    project = tx.get(PROJECTS, model)
    return project is not None and project.is_automatic(environment)


def _by_the_policy(tx: Reader, came: Rollout) -> bool:
    request = tx.get(REQUESTS, came.request) if came.request else None
    return request is not None and request.requester == POLICY.name


def _is_free(tx: Reader, version: ModelVersion) -> bool:
    plan = environment_of(tx, version.model, PRODUCTION).plan
    busy = any(one.version == version.version for one in rollouts_under_way(tx, version.model))
    return not busy and in_the_way(tx, version.model, PRODUCTION, plan) is None


def _readiness(tx: Reader, came: Rollout, now: datetime) -> tuple[Readiness, str]:
    began = came.ramp[0]
    return readiness(live_workers(tx, now), came.digest, Revision(began.epoch, began.n))


def _is_long(came: Rollout, now: datetime) -> bool:
    return came.missing_since is not None and (now - came.missing_since).total_seconds() >= PATIENCE


def _noted(tx: Reader, model: str, after: After, now: datetime) -> Rollout | None:
    """The rollout with since when a worker cannot load what it brought there; None: it says so already.

    A worker that is started again and fails again has failed all the time.
    """
    found = _had_its_time(tx, model, after, now)
    if found is None:
        return None
    _, came = found
    state, _ = _readiness(tx, came, now)
    if state is Readiness.FAILED and came.missing_since is None:
        return replace(came, missing_since=now)
    return replace(came, missing_since=None) if state is Readiness.READY and came.missing_since is not None else None


def _go(tx: Writer, onward: _Onward, after: After, now: datetime) -> None:
    if onward.against is not None:
        _withhold(tx, onward.version, onward.against, now)
        return
    said = f"it had its time in {STAGE_OF[after.environment].value}: {answered(onward.came.shown)}"
    _ask_and_approve(tx, onward.version, now, f"deployment: automatic; {said}", said)


def _ask_and_approve(tx: Writer, version: ModelVersion, now: datetime, asked: str, said: str) -> None:
    """Where the platform's policy wants people's word, the question is theirs: asked, and left open."""
    why = left_to_people(tx, version, Stage.PRODUCTION, now)
    if why is None:
        _approve(tx, open_request(tx, version, Stage.PRODUCTION, POLICY, now, asked), now, said)
        return
    ask(tx, version, Stage.PRODUCTION, POLICY, now, asked)
    _withhold(tx, version, why, now)


def _withhold(tx: Writer, version: ModelVersion, why: str, now: datetime, to_stage: Stage = Stage.PRODUCTION) -> None:
    details: dict[str, object] = {"to": to_stage.value, "why": why}
    subject = f"{version.model}/{version.version}"
    action, policy = Action.POLICY_WITHHELD, POLICY
    tx.record(Happened(action, policy.name, policy.authenticated, now, subject, version.model, version.version, details))


# Into the first one


def _next(tx: Reader, model: str, after: After, now: datetime) -> TransitionRequest | None:
    """The policy's request that can be carried out now."""
    if _is_taken(tx, model, after, now):
        return None
    plan = environment_of(tx, model, after.environment).plan
    if in_the_way(tx, model, after.environment, plan) is not None:
        return None
    for request in _waiting(tx, model, after.environment):
        busy = any(one.version == request.version for one in rollouts_under_way(tx, model))
        if busy or any(one.by == POLICY.name for one in request.decisions):
            continue
        version = version_of(tx, model, request.version)
        if version.stage is not Stage.NONE or left_to_people(tx, version, request.to_stage, now) is None:
            return request
    return None


def _is_taken(tx: Reader, model: str, after: After, now: datetime) -> bool:
    """By a version that is to go on from there; one that waits for a person's go has had its chance when its time is over."""
    standing = standing_in(tx, model, after.environment)
    came = _on_its_way(tx, standing, after) if standing else None
    if came is None or came.ended_at is None:
        return False
    return _is_automatic(tx, model, PRODUCTION) or now < possible_at(after, came.ended_at)


def _enter(tx: Writer, model: str, after: After, now: datetime) -> bool:
    request = _next(tx, model, after, now)
    if request is None:
        return False
    version = version_of(tx, model, request.version)
    if version.stage is Stage.NONE:
        _approve(tx, request, now, "all gates passed")
    else:
        _take_back(tx, request, now, f"it is in {version.stage.value} already")
    return True


def _waiting(tx: Reader, model: str, environment: str) -> list[TransitionRequest]:
    found = tx.find(REQUESTS, model=model, state=RequestState.OPEN.value)
    return [one for one in found if one.requester == POLICY.name and one.to_stage is STAGE_OF[environment]]


def _approve(tx: Writer, request: TransitionRequest, now: datetime, comment: str) -> None:
    decide(tx, request, Vote.APPROVE, POLICY, now, comment)


def _take_back(tx: Writer, request: TransitionRequest, now: datetime, why: str) -> None:
    tx.put(REQUESTS, replace(request, state=RequestState.CANCELLED, closed_at=now))
    details = {"request": request.id, "why": why}
    subject = f"{request.model}/{request.version}"
    tx.record(
        Happened(
            Action.REQUEST_CANCELLED,
            POLICY.name,
            POLICY.authenticated,
            now,
            subject,
            request.model,
            request.version,
            dict(details),
        )
    )
