"""What is wrong with a request's fields, in our words instead of Pydantic's."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from lockgate.project.faults import shown

_EXPECTED = {
    "missing": "is missing",
    "extra_forbidden": "unknown field",
    "string_type": "a string expected",
    "string_too_short": "at least {min_length} characters expected",
    "string_too_long": "at most {max_length} characters expected",
    "int_type": "a whole number expected",
    "int_parsing": "a whole number expected",
    "int_from_float": "a whole number expected",
    "float_type": "a number expected",
    "float_parsing": "a number expected",
    "bool_type": "true or false expected",
    "bool_parsing": "true or false expected",
    "list_type": "a list expected",
    "tuple_type": "a list expected",
    "dict_type": "an object expected",
    "model_type": "an object expected",
    "model_attributes_type": "an object expected",
    "greater_than": "more than {gt} expected",
    "greater_than_equal": "{ge} or more expected",
    "less_than": "less than {lt} expected",
    "less_than_equal": "{le} or less expected",
    "too_short": "at least {min_length} entries expected",
    "too_long": "at most {max_length} entries expected",
    "enum": "{expected} expected",
    "literal_error": "{expected} expected",
    "timezone_aware": "a time with its offset from UTC expected, such as 2026-01-05T09:00:00Z",
    "datetime_type": "a time expected, such as 2026-01-05T09:00:00Z",
    "datetime_parsing": "a time expected, such as 2026-01-05T09:00:00Z",
    "datetime_from_date_parsing": "a time expected, such as 2026-01-05T09:00:00Z",
}
_FOUND_SAYS_NOTHING = ("missing", "extra_forbidden", "string_too_short", "string_too_long", "too_short", "too_long")


def told(fault: Mapping[str, Any]) -> dict[str, str]:
    """`field` and `message`. fault: as FastAPI hands it out, one of many."""
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "json_invalid":
        return {"field": "body", "message": f"no JSON: {context['error']}, at character {fault['loc'][-1]}"}
    field = _field(fault["loc"])
    if kind == "value_error":
        return {"field": field, "message": str(context["error"])}
    if kind not in _EXPECTED:
        return {"field": field, "message": fault["msg"]}
    return {"field": field, "message": _EXPECTED[kind].format(**context) + _found(kind, fault["input"], context)}


def _found(kind: str, value: Any, context: Mapping[str, Any]) -> str:
    if kind in _FOUND_SAYS_NOTHING:
        return ""
    near = difflib.get_close_matches(str(value), str(context.get("expected", "")).split("'")[1::2], 1)
    return f", {shown(value)} found" + (f" (did you mean {near[0]!r}?)" if near else "")


def _field(location: Sequence[str | int]) -> str:
    """`("body", "to_stage")` → `to_stage`; a fault of the body itself is called `body`."""
    return ".".join(str(part) for part in location[1:]) or str(location[0])
