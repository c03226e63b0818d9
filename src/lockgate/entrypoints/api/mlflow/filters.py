"""The part of MLflow's filter language that a registry needs: comparisons joined by AND, and the order of what was found.

`name = 'x'`, `name LIKE 'flight%'`, `run_id IN ('a', 'b')`, `tags.team != 'ops'`, `version_number = 3`. LIKE knows % and _, and
ILIKE does not tell letter cases apart. What an item does not have equals nothing.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lockgate.kernel.errors import Invalid

T = TypeVar("T")
LONGEST = 4_000  # characters
_KEY = r"(?:tags?\.(?:`[^`]+`|\"[^\"]+\"|[\w.\-]+)|\w+)"
_TEXT = r"(?:'[^']*'|\"[^\"]*\")"
_COMPARISON = re.compile(
    rf"\s*(?P<key>{_KEY})\s*(?P<how>!=|=|\bI?LIKE\b|\bIN\b)\s*"
    rf"(?P<value>{_TEXT}|-?[0-9]+|\(\s*{_TEXT}(?:\s*,\s*{_TEXT})*\s*\))\s*(?P<next>\bAND\b|\Z)",
    re.IGNORECASE,
)
_TAG = re.compile(r"tags?\.[`\"]?(.+?)[`\"]?\Z", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Comparison:
    """key: of a field, or as `tags.NAME`. how: =, !=, LIKE, ILIKE or IN."""

    key: str
    how: str
    values: tuple[str, ...]

    def holds(self, found: Mapping[str, str]) -> bool:
        value = found.get(self.key)
        if value is None or self.how == "!=":
            return self.how == "!=" and value != self.values[0]
        if self.how in ("=", "IN"):
            return value in self.values
        return _like(value, self.values[0], folded=self.how == "ILIKE")


def parse_filter(text: str, fields: Collection[str]) -> list[Comparison]:
    """What all must hold. fields: that may be asked for, beside tags.

    Raises:
        Invalid: something else stands there.
    """
    if len(text) > LONGEST:
        raise Invalid(f"a filter of {len(text)} characters found, at most {LONGEST} expected")
    found, at = [], 0
    text = text.strip()
    while at < len(text):
        match = _COMPARISON.match(text, at)
        if match is None:
            raise Invalid(f"filter {text[at : at + 80]!r} found, FIELD = 'VALUE' expected, several joined by AND")
        found.append(_comparison(match, fields))
        at = match.end()
        if match["next"] and at == len(text):
            raise Invalid(f"filter {text[-80:]!r} found, a comparison expected after its last AND")
    return found


def ordered(items: Sequence[T], order_by: Sequence[str], fields: Mapping[str, Callable[[T], Any]]) -> list[T]:
    """By each of `FIELD [ASC|DESC]`, the first counting most.

    Raises:
        Invalid: there is no such field to order by.
    """
    found = list(items)
    for said in reversed(order_by):
        field, _, direction = said.strip().partition(" ")
        direction = direction.strip().upper()
        if field not in fields or direction not in ("", "ASC", "DESC"):
            raise Invalid(f"order {said[:80]!r} found, one of {', '.join(fields)} expected, with ASC or DESC")
        found.sort(key=fields[field], reverse=direction == "DESC")
    return found


def _comparison(match: re.Match[str], fields: Collection[str]) -> Comparison:
    key, how = match["key"], match["how"].upper()
    tag = _TAG.fullmatch(key)
    if tag is None and key not in fields:
        raise Invalid(f"filter by {key!r} found, one of {', '.join(fields)} and tags.NAME expected")
    texts = re.findall(_TEXT, match["value"])
    values = tuple(one[1:-1] for one in texts) or (match["value"],)
    if how != "IN" and match["value"].startswith("("):
        raise Invalid(f"a list of values found in the filter after {how}, one value expected")
    return Comparison(f"tags.{tag[1]}" if tag else key, how, values)


def _like(value: str, pattern: str, *, folded: bool) -> bool:
    """Whether the pattern covers all of the value. No pattern takes long: each of its signs is one step for all places."""
    if folded:
        value, pattern = value.lower(), pattern.lower()
    places: dict[str, int] = defaultdict(int)
    for at, sign in enumerate(value):
        places[sign] |= 1 << at
    every, reached = (2 << len(value)) - 1, 1  # bit n of `reached`: the pattern so far may cover the first n signs
    for sign in pattern:
        if sign == "%":
            reached = every & -(reached & -reached)  # from the lowest on
        else:
            reached = (reached & (every if sign == "_" else places.get(sign, 0))) << 1 & every
    return bool(reached >> len(value))
