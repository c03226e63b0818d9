"""Bring the route table in line with what stands where and how it is to answer: part of every transaction that changes these."""

from __future__ import annotations

from datetime import datetime

from lockgate.boundary.routes import Revision, Route, RouteTable
from lockgate.domain.environments import PRODUCTION
from lockgate.domain.learning import LearningState
from lockgate.domain.models import ModelVersion, Stage
from lockgate.domain.rollouts import RampStep, Rollout
from lockgate.ports.state import LEARNINGS, ROLLOUTS, ROUTES, VERSIONS, PublishedRoutes, Reader, Writer
from lockgate.stages.deliver.rollout import entering, met, shares, with_step
from lockgate.stages.deliver.routes import Apart, route
from lockgate.stages.deliver.vouched_routes import with_papers
from lockgate.usecases.find_champions import champions_in_force, segmentation_in_force
from lockgate.usecases.find_holds import hold_on
from lockgate.usecases.find_rollouts import last_into_each, rollouts_under_way
from lockgate.usecases.find_things import environment_of, version_of


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
    under_way, retained, hold = rollouts_under_way(tx, model), retained_version(tx, model), hold_on(tx, model)
    apart, learns = _apart(tx, model), _learns(tx, model)
    desired = route(model, standing, under_way, retained, answers, hold, apart, learns=learns)
    return with_papers(desired, lambda number: _provenance(tx, model, number)) if desired else None


def _provenance(tx: Reader, model: str, version: int) -> str:
    found = tx.get(VERSIONS, model, version)
    return found.provenance if found else ""


def _learns(tx: Reader, model: str) -> bool | None:
    learning = tx.get(LEARNINGS, model)
    return None if learning is None else learning.state is LearningState.OPEN


def _apart(tx: Reader, model: str) -> Apart | None:
    """The segments that may have champions of their own, and those that they have."""
    segmentation = segmentation_in_force(tx, model)
    if segmentation is None:
        return None
    in_force = champions_in_force(tx, model, segmentation)
    return Apart(
        segmentation,
        champions={name: version_of(tx, model, entering(one)) for name, one in in_force.items()},
        retained={name: version_of(tx, model, one.baseline) for name, one in in_force.items() if one.own and one.baseline},
    )


def retained_version(tx: Reader, model: str) -> ModelVersion | None:
    """The version that the last promotion into Production replaced: kept warm, so that going back needs no load."""
    last = last_into_production(tx, model)
    return tx.get(VERSIONS, model, last.baseline) if last and last.baseline is not None else None


def last_into_production(tx: Reader, model: str, segment: str = "") -> Rollout | None:
    """The last rollout that was promoted there. segment: in which; "": of all that has no champion of its own."""
    return last_into_each(tx, model, [segment]).get(segment)
