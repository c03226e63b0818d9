"""Which version a request belongs to: by a rule, by its unit's hash, or to the champion because it has no unit. Pure."""

from __future__ import annotations

from collections.abc import Callable
from random import getrandbits
from typing import NamedTuple

from lockgate.boundary.selector import choose, unit_key
from lockgate.serving.gateway.plan import ReadyArm, ReadyRule, ReadySegments, RoutePlan
from lockgate.serving.protocol.requests import InferenceRequest, values_of

Header = Callable[[str], str | None]


class Assignment(NamedTuple):
    """judged: the table assigned this unit to this arm, so what happens is evidence. chosen: the caller named the version, or a
    rule did. segment: the declared value that the request has; "" if it has none of them, or none are declared.
    """

    arm: ReadyArm
    key: int
    judged: bool
    chosen: bool = False
    segment: str = ""


def assign(plan: RoutePlan, header: Header, request: InferenceRequest) -> Assignment | None:
    """The arm that a request belongs to; None while nothing can answer.

    A request without its unit goes to the champion and is no evidence: nobody is refused for a missing header, nobody meets a
    canary at random, and the two arms go on being filled by the same hash and by nothing else.
    """
    champion = plan.champion
    if champion is None:
        return None
    for rule in plan.rules:
        if _matches(rule, header, request):
            return Assignment(rule.arm or champion, 0, judged=False, chosen=True)
    if plan.header is not None:
        unit = header(plan.header)
    elif plan.field is not None:
        unit = unit_of_rows(request, plan.field)
    else:
        return _assigned(plan, champion, getrandbits(64))
    if not unit:
        return Assignment(champion, 0, plan.judged and not plan.split)
    return _assigned(plan, champion, unit_key(plan.salt, unit))


def in_segment(segments: ReadySegments, assignment: Assignment, header: Header, request: InferenceRequest) -> Assignment:
    """The assignment, with the declared value that the request has."""
    value = _value(segments, header, request)
    segment = value if value is not None and value in segments.values else ""
    return Assignment(assignment.arm, assignment.key, assignment.judged, assignment.chosen, segment)


def _assigned(plan: RoutePlan, champion: ReadyArm, key: int) -> Assignment:
    arm = plan.arms[choose(key, plan.weights)] if plan.split else champion
    return Assignment(arm or champion, key, plan.judged)


def _matches(rule: ReadyRule, header: Header, request: InferenceRequest) -> bool:
    value = _value(rule, header, request)
    return value is not None and value in rule.values


def _value(declared: ReadyRule | ReadySegments, header: Header, request: InferenceRequest) -> str | None:
    """What a request has where rules and segments look: in a header, or in a field of all rows."""
    return header(declared.header) if declared.header is not None else unit_of_rows(request, declared.field or "")


def unit_of_rows(request: InferenceRequest, field: str) -> str | None:
    """The value that all rows have in a field; None if one has none, or if they differ."""
    values = values_of(request, field)
    first = values[0] if len(values) else None
    if not isinstance(first, float | int | str) or any(value != first for value in values):
        return None
    return str(first).lower() if isinstance(first, bool) else str(first)  # as JSON writes it
