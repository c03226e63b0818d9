"""The routing plan of one worker: the route table, with what can answer here and now. Pure; a new plan replaces the old one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from lockgate.boundary.routes import Arm, Revision, Role, Route, RouteTable
from lockgate.serving.capture.tally import Tally
from lockgate.serving.gateway.package import Package


@dataclass(frozen=True, slots=True)
class ReadyArm:
    """A version that can answer. `tally` counts what the table assigned to it, `aside` everything else that it answered."""

    version: int
    package: Package
    tally: Tally
    aside: Tally


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """How one model is answered.

    weights: of the table's arms, in its order. arms: what answers for each of them: itself if it is ready, else `champion`.
    champion: what answers when no other may; None while nothing can.
    by_version: every version that is loaded, for those who ask for one by its number.
    judged: whether answers are evidence. They are not while an arm with a weight is not ready, or while the control plane is
        lost: then the split is not the one that the table says.
    split: whether assignment means anything, so that a request without its unit must be left out of the evidence.
    """

    route: Route
    weights: tuple[float, ...]
    arms: tuple[ReadyArm | None, ...]
    champion: ReadyArm | None
    by_version: Mapping[int, ReadyArm]
    judged: bool
    split: bool
    header: str | None
    field: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """ready: everything that gets traffic by the table can answer here."""

    revision: Revision = field(default_factory=Revision)
    table: RouteTable = field(default_factory=RouteTable)
    routes: Mapping[str, RoutePlan] = field(default_factory=dict)
    ready: bool = False


class NewTally(Protocol):
    def __call__(self, route: Route, arm: Arm, *, assigned: bool) -> Tally: ...


def make_plan(
    table: RouteTable, packages: Mapping[str, Package], before: Plan, new_tally: NewTally, *, orphaned: bool = False
) -> Plan:
    """The plan for a table.

    packages: those that are ready, by digest. before: the plan in force: a champion that cannot answer yet is stood in for by the
        one before it. new_tally: where answers are counted. orphaned: the control plane is lost, so nobody watches a canary: its
        share goes to the champion.
    """
    return Plan(
        revision=table.revision,
        table=table,
        routes={
            route.model: _route_plan(route, packages, before.routes.get(route.model), new_tally, orphaned=orphaned)
            for route in table.routes
        },
        ready=all(_complete(route, packages) for route in table.routes),
    )


def _complete(route: Route, packages: Mapping[str, Package]) -> bool:
    """Whether everything is loaded that gets traffic by the table."""
    return all(arm.digest in packages for arm in route.arms if arm.weight > 0)


def _route_plan(
    route: Route, packages: Mapping[str, Package], before: RoutePlan | None, new_tally: NewTally, *, orphaned: bool
) -> RoutePlan:
    ready = {arm.version: _ready_arm(route, arm, packages[arm.digest], new_tally) for arm in route.arms if arm.digest in packages}
    champion = _champion(route, ready, before.champion if before else None)
    kind, _, name = route.unit.partition(":")
    return RoutePlan(
        route=route,
        weights=tuple(arm.weight for arm in route.arms),
        arms=tuple(champion if orphaned and arm.role is Role.CANARY else ready.get(arm.version, champion) for arm in route.arms),
        champion=champion,
        by_version=ready,
        judged=_complete(route, packages) and not orphaned,
        split=route.rollout is not None or sum(arm.weight > 0 for arm in route.arms) > 1,
        header=name.lower() if kind == "header" else None,
        field=name if kind == "field" else None,
    )


def _ready_arm(route: Route, arm: Arm, package: Package, new_tally: NewTally) -> ReadyArm:
    return ReadyArm(arm.version, package, new_tally(route, arm, assigned=True), new_tally(route, arm, assigned=False))


def _champion(route: Route, ready: Mapping[int, ReadyArm], before: ReadyArm | None) -> ReadyArm | None:
    """The table's champion; while it cannot answer, the one before it; then what is kept warm; the canary when all else fails.

    A pinned version never: it is not for this environment.
    """

    def first(role: Role) -> ReadyArm | None:
        return next((ready[arm.version] for arm in route.arms if arm.role is role and arm.version in ready), None)

    if route.champion is None and not any(arm.weight > 0 for arm in route.arms):
        return None
    return first(Role.CHAMPION) or before or first(Role.RETAINED) or first(Role.CANARY)
