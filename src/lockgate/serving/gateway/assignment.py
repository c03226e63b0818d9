"""Which version a request belongs to: by a rule, by its unit's hash, or to the champion because it has no unit. Pure."""

from __future__ import annotations

from collections.abc import Callable
from random import getrandbits
from typing import NamedTuple

from lockgate.boundary.selector import choose, unit_key
from lockgate.boundary.spelling import common_value, spelled, spellings
from lockgate.serving.gateway.plan import ReadyArm, ReadyRule, ReadySegments, RoutePlan
from lockgate.serving.protocol.requests import InferenceRequest, values_of

Header = Callable[[str], str | None]


class Assignment(NamedTuple):
    """judged: the table assigned this unit to this arm, so what happens is evidence. segment: the declared value that the request
    has; "" if it has none of them, or none are declared. part: the plan of that segment, by which it was assigned; None if it was
    by the model's. chosen: the caller named the version, or a rule did.
    """

    arm: ReadyArm
    key: int
    judged: bool
    segment: str = ""
    part: RoutePlan | None = None
    chosen: bool = False


def assign(plan: RoutePlan, header: Header, request: InferenceRequest) -> Assignment | None:
    """The arm that a request belongs to; None while nothing can answer. Where its segment has a plan of its own, that one tells.

    A request without its unit goes to the champion and is no evidence: nobody is refused for a missing header, nobody meets a
    canary at random, and the two arms go on being filled by the same hash and by nothing else.
    """
    segment, part = "", None
    if plan.segments is not None:
        segment = segment_of(plan.segments, header, request)
        if plan.parts is not None and (part := plan.parts.get(segment)) is not None:
            plan = part
    champion = plan.champion
    if champion is None:
        return None
    for rule in plan.rules:
        if _matches(rule, header, request):
            return Assignment(rule.arm or champion, 0, judged=False, segment=segment, part=part, chosen=True)
    if plan.header is None and plan.field is None:
        key = getrandbits(64)
    else:
        unit = header(plan.header) if plan.header is not None else unit_of_rows(request, plan.field or "")
        if not unit:
            return Assignment(champion, 0, plan.judged and not plan.split, segment, part)
        key = unit_key(plan.salt, unit)
    arm = plan.arms[choose(key, plan.weights)] if plan.split else champion
    return Assignment(arm or champion, key, plan.judged, segment, part)


def segment_of(segments: ReadySegments, header: Header, request: InferenceRequest) -> str:
    """The declared value that a request has; "" if it has none of them, as when its rows differ."""
    return next((value for value in _spellings(segments, header, request) if value in segments.values), "")


def _matches(rule: ReadyRule, header: Header, request: InferenceRequest) -> bool:
    return any(value in rule.values for value in _spellings(rule, header, request))


def _spellings(declared: ReadyRule | ReadySegments, header: Header, request: InferenceRequest) -> tuple[str, ...]:
    """What a request has where rules and segments look: in a header, or in a field of all rows; nothing if it has none."""
    if declared.header is not None:
        told = header(declared.header)
        return (told,) if told is not None else ()
    return spellings(common_value(values_of(request, declared.field or "")))


def unit_of_rows(request: InferenceRequest, field: str) -> str | None:
    """The value that all rows have in a field; None if one has none, or if they differ."""
    value = common_value(values_of(request, field))
    return None if value is None else spelled(value)
