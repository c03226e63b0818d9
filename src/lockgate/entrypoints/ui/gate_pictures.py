"""The geometry of what pages draw of a gate: what was measured against its limit, and the parts of the examples side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lockgate.domain.verdicts import GateResult
from lockgate.entrypoints.ui.pictures import spread

_BETTER = "better than the champion by"
_VALUES = ("rate", "point", "psi", "loss")  # what a part's own figure is called
_EDGE = 100.0  # of the picture's scale
_FIRST = ("point", "measured", "share", "low", "high", "limit", "margin")  # of the figures; others keep their order


@dataclass(frozen=True, slots=True)
class Span:
    """An interval on a scale from 0 to 100. point: None where nothing but the ends is known. good: the side of the limit on which
    it should lie, `left` or `right`.
    """

    low: float
    point: float | None
    high: float
    limit: float | None = None
    good: str = "left"


@dataclass(frozen=True, slots=True)
class Measured:
    """What the limit is about, in its own units. high: None where it has no bound."""

    span: Span
    low: float
    high: float | None
    limit: float


@dataclass(frozen=True, slots=True)
class Part:
    """One group, slice or feature. low, high, n: None where they were not measured."""

    name: str
    value: float
    span: Span
    low: float | None = None
    high: float | None = None
    n: int | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """title: what the values are. All parts are drawn on one scale."""

    title: str
    parts: tuple[Part, ...]

    @property
    def with_intervals(self) -> bool:
        return any(part.low is not None for part in self.parts)

    @property
    def with_counts(self) -> bool:
        return any(part.n is not None for part in self.parts)


def measured(gate: GateResult) -> Measured | None:
    """What was measured against its limit; None where there is no such figure."""
    figures, limit = gate.measured, _limit(gate.measured)
    if limit is None:
        return None
    good = "right" if "margin" in figures or ">=" in gate.rule else "left"
    point = _point(figures)
    low, high = figures.get("low", point), figures.get("high", point)
    if low is None:
        return None
    known = [value for value in (low, point, high, limit) if value is not None]
    from_zero = [0.0] if "low" not in figures else []
    at = dict(zip([*from_zero, *known], spread([*from_zero, *map(float, known)]), strict=True))
    right = at[high] if high is not None else _EDGE
    return Measured(Span(at[low], at.get(point), right, at[limit], good), low, high, limit)


def _limit(figures: Mapping[str, Any]) -> float | None:
    """In the units of what was measured: of shares of rows or of requests, the share that is allowed."""
    if "allowed" in figures:
        return float(figures["allowed"])
    if "limit" in figures:
        return float(figures["limit"])
    return -float(figures["margin"]) if "margin" in figures and "low" in figures else None


def _point(figures: Mapping[str, Any]) -> float | None:
    if "rows" in figures and "broken" in figures:
        return figures["broken"] / figures["rows"] if figures["rows"] else None
    if "requests" in figures and "slow" in figures:
        return figures["slow"] / figures["requests"] if figures["requests"] else None
    return next((figures[name] for name in ("point", "measured", "share") if name in figures), None)


def parts(gate: GateResult) -> tuple[Parts, ...]:
    """The groups, slices or features that a gate measured one by one."""
    return tuple(made for title, figures, limit in _tables(gate.measured) if (made := _parts(title, figures, limit)).parts)


def _tables(figures: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], float | None]]:
    for rate, groups in figures.get("groups", {}).items():
        yield rate, groups, None
    if "slices" in figures and "margin" in figures:
        yield _BETTER, figures["slices"], -float(figures["margin"])
    elif "slices" in figures:
        found = {one["slice"]: {name: one[name] for name in ("loss", "rest", "n")} for one in figures["slices"]}
        yield f"{figures['metric']}, from what it is elsewhere", found, None
    if "features" in figures:
        told = figures["features"]
        apart = any(isinstance(one, Mapping) for one in told.values())
        ranked = sorted(told, key=lambda name: -_value(told[name]))
        title = "psi, between what was learned and what production asks" if apart else "tells the label alone"
        yield title, {name: told[name] for name in ranked}, float(figures["limit"])


def _parts(title: str, figures: Mapping[str, Any], limit: float | None) -> Parts:
    """A part is a figure, or figures with an interval around one of them; a slice's is drawn from the rest's."""
    told = {name: one if isinstance(one, Mapping) else {"point": one} for name, one in figures.items()}
    values = {name: _value(one) for name, one in told.items()}
    scale = [float(one[end]) for one in told.values() for end in ("low", "high", "rest") if one.get(end) is not None]
    scale += [*values.values(), *([limit] if limit is not None else [])]
    at = _Scale(scale)
    good = "right" if title == _BETTER else "left"
    return Parts(title, tuple(_part(name, values[name], told[name], at, limit, good) for name in told))


def _value(one: Any) -> float:
    return float(next(one[name] for name in _VALUES if name in one) if isinstance(one, Mapping) else one)


@dataclass(frozen=True, slots=True)
class _Scale:
    values: Sequence[float]

    def at(self, value: float) -> float:
        return spread([min(self.values), max(self.values), value])[2]


def _part(name: str, value: float, told: Mapping[str, Any], scale: _Scale, limit: float | None, good: str) -> Part:
    low, high, n = told.get("low"), told.get("high"), told.get("n")
    begins = told.get("rest") if low is None else low
    ends = (scale.at(value if begins is None else begins), scale.at(value if high is None else high))
    span = Span(min(ends), scale.at(value), max(ends), None if limit is None else scale.at(limit), good)
    return Part(name, value, span, low, high, n)


def figures(gate: GateResult) -> dict[str, Any]:
    """What stands in a list: figures by name, lists in words; what is drawn as parts is left out."""
    shown = {name: value for name, value in gate.measured.items() if not isinstance(value, Mapping) and name != "slices"}
    order = sorted(shown, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    return {name.replace("_", " "): "no bound" if shown[name] is None else shown[name] for name in order if shown[name] != []}
