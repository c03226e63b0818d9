"""Move a version without asking others, where the rules let this person: ask and decide in one transaction."""

from __future__ import annotations

from datetime import datetime

from lockgate.domain.environments import ENVIRONMENT_OF
from lockgate.domain.models import ModelVersion, Stage, TransitionRequest, Vote
from lockgate.domain.people import Actor
from lockgate.kernel.errors import Conflict, Refused
from lockgate.ports.state import VERSIONS, Reader, Writer
from lockgate.stages.decide.approvals import alone
from lockgate.stages.decide.binding import check_seen
from lockgate.usecases.bind_request import binding_of
from lockgate.usecases.break_glass import glass_of
from lockgate.usecases.decide_request import decide
from lockgate.usecases.expire_requests import expire_requests
from lockgate.usecases.find_rule import authors_of, known_as, missing_gates, rule_for
from lockgate.usecases.find_things import policy_of, version_of
from lockgate.usecases.request_transition import asking_for, open_request
from lockgate.usecases.world import World


def transition_directly(
    world: World,
    model: str,
    version: int,
    stage: Stage,
    actor: Actor,
    comment: str = "",
    archive_existing: bool = True,  # noqa: FBT001, FBT002 - as the registry's own call has it
    if_digest: str | None = None,
) -> TransitionRequest:
    """The approved request: into an environment its rollout has begun, as for any other; else the version is there.

    archive_existing: an environment holds one version, so what stands there must make way. if_digest: of the version, or of all
    that an answer goes by, as the caller saw it.

    Raises:
        NotFound: no such version. Conflict: it is there already, is not what was seen, or another one stands there that was not
        to be archived. Refused: the rules do not let the actor alone; the message says what is missing.
    """
    expire_requests(world)
    now = world.clock.now()
    with world.state.write() as tx:
        found = version_of(tx, model, version)
        check_seen(found, binding_of(tx, found, stage), if_digest)
        if not archive_existing:
            _check_is_free(tx, found, stage)
        _check_alone(tx, found, stage, actor, now)
        request = _own_request(tx, found, stage, actor, now, comment)
        return decide(tx, request, Vote.APPROVE, actor, now, comment)


def _own_request(tx: Writer, version: ModelVersion, stage: Stage, actor: Actor, now: datetime, comment: str) -> TransitionRequest:
    """The one that the actor has open, or a new one."""
    own = next((one for one in asking_for(tx, version, stage) if one.requester == actor.name), None)
    return own or open_request(tx, version, stage, actor, now, comment)


def _check_is_free(tx: Reader, version: ModelVersion, stage: Stage) -> None:
    if stage not in ENVIRONMENT_OF:
        return
    standing = next((one for one in tx.find(VERSIONS, model=version.model, stage=stage.value)), None)
    if standing is not None and standing.version != version.version:
        raise Conflict(
            f"{stage.value} holds one version of a model, and {version.model} {standing.version} is in it",
            hint="Let it be archived: `archive_existing_versions: true`.",
        )


def _check_alone(tx: Reader, version: ModelVersion, stage: Stage, actor: Actor, now: datetime) -> None:
    if glass_of(tx, actor, version.model, now) is not None:
        return
    rule = rule_for(tx, version.model, stage)
    against = alone(rule, policy_of(tx), actor, known_as(tx, actor), authors_of(tx, version))
    against += missing_gates(tx, version, rule, stage, now)
    if against:
        raise Refused(
            f"{actor.name} cannot move {version.model} {version.version} to {stage.value} alone: {'; '.join(against)}",
            hint=f"Ask others: lockgate request {version.model} {version.version} --to {stage.value}",
        )
