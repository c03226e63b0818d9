"""Open a rollout of a version into an environment."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime

from lockgate.domain.environments import PRODUCTION, STAGE_OF
from lockgate.domain.events import Action, Happened
from lockgate.domain.holds import HoldEnd
from lockgate.domain.models import ModelVersion, Stage
from lockgate.domain.people import Actor
from lockgate.domain.rollouts import Phase, Plan, Rollout, Strategy
from lockgate.kernel.errors import Conflict, Invalid, Refused
from lockgate.kernel.ids import new_id
from lockgate.ports.state import ROLLOUTS, VERSIONS, Reader, Writer
from lockgate.stages.deliver.journal import begun
from lockgate.stages.deliver.rollout import has_judge
from lockgate.usecases.find_contestants import contestants
from lockgate.usecases.find_rollouts import rollouts_under_way
from lockgate.usecases.find_things import environment_of, version_of
from lockgate.usecases.hold_back import end_hold_on
from lockgate.usecases.publish_routes import publish_rollout
from lockgate.usecases.world import World


def start_rollout(
    world: World, model: str, version: int, environment: str, actor: Actor, strategy: Strategy | None = None
) -> Rollout:
    """A person's own rollout, where no approval is asked for. strategy: instead of that of the project file.

    Raises:
        Refused: production is entered by an approved request only. Conflict, NotFound. Invalid: a strategy that has no meaning
        there.
    """
    if environment == PRODUCTION:
        hint = f"lockgate request {model} {version} --to Production"
        raise Refused("production is entered by an approved request only", hint=hint)
    if strategy is not None and strategy is not Strategy.REPLACE:
        raise Invalid(f"strategy {strategy.value} found, replace expected: {environment} has no traffic of its own")
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
    plan = plan or environment_of(tx, version.model, environment).plan
    check_may_enter(tx, version, environment, plan)
    baseline = standing_in(tx, version.model, environment)
    compared = plan.strategy is not Strategy.REPLACE and baseline is not None and environment == PRODUCTION
    judged = compared and has_judge(plan)
    if judged:
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
        salt=next((one.salt for one in _into(tx, version.model, environment)), secrets.token_hex(16)),
        unit=plan.unit if judged else "request",
        judge=plan.judge,
        request=request,
        yes=plan.yes if compared else (),
        share=plan.share,
        preview=plan.preview,
        hold_back=plan.hold_back,
        held=plan.held,
        contest=plan.contest if judged else None,
        contestants=contestants(tx, version, baseline, plan) if judged and baseline else (),
    )
    tx.put(ROLLOUTS, rollout)
    tx.record(started(rollout, actor, now))
    if environment == PRODUCTION:  # the champion is the new one's baseline: all units are its
        end_hold_on(tx, version.model, HoldEnd.SUPERSEDED, actor, now, f"{rollout.id} of version {version.version} began")
    return publish_rollout(tx, rollout, now)


def check_may_enter(tx: Reader, version: ModelVersion, environment: str, plan: Plan | None = None) -> None:
    """plan: by which it enters; None: that of the project file."""
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
    other = in_the_way(tx, version.model, environment, plan or environment_of(tx, version.model, environment).plan)
    if other is not None:
        raise Conflict(
            f"rollout {other.id} of version {other.version} into {environment} is {other.phase.value}",
            hint=f"Wait for it, or end it: lockgate rollout abort {other.id}",
        )
    for other in rollouts_under_way(tx, version.model):
        if other.version == version.version:  # where it stands in the end would be a matter of which rollout ends last
            raise Conflict(
                f"rollout {other.id} is bringing {version.model} {version.version} into {other.environment}",
                hint=f"Wait for it, or end it: lockgate rollout abort {other.id}",
            )


def in_the_way(tx: Reader, model: str, environment: str, plan: Plan) -> Rollout | None:
    """A rollout beside which none by this plan may begin.

    Shadows may stand beside each other, if they tell units apart alike: they share one salt, so that a unit has one key for all
    of them, whichever ends first.
    """
    for other in _into(tx, model, environment):
        shadows = other.strategy is plan.strategy is Strategy.SHADOW
        if not (shadows and other.unit == plan.unit):
            return other
    return None


def _into(tx: Reader, model: str, environment: str) -> list[Rollout]:
    return [one for one in rollouts_under_way(tx, model) if one.environment == environment]


def check_may_leave(tx: Reader, version: ModelVersion) -> None:
    """A version cannot be taken away from a rollout that brings it in or compares with it."""
    for rollout in rollouts_under_way(tx, version.model):
        if version.version in (rollout.version, rollout.baseline, *(one.version for one in rollout.contestants)):
            hint = f"Wait for it, or end it: lockgate rollout abort {rollout.id}"
            raise Conflict(f"{version.model} {version.version} takes part in rollout {rollout.id}", hint=hint)


def standing_in(tx: Reader, model: str, environment: str) -> ModelVersion | None:
    found = tx.find(VERSIONS, model=model, stage=STAGE_OF[environment].value)
    return found[0] if found else None


def started(rollout: Rollout, actor: Actor, now: datetime) -> Happened:
    details: dict[str, object] = {
        "environment": rollout.environment,
        "strategy": rollout.strategy.value,
        "steps": list(rollout.steps),
        "baseline": rollout.baseline,
    }
    if rollout.strategy is Strategy.SHADOW:
        details["share"] = rollout.share
    if rollout.contestants:
        details["arms"] = {str(one.version): one.weight for one in rollout.contestants}
    return Happened(
        Action.ROLLOUT_STARTED, actor.name, actor.authenticated, now, rollout.id, rollout.model, rollout.version, details
    )
