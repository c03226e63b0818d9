"""A route as a program was told it: boundary.routes.Route, with nothing but the standard library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lockgate.embedded.tallies import REQUEST
from lockgate.kernel.errors import Invalid


@dataclass(frozen=True, slots=True)
class PlainArm:
    """role: champion, canary, held-back, retained or pinned. weight: share of units, 0..1."""

    version: int
    role: str
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class PlainThresholds:
    """Seconds, one for each quantile of the judge."""

    id: int
    champion: tuple[float, ...]
    canary: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PlainBins:
    id: int
    edges: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PlainSegments:
    by: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlainRule:
    version: int
    values: tuple[str, ...]
    header: str | None = None
    field: str | None = None


@dataclass(frozen=True, slots=True)
class PlainRoute:
    """Fields as in boundary.routes.Route. Arms on trial stand before the champion."""

    model: str
    arms: tuple[PlainArm, ...]
    salt: str = ""
    unit: str = REQUEST
    rollout: str | None = None
    thresholds: PlainThresholds | None = None
    rules: tuple[PlainRule, ...] = ()
    on_failure: str = "champion"
    timeout: float = 10.0
    redacted: tuple[str, ...] = ()
    segments: PlainSegments | None = None
    bins: PlainBins | None = None
    parts: tuple[PlainPart, ...] = ()


@dataclass(frozen=True, slots=True)
class PlainPart:
    segment: str
    route: PlainRoute


def read_route(told: Mapping[str, Any]) -> PlainRoute:
    """A route as its JSON says it.

    Raises:
        Invalid: it is none.
    """
    try:
        return _route(told)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Invalid(
            f"this is no route: {type(error).__name__}: {error}", hint="Give the route as the channel has it."
        ) from error


def _route(told: Mapping[str, Any]) -> PlainRoute:
    thresholds, segments, bins = told.get("thresholds"), told.get("segments"), told.get("bins")
    return PlainRoute(
        told["model"],
        tuple(PlainArm(int(one["version"]), one["role"], float(one.get("weight", 0.0))) for one in told["arms"]),
        told.get("salt", ""),
        told.get("unit", REQUEST),
        told.get("rollout"),
        PlainThresholds(thresholds["id"], tuple(thresholds["champion"]), tuple(thresholds["canary"])) if thresholds else None,
        tuple(
            PlainRule(one["version"], tuple(one["values"]), one.get("header"), one.get("field")) for one in told.get("rules", ())
        ),
        told.get("on_failure", "champion"),
        float(told.get("timeout", 10.0)),
        tuple(told.get("redacted", ())),
        PlainSegments(segments["by"], tuple(segments["values"])) if segments else None,
        PlainBins(bins["id"], tuple(bins["edges"])) if bins else None,
        tuple(PlainPart(one["segment"], _route(one["route"])) for one in told.get("parts", ())),
    )
