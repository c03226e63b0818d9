"""What a caller sends: in the query or as a JSON object, since clients differ in where they put it. Unknown fields pass."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from lockgate.kernel.errors import Invalid

T = TypeVar("T", bound=BaseModel)


def sent(shape: type[T]) -> Any:
    """A dependency that reads the shape out of the request.

    Raises (when it is asked):
        Invalid: this is no JSON object, or a field is missing or wrong.
    """

    async def read(request: Request) -> T:
        given = {key: _one(request.query_params.getlist(key)) for key in request.query_params}
        return _shaped(shape, {**given, **_object(await request.body())})

    return Depends(read)


def _one(values: list[str]) -> Any:
    return values if len(values) > 1 else values[0]


def _object(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"the body is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise Invalid(f"the body is a JSON {type(found).__name__}, an object expected")
    return found


def _shaped(shape: type[T], given: Mapping[str, Any]) -> T:
    try:
        return shape.model_validate(given)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False))
        raise Invalid("; ".join(faults)) from error
