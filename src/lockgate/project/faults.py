"""Pydantic's errors in our words: where, what was expected, what was found, and what was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from lockgate.kernel.errors import Fault
from lockgate.project.document import Document, Path_, spell
from lockgate.stages.fields import FROM_FILE, Spec

SomeSpec = TypeVar("SomeSpec", bound=Spec)

_LONGEST = 60

_EXPECTED = {
    "string_type": "a string",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "finite_number": "a finite number",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "less_than": "less than {lt:g}",
    "less_than_equal": "{le:g} or less",
    "too_short": "at least one entry",
    "literal_error": "{expected}",
}


def read_spec(document: Document, model: type[SomeSpec]) -> tuple[SomeSpec | None, list[Fault]]:
    """What a document says, None where it cannot be said, and every fault of it."""
    faults = list(document.faults)
    if faults and document.value is None:
        return None, faults
    if not isinstance(document.value, dict):
        return None, [*faults, Fault("", f"a mapping expected, {shown(document.value)} found", document.file, document.line(()))]
    try:
        return model.model_validate(document.value, context=FROM_FILE), faults
    except ValidationError as error:
        known = {(fault.path, fault.line) for fault in faults}
        return None, faults + [one for one in faults_of(error, model, document) if (one.path, one.line) not in known]


def faults_of(error: ValidationError, model: type[BaseModel], document: Document) -> list[Fault]:
    return [_fault(one, model, document) for one in error.errors(include_url=False)]


def suggestion(found: object, known: Iterable[str]) -> str | None:
    close = difflib.get_close_matches(str(found), list(known), 1)
    return close[0] if close else None


def _fault(error: Any, model: type[BaseModel], document: Document) -> Fault:
    kind, path, found = error["type"], tuple(part for part in error["loc"] if part != "[key]"), error["input"]
    context = error.get("ctx", {})
    if kind == "extra_forbidden":
        known = keys_at(model, path[:-1])
        message, meant = f"unknown key; {listed(known)} expected", suggestion(path[-1], known)
        return Fault(spell(path), message, document.file, document.keys.get(path), meant)
    if kind == "missing":
        return Fault(spell(path), "is missing", document.file, document.line(path))
    if kind == "value_error":
        message, meant = _with_found(str(context["error"]), found), None
    else:
        expected = _EXPECTED.get(kind)
        message = _with_found(f"{expected.format(**context)} expected" if expected else error["msg"], found)
        meant = suggestion(found, context["expected"].split("'")[1::2]) if kind == "literal_error" else None
    return Fault(spell(path), message, document.file, document.line(path), meant)


def _with_found(message: str, found: Any) -> str:
    return message if "found" in message or isinstance(found, dict) else f"{message}, {shown(found)} found"


def shown(value: Any) -> str:
    """A value as its writer knows it, and not too long."""
    text = {None: "nothing", True: "true", False: "false"}.get(value) if value is None or isinstance(value, bool) else None
    text = text or ("a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list | tuple) else repr(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def keys_at(model: type[BaseModel], path: Path_) -> list[str]:
    """The keys that a mapping at `path` may have."""
    kind: Any = model
    for part in path:
        kind = _inside(kind, part)
    kind = _bare(kind)
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return []
    return [one.alias or name for name, one in kind.model_fields.items()]


def _inside(kind: Any, part: str | int) -> Any:
    kind = _bare(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = {one.alias or name: one.annotation for name, one in kind.model_fields.items()}
        return fields.get(str(part))
    arguments = get_args(kind)
    return arguments[-1] if get_origin(kind) is dict else arguments[0] if arguments else None


def _bare(kind: Any) -> Any:
    """Without Annotated and without `| None`."""
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif get_origin(kind) in (Union, UnionType):
            kind = next(one for one in get_args(kind) if one is not NoneType and get_origin(one) is not Literal)
        else:
            return kind
