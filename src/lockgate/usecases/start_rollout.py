"""Open a rollout of a version into an environment."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime

from lockgate.domain.environments import PRODUCTION, STAGE_OF
from lockgate.domain.events import Action, Happened
from lockgate.domain.models import ModelVersion, Stage
from lockgate.domain.people import Actor
from lockgate.domain.rollouts import Phase, Plan, Rollout, Strategy
from lockgate.kernel.errors import Conflict, Refused
from lockgate.kernel.ids import new_id
from lockgate.ports.state import ROLLOUTS, VERSIONS, Reader, Writer
from lockgate.stages.deliver.journal import begun
from lockgate.usecases.find_rollouts import rollouts_under_way
from lockgate.usecases.find_things import environment_of, version_of
from lockgate.usecases.publish_routes import publish_rollout
from lockgate.usecases.world import World


def start_rollout(
    world: World, model: str, version: int, environment: str, actor: Actor, strategy: Strategy | None = None
) -> Rollout:
    """A person's own rollout, where no approval is asked for.

    Raises:
        Refused: production is entered by an approved request only. Conflict, NotFound.
    """
    if environment == PRODUCTION:
        hint = f"lockgate request {model} {version} --to Production"
        raise Refused("production is entered by an approved request only", hint=hint)
    with world.state.write() as tx:
        plan = environment_of(tx, model, environment).plan
        plan = replace(plan, strategy=strategy) if strategy else plan
        return open_rollout(tx, version_of(tx, model, version), environment, actor, world.clock.now(), plan=plan)


def open_rollout(
    tx: Writer,
    version: ModelVersion,
    environment: str,
    actor: Actor,
    now: datetime,
    *,
    plan: Plan | None = None,
    request: str | None = None,
) -> Rollout:
    """A rollout that prepares: its package loads, no unit meets it yet.

    The first version in an environment has nothing to be compared with, and Staging has no traffic to compare by: these come in
    by `replace`, whatever the plan says.

    Raises:
        Conflict: another rollout is under way there, or the version is there already. Refused: the version may not go there.
        InvalidInput: the plan's judge could never say anything.
    """
    check_may_enter(tx, version, environment)
    baseline = standing_in(tx, version.model, environment)
    plan = plan or environment_of(tx, version.model, environment).plan
    compared = plan.strategy is not Strategy.REPLACE and baseline is not None and environment == PRODUCTION
    if compared:
        begun(plan)
    rollout = Rollout(
        id=new_id("rollout"),
        model=version.model,
        environment=environment,
        version=version.version,
        digest=version.digest,
        baseline=baseline.version if baseline else None,
        baseline_digest=baseline.digest if baseline else None,
        strategy=plan.strategy if compared else Strategy.REPLACE,
        steps=plan.steps if compared else (),
        phase=Phase.PREPARING,
        started_by=actor.name,
        started_at=now,
        salt=secrets.token_hex(16),
        unit=plan.unit if compared else "request",
        judge=plan.judge,
        request=request,
    )
    tx.put(ROLLOUTS, rollout)
    tx.record(started(rollout, actor, now))
    return publish_rollout(tx, rollout, now)


def check_may_enter(tx: Reader, version: ModelVersion, environment: str) -> None:
    if environment not in STAGE_OF:
        raise Conflict(f"environment {environment!r} found, one of {', '.join(STAGE_OF)} expected")
    if version.dirty and environment == PRODUCTION:
        raise Refused(
            f"{version.model} {version.version} was built from uncommitted changes: nobody could build it again",
            hint="Commit the changes and run the pipeline again.",
        )
    if version.stage is STAGE_OF[environment]:
        raise Conflict(f"{version.model} {version.version} already is in {version.stage.value}")
    if version.stage is Stage.PRODUCTION:
        hint = "Roll out another version first; this one is archived then."
        raise Conflict(f"{version.model} {version.version} serves in Production and cannot move to {environment}", hint=hint)
    for other in rollouts_under_way(tx, version.model):
        if other.environment == environment:
            raise Conflict(
                f"rollout {other.id} of version {other.version} into {environment} is {other.phase.value}",
                hint=f"Wait for it, or end it: lockgate rollout abort {other.id}",
            )
        if other.version == version.version:  # where it stands in the end would be a matter of which rollout ends last
            raise Conflict(
                f"rollout {other.id} is bringing {version.model} {version.version} into {other.environment}",
                hint=f"Wait for it, or end it: lockgate rollout abort {other.id}",
            )


def check_may_leave(tx: Reader, version: ModelVersion) -> None:
    """A version cannot be taken away from a rollout that brings it in or compares with it."""
    for rollout in rollouts_under_way(tx, version.model):
        if version.version in (rollout.version, rollout.baseline):
            hint = f"Wait for it, or end it: lockgate rollout abort {rollout.id}"
            raise Conflict(f"{version.model} {version.version} takes part in rollout {rollout.id}", hint=hint)


def standing_in(tx: Reader, model: str, environment: str) -> ModelVersion | None:
    found = tx.find(VERSIONS, model=model, stage=STAGE_OF[environment].value)
    return found[0] if found else None


def started(rollout: Rollout, actor: Actor, now: datetime) -> Happened:
    details = {
        "environment": rollout.environment,
        "strategy": rollout.strategy.value,
        "steps": list(rollout.steps),
        "baseline": rollout.baseline,
    }
    return Happened(
        Action.ROLLOUT_STARTED, actor.name, actor.authenticated, now, rollout.id, rollout.model, rollout.version, details
    )
