"""Open a rollout of a version into an environment."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime

from lockgate.boundary.routes import Segmentation
from lockgate.domain.environments import PRODUCTION, STAGE_OF
from lockgate.domain.events import Action, Happened
from lockgate.domain.holds import HoldEnd
from lockgate.domain.models import ModelVersion, Stage
from lockgate.domain.people import Actor
from lockgate.domain.projects import ApprovalPolicy
from lockgate.domain.rollouts import Outcome, Phase, Plan, Rollout, Signal, Strategy
from lockgate.kernel.errors import Conflict, Invalid, Refused
from lockgate.kernel.ids import new_id
from lockgate.ports.state import LEARNINGS, ROLLOUTS, VERSIONS, Reader, Writer
from lockgate.stages.decide.approvals import alone
from lockgate.stages.deliver.alpha_budget import within_budget
from lockgate.stages.deliver.journal import begun
from lockgate.stages.deliver.online.course import plan_of
from lockgate.stages.deliver.rollout import has_judge
from lockgate.usecases.check_segment import across, check_no_segment_needs, check_segment
from lockgate.usecases.check_signature import check_signed
from lockgate.usecases.find_champions import champion_in_force, champions_in_force, segmentation_of
from lockgate.usecases.find_contestants import contestants
from lockgate.usecases.find_rollouts import rollouts_under_way
from lockgate.usecases.find_rule import approvals_of, authors_of, check_gates, check_move, known_as, rule_for
from lockgate.usecases.find_things import environment_of, policy_of, version_of
from lockgate.usecases.hold_back import end_hold_on
from lockgate.usecases.publish_routes import publish_rollout
from lockgate.usecases.steer_rollout import give_signal
from lockgate.usecases.world import World


def start_rollout(
    world: World, model: str, version: int, environment: str, actor: Actor, strategy: Strategy | None = None
) -> Rollout:
    """A person's own rollout, where no approval is asked for. strategy: instead of that of the project file.

    Raises:
        Refused: production, and what the policy has a rule for, is entered by an approved request only; the policy has no such
        move; a gate has not passed; or the project file asks for more than this actor alone. Conflict, NotFound. Invalid: a
        strategy that has no meaning there.
    """
    if environment == PRODUCTION:
        hint = f"lockgate request {model} {version} --to Production"
        raise Refused("production is entered by an approved request only", hint=hint)
    if strategy is not None and strategy is not Strategy.REPLACE:
        raise Invalid(f"strategy {strategy.value} found, replace expected: {environment} has no traffic of its own")
    with world.state.write() as tx:
        plan = environment_of(tx, model, environment).plan
        plan = replace(plan, strategy=strategy) if strategy else plan
        found = version_of(tx, model, version)
        now = world.clock.now()
        _check_policy(tx, found, environment, actor, now)
        return open_rollout(tx, found, environment, actor, now, plan=plan)


def _check_policy(tx: Reader, version: ModelVersion, environment: str, actor: Actor, now: datetime) -> None:
    """What the platform has a rule for is asked for, and so is what the project file does not leave to one person alone."""
    stage = STAGE_OF.get(environment)
    if stage is None:
        return
    policy, hint = policy_of(tx), f"lockgate request {version.model} {version.version} --to {stage.value}"
    if stage.value in policy.stages:
        raise Refused(f"the policy has a rule for {stage.value}: it is entered by an approved request only", hint=hint)
    check_move(tx, version, stage)
    rule = rule_for(tx, version.model, stage)
    check_gates(tx, version, rule, stage, now)
    if approvals_of(tx, version.model, stage) == ApprovalPolicy():
        return  # the project file has no word about it
    if against := alone(rule, policy, actor, known_as(tx, actor), authors_of(tx, version)):
        name = f"{version.model} {version.version}"
        raise Refused(f"{actor.name} cannot bring {name} into {stage.value} alone: {'; '.join(against)}", hint=hint)


def open_rollout(
    tx: Writer,
    version: ModelVersion,
    environment: str,
    actor: Actor,
    now: datetime,
    *,
    plan: Plan | None = None,
    request: str | None = None,
    segment: str = "",
) -> Rollout:
    """A rollout that prepares: its package loads, no unit meets it yet. segment: of Production; "": all that has no champion.

    The first version in an environment has nothing to be compared with, and Staging has no traffic to compare by: these come in
    by `replace`, whatever the plan says.

    Raises:
        Conflict: another rollout is under way there, or the version is there already. Refused: the version may not go there.
        Invalid: the segment cannot have a champion. InvalidInput: the plan's judge could never say anything.
    """
    plan = plan or plan_for(tx, version, environment)
    check_may_enter(tx, version, environment, plan, segment)
    return prepare_rollout(tx, version, environment, actor, now, plan=plan, request=request, segment=segment)


def prepare_rollout(
    tx: Writer,
    version: ModelVersion,
    environment: str,
    actor: Actor,
    now: datetime,
    *,
    plan: Plan,
    request: str | None = None,
    segment: str = "",
) -> Rollout:
    """The same for a version of which it is known that it may enter. Without a request a segment is entered by a roll-back only.

    Every version that comes to answer anybody comes this way, so here its signature is looked at.

    Raises:
        InvalidInput: the plan's judge could never say anything. Refused: as check_signed.
    """
    check_signed(tx, version)
    segmentation, apart = _told_apart(tx, version.model, environment, segment)
    own = champion_in_force(tx, version.model, segment) if segment else None
    baseline = own or standing_in(tx, version.model, environment)
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
        salt=next((one.salt for one in _into(tx, version.model, environment, segment)), secrets.token_hex(16)),
        unit=plan.unit if judged else "request",
        judge=plan.judge,
        request=request,
        yes=plan.yes if compared else (),
        share=plan.share,
        preview=plan.preview,
        hold_back=0.0 if segment else plan.hold_back,
        held=plan.held,
        contest=plan.contest if judged else None,
        contestants=contestants(tx, version, baseline, plan, segment) if judged and baseline else (),
        segment=segment,
        segmentation=segmentation,
        apart=apart,
        own=own is not None,
    )
    if rollout.judge.alpha_per_year is not None:
        rollout = within_budget(rollout, tx.find(ROLLOUTS, model=rollout.model))
    for other in _into(tx, version.model, environment, segment):
        if other.strategy is Strategy.ONLINE:
            said = Outcome(other.verdict, detail=f"it gave way to {rollout.id} of version {version.version}")
            give_signal(tx, other, Signal.ABORT, actor, now, said)
    tx.put(ROLLOUTS, rollout)
    tx.record(started(rollout, actor, now))
    back = (
        segment and request is None
    )  # what answered there was apart when the hold began, or is not in force: no evidence for it
    if environment == PRODUCTION and not back:  # the champion is the new one's baseline: all units are its
        end_hold_on(tx, version.model, HoldEnd.SUPERSEDED, actor, now, f"{rollout.id} of version {version.version} began")
    return publish_rollout(tx, rollout, now)


def _told_apart(tx: Reader, model: str, environment: str, segment: str) -> tuple[Segmentation | None, tuple[str, ...]]:
    """How segments are told apart while the rollout is under way, and which of them are no evidence for it."""
    segmentation = segmentation_of(tx, model) if environment == PRODUCTION else None
    if segmentation is None or segment:
        return segmentation, ()
    in_force = champions_in_force(tx, model, segmentation)
    return segmentation, tuple(one for one in segmentation.values if one in in_force)


def plan_for(tx: Reader, version: ModelVersion, environment: str) -> Plan:
    """By which plan the project file lets the version come in; `replace` where it says nothing."""
    return plan_of(environment_of(tx, version.model, environment).plan, version, tx.get(LEARNINGS, version.model))


def check_may_enter(tx: Reader, version: ModelVersion, environment: str, plan: Plan | None = None, segment: str = "") -> None:
    """plan: by which it enters; None: that of the project file."""
    if environment not in STAGE_OF:
        raise Conflict(f"environment {environment!r} found, one of {', '.join(STAGE_OF)} expected")
    if version.dirty and environment == PRODUCTION:
        raise Refused(
            f"{version.model} {version.version} was built from uncommitted changes: nobody could build it again",
            hint="Commit the changes and run the pipeline again.",
        )
    plan = plan or plan_for(tx, version, environment)
    if segment:
        check_segment(tx, version, environment, segment)
    else:
        _check_stage(version, environment)
    other = in_the_way(tx, version.model, environment, plan, segment)
    if other is not None:
        into = f"{other.environment}, segment {other.segment!r}," if other.segment else other.environment
        raise Conflict(
            f"rollout {other.id} of version {other.version} into {into} is {other.phase.value}",
            hint=f"Wait for it, or end it: lockgate rollout abort {other.id}",
        )
    for other in rollouts_under_way(tx, version.model):
        aside = environment == other.environment == PRODUCTION and (segment or other.segment)  # a segment's moves no stage
        if other.version == version.version and not aside:  # where it stands would be a matter of which rollout ends last
            raise Conflict(
                f"rollout {other.id} is bringing {version.model} {version.version} into {other.environment}",
                hint=f"Wait for it, or end it: lockgate rollout abort {other.id}",
            )


def _check_stage(version: ModelVersion, environment: str) -> None:
    if version.stage is STAGE_OF[environment]:
        raise Conflict(f"{version.model} {version.version} already is in {version.stage.value}")
    if version.stage is Stage.PRODUCTION:
        hint = "Roll out another version first; this one is archived then."
        raise Conflict(f"{version.model} {version.version} serves in Production and cannot move to {environment}", hint=hint)


def in_the_way(tx: Reader, model: str, environment: str, plan: Plan, segment: str = "") -> Rollout | None:
    """A rollout beside which none by this plan may begin. Those in different segments do not stand in each other's way.

    Shadows may stand beside each other, if they tell units apart alike: they share one salt, so that a unit has one key for all
    of them, whichever ends first. A checkpoint of online learning gives way: the next one is judged.
    """
    for other in _into(tx, model, environment, segment):
        shadows = other.strategy is plan.strategy is Strategy.SHADOW
        if not (shadows and other.unit == plan.unit) and other.strategy is not Strategy.ONLINE:
            return other
    return across(tx, model, plan, segment) if environment == PRODUCTION else None


def _into(tx: Reader, model: str, environment: str, segment: str) -> list[Rollout]:
    return [one for one in rollouts_under_way(tx, model) if (one.environment, one.segment) == (environment, segment)]


def check_may_leave(tx: Reader, version: ModelVersion) -> None:
    """A version cannot be taken away from a rollout that brings it in or compares with it, nor from a segment that it answers."""
    check_no_segment_needs(tx, version)
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
    if rollout.segment:
        details["segment"] = rollout.segment
    if rollout.plan_alpha is not None:
        details["alpha"] = rollout.judge.alpha
    if rollout.strategy is Strategy.SHADOW:
        details["share"] = rollout.share
    if rollout.contestants:
        details["arms"] = {str(one.version): one.weight for one in rollout.contestants}
    return Happened(
        Action.ROLLOUT_STARTED, actor.name, actor.authenticated, now, rollout.id, rollout.model, rollout.version, details
    )
