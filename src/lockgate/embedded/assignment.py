"""Which version answers, in a program that has several at hand: by the same table and the same hash as in the gateway.

A route is read by its attributes, so what a channel points to (`boundary.routes.Route`) and what a program was told without any
library (`embedded.plain_routes`) are assigned by alike.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from random import getrandbits
from typing import Any, NamedTuple

from lockgate.boundary.selector import choose, unit_key
from lockgate.boundary.spelling import common_value, spelled, spellings
from lockgate.embedded.tallies import REQUEST, UNASSIGNED, AnyArm, AnyRoute, Tally, tally


class Asked(NamedTuple):
    """What a program says of one request. header: what a request's header would be (a user's id, say), by its name in small
    letters. column: the values of an input, one for each row; empty if there is none. unit: whose request it is, if the program
    says so; else that is looked for where the route says. otherwise: whose it is where nothing is found there; None: nobody's.
    Where units are requests nobody asks for any of it.
    """

    header: Callable[[str], str | None]
    column: Callable[[str], Sequence[Any]]
    unit: str | None = None
    otherwise: str | None = None


class Assignment(NamedTuple):
    """version: which answers. tally: what it is counted as. judged: the table assigned this unit to it, so what happens is
    evidence. segment: of those that the route declares, "" for none; `place` is its place among them, from 1. champion: who
    answers if it fails; None if nobody may. chosen: the caller named the version, or a rule did.
    """

    version: int
    key: int
    tally: Tally
    judged: bool
    segment: str = ""
    place: int = 0
    champion: int | None = None
    aside: Tally | None = None  # what the champion's answer in its place is counted as
    chosen: bool = False


@dataclass(slots=True)
class Assigner:
    """One route, with the versions that can answer here and now. A new one takes its place when either changes.

    revision: (epoch, n) of the table that the route is from; UNASSIGNED of a route that no table has: it gives no evidence.
    orphaned: nothing was heard of the control plane for too long, so nobody watches a canary: its share goes to the champion, and
    nothing is evidence. before: the champion before this route, which stands in while the new one cannot answer.
    """

    route: AnyRoute
    revision: tuple[int, int]
    ready: Collection[int]
    orphaned: bool = False
    before: int | None = None
    _loaded: frozenset[int] = field(init=False)  # of what the route and its parts name
    _whole: _Drawn = field(init=False)
    _parts: dict[str, _Drawn] = field(init=False)
    _told_before: dict[tuple[Any, ...], tuple[Any, ...]] = field(init=False, default_factory=dict)
    _segments: tuple[str | None, str | None, frozenset[str]] = field(init=False)

    def __post_init__(self) -> None:
        self._whole = _drawn(self.route, self)
        parts = self.route.parts
        arms = (arm for route in (self.route, *(one.route for one in parts)) for arm in route.arms)
        self._loaded = frozenset(arm.version for arm in arms if arm.version in self.ready)
        self._parts = {one.segment: _drawn(one.route, self, self._whole.champion) for one in parts}
        declared = self.route.segments
        self._segments = (*_place(declared.by), frozenset(declared.values)) if declared is not None else (None, None, frozenset())

    @property
    def champion(self) -> int | None:
        """What answers whoever is in no trial and in no segment of its own; None while nothing can."""
        return self._whole.champion

    def assign(self, asked: Asked, version: int | None = None) -> Assignment | None:
        """None while nothing can answer. version: the one that the caller names, if it does; then nothing is evidence.

        A request without its unit goes to the champion and is no evidence: nobody meets a canary at random.
        """
        segment = self._segment(asked)
        drawn = self._parts.get(segment, self._whole)
        if version is not None:
            return self._told(drawn, version, segment, chosen=True) if version in self._loaded else None
        champion = drawn.champion
        if champion is None:
            return None
        for rule in drawn.route.rules:
            if any(value in rule.values for value in _spellings(rule.header, rule.field, asked)):
                return self._told(drawn, rule.version if rule.version in self._loaded else champion, segment, chosen=True)
        key = _key(drawn, asked)
        if key is None:
            return self._told(drawn, champion, segment, judged=drawn.judged and not drawn.split)
        chosen = drawn.arms[choose(key, drawn.weights)] if drawn.split else champion
        return self._told(drawn, chosen or champion, segment, key, judged=drawn.judged)

    def _told(
        self, drawn: _Drawn, version: int, segment: str, key: int = 0, *, judged: bool = False, chosen: bool = False
    ) -> Assignment:
        how = version, segment, judged, chosen
        rest = self._told_before.get(how)
        if rest is None:
            rest = self._told_before[how] = self._rest(drawn, version, segment, judged=judged, chosen=chosen)
        return Assignment(version, key, *rest)

    def _rest(self, drawn: _Drawn, version: int, segment: str, *, judged: bool, chosen: bool) -> tuple[Any, ...]:
        """All of an assignment that is the same for every unit."""
        judged = judged and any(arm.version == version for arm in drawn.route.arms)  # and not one that stands in
        champion = drawn.champion if drawn.falls_back and drawn.champion != version else None
        return (
            self._tally(drawn.route, version, segment, assigned=judged),
            judged,
            segment,
            self.route.segments.values.index(segment) + 1 if segment and self.route.segments else 0,
            champion,
            self._tally(drawn.route, champion, segment, assigned=False) if champion is not None else None,
            chosen,
        )

    def _tally(self, route: AnyRoute, version: int, segment: str, *, assigned: bool) -> Tally:
        return tally(route, self.revision, version, segment if assigned else "", assigned=assigned)

    def _segment(self, asked: Asked) -> str:
        header, name, values = self._segments
        if not values:
            return ""
        return next((value for value in _spellings(header, name, asked) if value in values), "")


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A route, or a part of one, with what answers for each of its arms: itself if it is ready, else the champion.

    header, field: where the unit is looked for, unless each request is one.
    """

    route: AnyRoute
    header: str | None
    field: str | None
    weights: tuple[float, ...]
    arms: tuple[int | None, ...]
    champion: int | None
    judged: bool
    split: bool
    falls_back: bool


