"""The REST API as a page, made from its own OpenAPI description: nothing is loaded from elsewhere."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from lockgate.entrypoints.ui.render import render

router = APIRouter(include_in_schema=False)


@router.get("/docs")
def docs(request: Request) -> Response:
    described: dict[str, Any] = request.app.openapi()
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            groups[operation.get("tags", ["other"])[0]].append(_operation(described, path, method, operation))
    return render(request, "docs.html", groups=groups, version=described["info"]["version"])


def _operation(described: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    return {
        "method": method.upper(),
        "path": path,
        "says": operation.get("description") or operation.get("summary", ""),
        "id": operation["operationId"],
        "parameters": [_parameter(one) for one in operation.get("parameters", [])],
        "body": _fields(described, operation.get("requestBody")),
    }


def _parameter(parameter: dict[str, Any]) -> dict[str, Any]:
    schema = parameter.get("schema", {})
    return {
        "name": parameter["name"],
        "where": parameter["in"],
        "required": parameter.get("required", False),
        "type": _type(schema),
        "says": parameter.get("description", ""),
    }


def _fields(described: dict[str, Any], body: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The fields of a JSON body, one level deep: bodies here are flat."""
    if body is None:
        return []
    schema = body["content"]["application/json"]["schema"]
    reference = next((one["$ref"] for one in (schema, *schema.get("anyOf", [])) if "$ref" in one), None)
    if reference is None:
        return []
    found = described["components"]["schemas"][reference.rpartition("/")[2]]
    required = found.get("required", [])
    return [
        {"name": name, "required": name in required, "type": _type(one), "says": one.get("description", "")}
        for name, one in found.get("properties", {}).items()
    ]


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    options = schema.get("anyOf") or schema.get("allOf")
    if options:
        return " | ".join(_type(one) for one in options if one.get("type") != "null")
    return str(schema.get("type", "any"))
