"""Bring the route table in line with what stands where and how it is to answer: part of every transaction that changes these."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from lockgate.boundary.routes import Revision, Route, RouteTable
from lockgate.domain.environments import PRODUCTION
from lockgate.domain.models import ModelVersion, Stage
from lockgate.domain.rollouts import Phase, RampStep, Rollout
from lockgate.ports.state import ROLLOUTS, ROUTES, VERSIONS, PublishedRoutes, Reader, Writer
from lockgate.stages.deliver.rollout import met, shares, with_step
from lockgate.stages.deliver.routes import route
from lockgate.usecases.find_holds import hold_on
from lockgate.usecases.find_rollouts import rollouts_under_way
from lockgate.usecases.find_things import environment_of

_PAGE = 20  # rollouts


def route_table(tx: Reader) -> RouteTable:
    """The table in force; before anything was published an empty one, of the lowest revision."""
    published = tx.get(ROUTES, "current")
    return published.table if published else RouteTable()


def publish_routes(tx: Writer, model: str) -> Revision:
    """The revision under which the model's route is in force; a new one only if the route changed."""
    table = route_table(tx)
    desired = desired_route(tx, model)
    if desired == table.route(model):
        return table.revision
    others = tuple(one for one in table.routes if one.model != model)
    revision = Revision(table.revision.epoch, table.revision.n + 1)
    routes = (*others, desired) if desired else others
    tx.put(ROUTES, PublishedRoutes(RouteTable(revision, tuple(sorted(routes, key=lambda one: one.model)))))
    return revision


def publish_rollout(tx: Writer, rollout: Rollout, now: datetime) -> Rollout:
    """Publish the route that follows from the rollout and note in its ramp from which revision on its weight holds.

    The revision of its end is noted though the weight be the same: a version that nobody met is let go of by it too.
    """
    revision = publish_routes(tx, rollout.model)
    share, parts, last = met(rollout), shares(rollout), rollout.ramp[-1] if rollout.ramp else None
    if (
        last
        and (last.weight, last.shares) == (share, parts)
        and (rollout.ended_at is None or revision == Revision(last.epoch, last.n))
    ):
        return rollout
    changed = with_step(rollout, RampStep(revision.epoch, revision.n, share, now, parts))
    tx.put(ROLLOUTS, changed)
    return changed


def desired_route(tx: Reader, model: str) -> Route | None:
    standing = [
        *tx.find(VERSIONS, model=model, stage=Stage.PRODUCTION.value),
        *tx.find(VERSIONS, model=model, stage=Stage.STAGING.value),
    ]
    answers = environment_of(tx, model, PRODUCTION).answers
    return route(model, standing, rollouts_under_way(tx, model), retained_version(tx, model), answers, hold_on(tx, model))


def retained_version(tx: Reader, model: str) -> ModelVersion | None:
    """The version that the last promotion into Production replaced: kept warm, so that going back needs no load."""
    last = _last_into_production(tx, model)
    return tx.get(VERSIONS, model, last.baseline) if last and last.baseline is not None else None


def came_back(tx: Reader, model: str) -> bool:
    """Whether what stands in Production came there by a roll-back."""
    last = _last_into_production(tx, model)
    return last is not None and last.back


def _last_into_production(tx: Reader, model: str) -> Rollout | None:
    return next((rollout for rollout in _promoted(tx, model) if rollout.environment == PRODUCTION), None)


def _promoted(tx: Reader, model: str) -> Iterator[Rollout]:
    """Newest first. There may be any number of them into Staging since the last one into Production."""
    offset = 0
    while page := tx.find(ROLLOUTS, model=model, phase=Phase.PROMOTED.value, newest_first=True, limit=_PAGE, offset=offset):
        yield from page
        offset += _PAGE
