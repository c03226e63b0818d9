"""The routing plan of one worker: the route table, with what can answer here and now. Pure; a new plan replaces the old one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol
from urllib.parse import quote

from lockgate.boundary.routes import Arm, OnFailure, Part, Revision, Role, Route, RouteTable, Rule, Shadow
from lockgate.serving.capture.tally import Tally
from lockgate.serving.gateway.package import Package


@dataclass(frozen=True, slots=True)
class ReadyArm:
    """A version that can answer. `tally` counts what the table assigned to it, `aside` everything else that it answered.

    by_segment: what counts in place of `tally` for requests in a declared segment. In a segment's own plan there is only that
    one segment, and `tally` counts it.
    """

    version: int
    package: Package
    tally: Tally
    aside: Tally
    by_segment: Mapping[str, Tally] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReadyRule:
    """arm: None while the version that the rule names cannot answer: the champion does."""

    values: frozenset[str]
    header: str | None
    field: str | None
    arm: ReadyArm | None


@dataclass(frozen=True, slots=True)
class ReadySegments:
    values: frozenset[str]
    header: str | None
    field: str | None


@dataclass(frozen=True, slots=True)
class ReadyShadow:
    told: Shadow
    package: Package
    tally: Tally
    by_segment: Mapping[str, Tally] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """How one model is answered.

    weights: of the table's arms, in its order. arms: what answers for each of them: itself if it is ready, else `champion`.
    champion: what answers when no other may; None while nothing can.
    by_version: every version that is loaded, for those who ask for one by its number.
    judged: whether answers are evidence. They are not while an arm with a weight is not ready, or while the control plane is
        lost: then the split is not the one that the table says.
    split: whether assignment means anything, so that a request without its unit must be left out of the evidence.
    falls_back: whether the champion answers when the version that was assigned fails.
    parts: the plans of the segments that have one of their own; None if none has. There `by_version` holds their versions too.
    """

    route: Route
    salt: str
    weights: tuple[float, ...]
    arms: tuple[ReadyArm | None, ...]
    champion: ReadyArm | None
    by_version: Mapping[int, ReadyArm]
    judged: bool
    split: bool
    header: str | None
    field: str | None
    rules: tuple[ReadyRule, ...] = ()
    segments: ReadySegments | None = None
    shadows: tuple[ReadyShadow, ...] = ()
    falls_back: bool = True
    timeout: float = 10.0
    parts: Mapping[str, RoutePlan] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """ready: everything that gets traffic by the table can answer here. paths: where each model is asked, for a quick look-up."""

    revision: Revision = field(default_factory=Revision)
    table: RouteTable = field(default_factory=RouteTable)
    routes: Mapping[str, RoutePlan] = field(default_factory=dict)
    paths: Mapping[str, RoutePlan] = field(default_factory=dict)
    ready: bool = False


class NewTally(Protocol):
    def __call__(self, route: Route, arm: Arm | Shadow, *, assigned: bool, segment: str = "") -> Tally: ...


class Packages(NamedTuple):
    """What is ready, by digest: to answer, and as shadows."""

    arms: Mapping[str, Package]
    shadows: Mapping[str, Package]


def make_plan(table: RouteTable, packages: Packages, before: Plan, new_tally: NewTally, *, orphaned: bool = False) -> Plan:
    """The plan for a table.

    before: the plan in force: a champion that cannot answer yet is stood in for by the
        one before it. new_tally: where answers are counted. orphaned: the control plane is lost, so nobody watches a canary: its
        share goes to the champion.
    """
    arms, shadows = _by_model(packages.arms), _by_model(packages.shadows)
    own = {route.model: Packages(arms.get(route.model, {}), shadows.get(route.model, {})) for route in table.routes}
    routes = {
        route.model: _whole_plan(route, before.routes.get(route.model), _Making(own[route.model], new_tally, orphaned))
        for route in table.routes
    }
    return Plan(
        revision=table.revision,
        table=table,
        routes=routes,
        paths={f"/v2/models/{quote(model, safe='')}/infer": plan for model, plan in routes.items()},
        ready=all(_answers(one, own[route.model].arms) for route in table.routes for one in route.with_parts),
    )


def _by_model(packages: Mapping[str, Package]) -> dict[str, dict[str, Package]]:
    """A package is of the model that its manifest names, whatever a table says: it answers for no other."""
    found: dict[str, dict[str, Package]] = {}
    for digest, package in packages.items():
        found.setdefault(package.manifest.model, {})[digest] = package
    return found


def versions_of(route: Route) -> list[int]:
    """The versions that a route names, its parts' too, each once."""
    return list(dict.fromkeys(arm.version for one in route.with_parts for arm in one.arms))


def _complete(route: Route, packages: Mapping[str, Package]) -> bool:
    """Whether everything is loaded that gets traffic by the table."""
    return all(arm.digest in packages for arm in route.arms if arm.weight > 0)


def _answers(route: Route, packages: Mapping[str, Package]) -> bool:
    """The same, but for a held-back version: it is there to be compared with, and without it the champion answers."""
    return all(arm.digest in packages for arm in route.arms if arm.weight > 0 and arm.role is not Role.HELD_BACK)


