"""Rollouts: how far they have come, on what evidence, and a person's hand on them."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Request

from lockgate.boundary.histogram import quantile
from lockgate.domain.rollouts import Phase, Rollout, Signal
from lockgate.entrypoints.api.people import ActorNamed, DecidesNamed
from lockgate.entrypoints.api.rest.paging import WindowAsked, page
from lockgate.entrypoints.api.route_watch import RouteWatch
from lockgate.entrypoints.api.shapes import rollouts as shapes
from lockgate.entrypoints.api.shapes.basics import Page
from lockgate.entrypoints.reading.desk import Desk, DeskHere
from lockgate.entrypoints.reading.held import held_after
from lockgate.entrypoints.reading.progress import ArmTotals, Point, Progress
from lockgate.ports.state import ROLLOUTS
from lockgate.stages.deliver.judge.bounds import harm_bound, safe_bound
from lockgate.stages.deliver.rollout import PAIRED
from lockgate.usecases.approve_step import approve_step
from lockgate.usecases.find_things import rollout_by
from lockgate.usecases.roll_back import roll_back
from lockgate.usecases.start_rollout import start_rollout
from lockgate.usecases.steer_rollout import steer

router = APIRouter(prefix="/api/v1", tags=["rollouts"])


def _watch_of(request: Request) -> RouteWatch:
    return cast("RouteWatch", request.app.state.route_watch)


Waking = Annotated[RouteWatch, Depends(_watch_of)]


@router.get("/rollouts", response_model=Page[shapes.Rollout])
def rollouts(desk: DeskHere, asked: WindowAsked, model: str | None = None, phase: Phase | None = None) -> Any:
    """Rollouts with plan, phase, ramp and outcome."""
    return page(desk, ROLLOUTS, asked, model=model, phase=phase.value if phase else None)


@router.post("/rollouts", status_code=201, response_model=shapes.Rollout)
def start(desk: DeskHere, actor: ActorNamed, body: shapes.NewRollout) -> Any:
    """Bring a version into an environment that needs no approval."""
    return start_rollout(desk.world, body.model, body.version, body.environment, actor, strategy=body.strategy)


@router.get("/rollouts/{id}")
def rollout(desk: DeskHere, id: str) -> shapes.RolloutInFull:  # noqa: A002 - the path's own word
    """With what each arm did and the evidence over time, and with what its promotion left behind."""
    found, progress = _look(desk, id)
    with desk.world.state.read() as tx:
        after = held_after(tx, id)
    held = shapes.Held.model_validate(after) if after else None
    shape = shapes.Rollout.model_validate(found)
    arms: dict[Literal["canary", "baseline"], shapes.Arm] = {
        "canary": _arm(found.version, progress.canary),
        "baseline": _arm(found.baseline, progress.baseline),
    }
    pairs, series = _pairs(found, progress), series_of(found, progress)
    return shapes.RolloutInFull(**shape.model_dump(), arms=arms, pairs=pairs, series=series, held=held)


@router.get("/rollouts/{id}/series")
def series(desk: DeskHere, id: str) -> shapes.Series:  # noqa: A002
    """Weight and evidence over time, thinned to what a chart can show."""
    return series_of(*_look(desk, id))


@router.post("/rollouts/{id}/approve", response_model=shapes.Rollout)
def approve(desk: DeskHere, actor: DecidesNamed, watch: Waking, id: str, body: shapes.Yes | None = None) -> Any:  # noqa: A002
    """One person's yes to the step that is asked for. The one that completes the number begins it in the same transaction."""
    given = body or shapes.Yes()
    changed = approve_step(desk.world, id, actor, given.comment, given.share)
    watch.look_now()
    return changed


@router.post("/rollouts/{id}/{signal}", response_model=shapes.Rollout)
def give(
    desk: DeskHere,
    actor: ActorNamed,
    watch: Waking,
    id: str,  # noqa: A002
    signal: Literal["pause", "resume", "promote", "abort"],
    body: shapes.Reason | None = None,
) -> Any:
    """Pause stops the ramp, never the guard: harm still aborts. Workers that wait for a newer table are told at once."""
    changed = steer(desk.world, id, Signal(signal), actor, body.reason if body else "")
    watch.look_now()
    return changed


@router.post("/models/{model}/rollback", response_model=shapes.Rollout)
def rollback(desk: DeskHere, actor: ActorNamed, watch: Waking, model: str, body: shapes.RollBack | None = None) -> Any:
    """End what is under way, or put the version that served before back into Production, or into a segment of it, at once."""
    asked = body or shapes.RollBack()
    done = roll_back(desk.world, model, actor, asked.reason, asked.to, asked.segment or "")
    watch.look_now()
    return done


def series_of(rollout: Rollout, progress: Progress) -> shapes.Series:
    points = progress.points
    return shapes.Series(
        at=[round(point.at, 3) for point in points],
        requests=[point.requests for point in points],
        weight=[point.weight for point in points],
        step=[point.step for point in points],
        harm={"all": _column(points, "harm")} | {name: _column(points, f"harm/{name}") for name in _metrics(points, "harm/")},
        safe={name: _column(points, f"safe/{name}") for name in _metrics(points, "safe/")},
        bounds={"harm": harm_bound(rollout.judge), "safe": safe_bound(rollout.judge)},
        rows=progress.rows,
    )


def _look(desk: Desk, rollout_id: str) -> tuple[Rollout, Progress]:
    with desk.world.state.read() as tx:
        return rollout_by(tx, rollout_id), desk.folds.progress(tx, rollout_id)


def _pairs(rollout: Rollout, progress: Progress) -> shapes.Pairs | None:
    if rollout.strategy not in PAIRED:
        return None
    told = progress.pairs
    return shapes.Pairs(
        agreed=told.agreed,
        disagreed=told.disagreed,
        differences=list(told.differences()),
        only_shadow=told.only_shadow,
        only_champion=told.only_champion,
        losses=shapes.Losses.model_validate(told.figures()) if rollout.judge.loss else None,
    )


def _metrics(points: Iterable[Point], prefix: str) -> list[str]:
    names = {name.removeprefix(prefix) for point in points for name in point.evidence if name.startswith(prefix)}
    return sorted(names)


def _column(points: Iterable[Point], name: str) -> list[float | None]:
    """To four decimals. JSON has no infinities: where the evidence is one, or there is none yet, the column has a gap."""
    values = (point.evidence.get(name) for point in points)
    return [round(value, 4) if value is not None and isfinite(value) else None for value in values]


def _arm(version: int | None, totals: ArmTotals) -> shapes.Arm:
    return shapes.Arm(
        version=version,
        completed=totals.completed,
        failed=totals.failed,
        timed=totals.timed,
        exceeded=list(totals.exceeded),
        labelled=totals.labelled,
        events=totals.events,
        p50=quantile(totals.latency, 0.5) if totals.latency else None,
        p99=quantile(totals.latency, 0.99) if totals.latency else None,
    )
