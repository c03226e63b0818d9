"""May a version come into a segment of Production, beside what stands there and what is under way?"""

from __future__ import annotations

from lockgate.domain.environments import PRODUCTION
from lockgate.domain.models import ModelVersion, TransitionRequest
from lockgate.domain.rollouts import Plan, Rollout, Strategy
from lockgate.kernel.errors import Conflict, Invalid, Refused
from lockgate.ports.state import Reader
from lockgate.stages.deliver.segments import counts_traffic
from lockgate.usecases.find_champions import champion_in_force, champion_of, keeper_of_segments, segment_champions
from lockgate.usecases.find_rollouts import rollouts_under_way
from lockgate.usecases.find_things import environment_of


def check_segment(tx: Reader, version: ModelVersion, environment: str, segment: str) -> None:
    """
    Raises:
        Invalid: the project file does not let the segment have a champion, or the strategy works in no segment. Conflict: the
        file takes effect later, the version answers there already, or nothing answers the rest.
    """  # noqa: D212 - there is nothing else to say
    if environment != PRODUCTION:
        raise Invalid(f"segment {segment!r} of {environment} found, none expected: only production has segments")
    _check_declared(tx, version.model, segment)
    if environment_of(tx, version.model, PRODUCTION).plan.strategy is Strategy.ONLINE:
        raise Invalid(
            f"strategy online found, another one expected: what learns online learns from all traffic, not from {segment!r}",
            hint="Change `strategy` of production in lockgate.yaml, run `lockgate run`, and ask again.",
        )
    general, own = champion_of(tx, version.model), champion_in_force(tx, version.model, segment)
    if general is None:
        hint = f"lockgate request {version.model} {version.version} --to Production"
        raise Conflict(f"nothing of {version.model} is in Production, which all but {segment!r} would be answered by", hint=hint)
    if (own or general).version == version.version:
        which = "its own" if own else "the general"
        raise Conflict(
            f"{version.model} {version.version} answers segment {segment!r} already, as {which} champion",
            hint=f"Name another version; they are listed by: lockgate versions {version.model}",
        )


def _check_declared(tx: Reader, model: str, segment: str) -> None:
    declared, keeper = environment_of(tx, model, PRODUCTION).champions, keeper_of_segments(rollouts_under_way(tx, model))
    if declared is None:
        example = f'champions: {{by: "header:NAME", segments: [{segment}]}}'
        raise Invalid(
            f"segment {segment!r} found, none expected: lockgate.yaml of {model} lets no segment have a champion",
            hint=f"Write `{example}` under environments: production, and run `lockgate run`.",
        )
    if segment not in declared.segments:
        raise Invalid(
            f"segment {segment!r} found, one of {', '.join(declared.segments)} expected ({declared.by})",
            hint="Name it among `champions: segments` of production in lockgate.yaml, and run `lockgate run`.",
        )
    if keeper is not None and keeper.segmentation != declared.segmentation:
        raise Conflict(
            f"`champions` of lockgate.yaml was changed after rollout {keeper.id} began, and takes effect when that has ended",
            hint=f"Wait for it, or end it: lockgate rollout abort {keeper.id}",
        )


def check_same_part(tx: Reader, request: TransitionRequest) -> None:
    """A yes is to the part of the traffic that was asked for. The same value of another header or field is another part.

    Raises:
        Refused: the project file tells segments by another one since.
    """
    by = told_by_file(tx, request.model)
    if not request.segment or not by or request.by == by:
        return
    again = f"lockgate request {request.model} {request.version} --to Production --segment {request.segment!r}"
    raise Refused(
        f"request {request.id} asks for segment {request.segment!r} of {request.by or 'an unknown header or field'}, and"
        f" lockgate.yaml of {request.model} tells segments by {by} now: that is another part of the traffic",
        hint=f"Ask for that one: {again}. To close this request: lockgate reject {request.id}",
    )


def told_by_file(tx: Reader, model: str) -> str:
    """The header or field by which the project file tells segments that may have champions; "" if it names none."""
    declared = environment_of(tx, model, PRODUCTION).champions
    return declared.by if declared else ""


def across(tx: Reader, model: str, plan: Plan, segment: str) -> Rollout | None:
    """A rollout that would be disturbed by one that begins in a segment, or by one of the rest where `segment` is "".

    Which segments have champions must not change while a version is judged on the rest: what they answer is none of its evidence.
    """
    others = [one for one in rollouts_under_way(tx, model) if one.environment == PRODUCTION]
    if segment:
        return next((one for one in others if not one.segment and counts_traffic(one)), None)
    return next((one for one in others if one.segment), None) if counts_traffic(plan) else None


def check_no_segment_needs(tx: Reader, version: ModelVersion) -> None:
    """Neither a segment's champion is taken out of use nor the general one while a segment falls back to it.

    Raises:
        Conflict: it is one of these.
    """
    champions = segment_champions(tx, version.model)
    for segment, number in champions.items():
        if number == version.version:
            raise Conflict(
                f"{version.model} {version.version} is the champion of segment {segment!r}",
                hint=f"Take that back first: lockgate rollback {version.model} --segment {segment!r}",
            )
    general = champion_of(tx, version.model)
    if champions and general is not None and general.version == version.version:
        raise Conflict(
            f"{version.model} {version.version} answers all but {', '.join(map(repr, champions))}, which fall back to it",
            hint=f"Bring another version in, which archives it: lockgate request {version.model} VERSION --to Production."
            f" Or take each of these segments back first, in force or not: lockgate rollback {version.model} --segment SEGMENT",
        )
