"""Who takes part in a contest, and whether they may."""

from __future__ import annotations

from lockgate.domain.contests import ContestArm
from lockgate.domain.events import Action
from lockgate.domain.models import ModelVersion, RequestState, Stage
from lockgate.domain.rollouts import Plan
from lockgate.kernel.errors import Invalid, Refused
from lockgate.ports.state import REQUESTS, Reader
from lockgate.usecases.check_segment import told_by_file
from lockgate.usecases.check_signature import check_signed
from lockgate.usecases.find_things import version_of


def contestants(
    tx: Reader, version: ModelVersion, champion: ModelVersion, plan: Plan, segment: str = ""
) -> tuple[ContestArm, ...]:
    """The champion, the rollout's version and the plan's contenders, with their first shares; none without a contest.

    segment: in which it is held. A yes to a contender there counts, one to another segment does not.

    Raises:
        Refused: nobody has said yes to a contender in Production. NotFound: there is no such version. Invalid: a version would
        stand against itself.
    """
    if plan.contest is None:
        return ()
    others = [version_of(tx, version.model, number) for number in plan.contest.contenders]
    arms = (champion, version, *others)
    numbers = [one.version for one in arms]
    if len(set(numbers)) < len(numbers):
        raise Invalid(
            f"versions {', '.join(map(str, numbers))} found, different ones expected: the champion, the version, the contenders",
            hint="Change `contenders` in the project file.",
        )
    for one in others:
        _check_may_contend(tx, one, segment)
        check_signed(tx, one)
    return tuple(ContestArm(one.version, one.digest, share) for one, share in zip(arms, plan.contest.beginning, strict=True))


def _check_may_contend(tx: Reader, version: ModelVersion, segment: str) -> None:
    if version.dirty:
        raise Refused(
            f"{version.model} {version.version} was built from uncommitted changes: nobody could build it again",
            hint="Commit the changes, run the pipeline again, and name the new version among the contenders.",
        )
    asked = tx.find(REQUESTS, model=version.model, version=version.version, state=RequestState.APPROVED.value)
    here = ("", ""), (segment, told_by_file(tx, version.model))
    yes = any(one.to_stage is Stage.PRODUCTION and (one.segment, one.by) in here for one in asked)
    if not yes and not _was_in_production(tx, version):
        raise Refused(
            f"contender {version.model} {version.version} was neither approved for Production nor has it been there",
            hint=f"lockgate request {version.model} {version.version} --to Production, or take it from `contenders`",
        )


def _was_in_production(tx: Reader, version: ModelVersion) -> bool:
    happened = (event.happened for event in tx.events(subject=f"{version.model}/{version.version}"))
    return any(one.action is Action.STAGE_APPLIED and one.details.get("to") == Stage.PRODUCTION.value for one in happened)
