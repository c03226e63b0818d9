"""What a group of predictions is counted as: one version under one revision, in one segment. As the gateway's workers do."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lockgate.boundary.scores import step

REQUEST = "request"  # the unit that is new with every request
UNASSIGNED = (0, 0)  # the revision of what no table assigned
_TIMED = ("champion", "canary", "held-back")


class AnyArm(Protocol):
    @property
    def version(self) -> int: ...
    @property
    def role(self) -> str: ...
    @property
    def weight(self) -> float: ...


class AnyRoute(Protocol):
    """As in boundary.routes. What stands behind an `Any` is read by the attributes that it has there."""

    @property
    def model(self) -> str: ...
    @property
    def arms(self) -> Sequence[AnyArm]: ...
    @property
    def salt(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def rollout(self) -> str | None: ...
    @property
    def on_failure(self) -> str: ...
    @property
    def redacted(self) -> Sequence[str]: ...
    @property
    def timeout(self) -> float: ...
    @property
    def thresholds(self) -> Any: ...
    @property
    def segments(self) -> Any: ...
    @property
    def bins(self) -> Any: ...
    @property
    def rules(self) -> Sequence[Any]: ...
    @property
    def parts(self) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True)
class Tally:
    """judged: whether it becomes evidence. keyed: whether outcomes are told unit by unit. limits: the arm's latency thresholds
    in seconds, one for each quantile. redacted: inputs that no record keeps. scored: whether it is told where scores fell: into
    bins between `edges`, or without them into coarse steps.
    """

    model: str
    version: int
    revision: tuple[int, int] = UNASSIGNED
    judged: bool = False
    keyed: bool = False
    thresholds_id: int = 0
    limits: tuple[float, ...] = ()
    redacted: tuple[str, ...] = ()
    segment: str = ""
    scored: bool = False
    bins_id: int = 0
    edges: tuple[float, ...] = ()

    def place(self, score: float) -> int:
        """The number of the bin, or of the step, that a score falls into."""
        return bisect_right(self.edges, score) if self.bins_id else step(score)


def tally(route: AnyRoute, revision: tuple[int, int], version: int, segment: str = "", *, assigned: bool) -> Tally:
    """What a version's answers are counted as. assigned: by the table; all else is for people to see, never for the judge."""
    if not assigned:
        return Tally(route.model, version, revision, redacted=tuple(route.redacted))
    scored = route.bins is not None or route.rollout is not None
    limits = _limits(route, next(arm for arm in route.arms if arm.version == version))
    return Tally(
        route.model,
        version,
        revision,
        judged=True,
        keyed=route.rollout is not None and route.unit != REQUEST,
        thresholds_id=route.thresholds.id if limits else 0,
        limits=limits,
        redacted=tuple(route.redacted),
        segment=segment,
        scored=scored,
        bins_id=route.bins.id if route.bins is not None else 0,
        edges=tuple(route.bins.edges) if route.bins is not None else (),
    )


def _limits(route: AnyRoute, arm: AnyArm) -> tuple[float, ...]:
    """A champion beside a version that is held back is what the canary was."""
    if route.thresholds is None or arm.role not in _TIMED:
        return ()
    beside = any(one.role == "held-back" for one in route.arms)
    on_trial = arm.role == "canary" or (arm.role == "champion" and beside)
    return tuple(route.thresholds.canary if on_trial else route.thresholds.champion)