class _Making(NamedTuple):
    """What all plans of one table are made with."""

    packages: Packages
    new_tally: NewTally
    orphaned: bool


def _whole_plan(route: Route, before: RoutePlan | None, making: _Making) -> RoutePlan:
    """The plan of a route, with those of its parts. A rule of either leads to every version that is loaded."""
    plan = _route_plan(route, before, making)
    if not route.parts:
        return plan
    parts = [(part.segment, _part_plan(part, plan, before, making)) for part in route.parts]
    loaded = {version: arm for one in (*(one for _, one in parts), plan) for version, arm in one.by_version.items()}
    return replace(
        plan,
        by_version=loaded,
        rules=_ready_rules(route.rules, loaded),
        parts={
            segment: replace(one, rules=_ready_rules(one.route.rules, {**loaded, **one.by_version})) for segment, one in parts
        },
    )


def _part_plan(part: Part, general: RoutePlan, before: RoutePlan | None, making: _Making) -> RoutePlan:
    """What went on for the segment before goes on if it was its own; the model's champion is another one by now."""
    known = before.parts.get(part.segment) if before is not None and before.parts is not None else None
    if before is not None and known is not None and known.champion is before.champion:
        known = None
    return _route_plan(part.route, known, making, part.segment, general.champion)


def _route_plan(
    route: Route, before: RoutePlan | None, making: _Making, segment: str = "", instead: ReadyArm | None = None
) -> RoutePlan:
    """segment: whose part it is, if it is one. instead: see _champion; what it answers is no evidence in the segment."""
    (arms, shadows), new_tally, orphaned = making
    ready = {
        arm.version: _ready_arm(route, arm, arms[arm.digest], new_tally, segment) for arm in route.arms if arm.digest in arms
    }
    champion = _champion(route, ready, before.champion if before else None, instead)
    header, field = _place(route.unit)
    return RoutePlan(
        route=route,
        salt=route.salt,
        weights=tuple(arm.weight for arm in route.arms),
        arms=tuple(champion if orphaned and arm.role is Role.CANARY else ready.get(arm.version, champion) for arm in route.arms),
        champion=champion,
        by_version=ready,
        judged=_complete(route, arms) and not orphaned and (instead is None or champion is not instead),
        split=route.rollout is not None or sum(arm.weight > 0 for arm in route.arms) > 1,
        header=header,
        field=field,
        rules=_ready_rules(route.rules, ready),
        segments=ReadySegments(frozenset(route.segments.values), *_place(route.segments.by)) if route.segments else None,
        shadows=tuple(
            _ready_shadow(route, shadow, shadows[shadow.digest], new_tally, segment)
            for shadow in route.shadows
            if shadow.digest in shadows
        ),
        falls_back=route.on_failure is OnFailure.CHAMPION,
        timeout=route.timeout,
    )


def _place(declared: str) -> tuple[str | None, str | None]:
    """The header, in small letters, or the field that «header:NAME» or «field:NAME» names."""
    kind, _, name = declared.partition(":")
    return name.lower() if kind == "header" else None, name if kind == "field" else None


def _ready_rules(rules: Sequence[Rule], ready: Mapping[int, ReadyArm]) -> tuple[ReadyRule, ...]:
    return tuple(
        ReadyRule(
            frozenset(rule.values), rule.header.lower() if rule.header is not None else None, rule.field, ready.get(rule.version)
        )
        for rule in rules
    )


def _ready_arm(route: Route, arm: Arm, package: Package, new_tally: NewTally, segment: str) -> ReadyArm:
    tally = new_tally(route, arm, assigned=True, segment=segment)
    aside = new_tally(route, arm, assigned=False)
    return ReadyArm(arm.version, package, tally, aside, _by_segment(route, arm, new_tally, segment))


def _ready_shadow(route: Route, shadow: Shadow, package: Package, new_tally: NewTally, segment: str) -> ReadyShadow:
    tally = new_tally(route, shadow, assigned=True, segment=segment)
    return ReadyShadow(shadow, package, tally, _by_segment(route, shadow, new_tally, segment))


def _by_segment(route: Route, arm: Arm | Shadow, new_tally: NewTally, segment: str) -> dict[str, Tally]:
    """What the route itself counts apart: not what its parts do, and a part has but its own segment."""
    if segment or route.segments is None:
        return {}
    elsewhere = {part.segment for part in route.parts}
    return {
        value: new_tally(route, arm, assigned=True, segment=value) for value in route.segments.values if value not in elsewhere
    }


def _champion(route: Route, ready: Mapping[int, ReadyArm], before: ReadyArm | None, instead: ReadyArm | None) -> ReadyArm | None:
    """The table's champion; while it cannot answer, the one before it; then what is held back or kept warm; then `instead`, the
    model's own champion for a segment; the canary when all else fails.

    A pinned version never: it is not for this environment.
    """

    def first(role: Role) -> ReadyArm | None:
        return next((ready[arm.version] for arm in route.arms if arm.role is role and arm.version in ready), None)

    if route.champion is None and not any(arm.weight > 0 for arm in route.arms):
        return instead
    return first(Role.CHAMPION) or before or first(Role.HELD_BACK) or first(Role.RETAINED) or instead or first(Role.CANARY)