def _drawn(route: AnyRoute, of: Assigner, instead: int | None = None) -> _Drawn:
    """instead: the model's own champion, where the route is a segment's; what that one answers is no evidence there."""
    own = _champion(route, of)
    champion = _last_resort(route, of, instead) if own is None else own
    watched = not of.orphaned and of.revision != UNASSIGNED
    complete = all(arm.version in of.ready for arm in route.arms if arm.weight > 0)
    return _Drawn(
        route,
        *_place(route.unit),
        tuple(arm.weight for arm in route.arms),
        tuple(_answering(arm, of, champion) for arm in route.arms),
        champion,
        watched and complete and (instead is None or own is not None or champion != instead),
        route.rollout is not None or sum(arm.weight > 0 for arm in route.arms) > 1,
        route.on_failure == "champion",
    )


def _answering(arm: AnyArm, of: Assigner, champion: int | None) -> int | None:
    goes_home = of.orphaned and arm.role == "canary"
    return arm.version if arm.version in of.ready and not goes_home else champion


def _champion(route: AnyRoute, of: Assigner) -> int | None:
    """The table's; while it cannot answer, the one before it; then what is held back or kept warm. A pinned version never: it is
    not for this environment.
    """
    if not any(arm.role == "champion" or arm.weight > 0 for arm in route.arms):
        return None
    first = _first_ready(route, of)
    before = of.before if of.before in of.ready else None
    in_order = (first.get("champion"), before, first.get("held-back"), first.get("retained"))
    return next((one for one in in_order if one is not None), None)


def _last_resort(route: AnyRoute, of: Assigner, instead: int | None) -> int | None:
    """The canary when all else fails."""
    if instead is not None or not any(arm.role == "champion" or arm.weight > 0 for arm in route.arms):
        return instead
    return _first_ready(route, of).get("canary")


def _first_ready(route: AnyRoute, of: Assigner) -> dict[str, int]:
    return dict(reversed([(arm.role, arm.version) for arm in route.arms if arm.version in of.ready]))


def _key(drawn: _Drawn, asked: Asked) -> int | None:
    """None if the request has no unit where the route looks for one."""
    if drawn.route.unit == REQUEST:
        return getrandbits(64)
    unit = asked.unit
    if unit is None:
        unit = _unit(drawn, asked) or asked.otherwise
    return unit_key(drawn.route.salt, unit) if unit else None


def _unit(drawn: _Drawn, asked: Asked) -> str | None:
    """What stands where the route looks for it."""
    if drawn.header is not None:
        return asked.header(drawn.header)
    value = common_value(asked.column(drawn.field or ""))
    return None if value is None else spelled(value)


def _place(declared: str) -> tuple[str | None, str | None]:
    """The header, in small letters, or the field that «header:NAME» or «field:NAME» names."""
    kind, _, name = declared.partition(":")
    return name.lower() if kind == "header" else None, name if kind == "field" else None


def _spellings(header: str | None, name: str | None, asked: Asked) -> tuple[str, ...]:
    if header is not None:
        told = asked.header(header.lower())
        return (told,) if told is not None else ()
    return spellings(common_value(asked.column(name or "")))


def asked(columns: Mapping[str, Sequence[Any]], headers: Mapping[str, str] | None = None, unit: str | None = None) -> Asked:
    """headers: what stands for the headers of a request, whatever their letters' case."""
    told = {name.lower(): value for name, value in (headers or {}).items()}
    return Asked(told.get, lambda name: columns.get(name, ()), unit)
