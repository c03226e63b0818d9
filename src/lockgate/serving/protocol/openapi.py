"""The OpenAPI document of the data plane: every path, every answer, and for each model that is known what exactly it takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from lockgate.boundary.manifest import Signature, Tensor
from lockgate.serving.protocol import arrow, openapi_schemas
from lockgate.serving.protocol.binary import LENGTH_HEADER
from lockgate.serving.protocol.openapi_schemas import Schema, ref
from lockgate.serving.protocol.scoring import MODEL_HEADER

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_JSON, _PROBLEM, _BYTES = "application/json", "application/problem+json", "application/octet-stream"
_ABOUT = (
    "Predictions, labels for them, lessons, and what is served. Speaks the Open Inference Protocol v2 with its binary tensor "
    "extension, rows as JSON, tables as Arrow streams or CSV, and MLflow's scoring protocol."
)
_PROBLEMS = {
    400: "What was sent is not what is expected; `errors` names each field.",
    401: "A key is needed.",
    403: "The key does not open this.",
    404: "There is no such model, version or path.",
    405: "Another method is expected.",
    406: "No form that is asked for can be given.",
    408: "The body did not arrive in time.",
    409: "The model does not learn, or not now.",
    413: "The body is too large.",
    415: "This content type is not read here.",
    429: "Too much at one time, or more than the key's rate.",
    500: "The version failed, and so did the champion.",
    503: "Nothing can answer now.",
    504: "The answer did not come in time.",
}
_ALWAYS = (401, 403, 405, 429)
_SENT = (*_ALWAYS, 400, 408, 413)
_EXAMPLE = Signature(
    (Tensor("distance", "FP32", (-1, 1)), Tensor("carrier", "BYTES", (-1, 1))), (Tensor("score", "FP32", (-1, 1)),), "score"
)
_ID = "AAAAAQABAAAAAQAAAAAAAAAAPoAAAEHZAAAAAAAAAAAAAAAAAAAAAAAA"


def document(version: str, models: Mapping[str, Signature] | None = None) -> dict[str, Any]:
    """models: what each model that is served takes and gives: each gets a path of its own with a schema that fits."""
    models = models or {}
    schemas = {**openapi_schemas.INFERENCE, **openapi_schemas.OTHERS}
    paths = {**_about_server(), **_about_models(), **_repository(), **_scoring()}
    for number, (name, signature) in enumerate(sorted(models.items()), 1):
        schema = f"Request.{number}.{re.sub(r'[^a-zA-Z0-9_.-]', '_', name)}"
        schemas[schema] = openapi_schemas.request_of(signature)
        operation = _infer(f"infer.{number}", ref(schema), signature, f"Ask {name} for predictions")
        paths[f"/v2/models/{quote(name, safe='')}/infer"] = {"post": operation}
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": _DIALECT,
        "info": {"title": "Lockgate data plane", "version": version, "description": _ABOUT, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": "/"}],
        "security": [{}, {"bearer": []}, {"apiKey": []}],
        "tags": [{"name": name} for name in ("inference", "feedback", "learning", "models", "repository", "scoring", "server")],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {str(status): _problem(text) for status, text in _PROBLEMS.items()},
            "parameters": _parameters(sorted(models)),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


def _problem(text: str) -> Schema:
    return {"description": text, "content": {_PROBLEM: {"schema": ref("Problem")}}}


def _parameters(models: list[str]) -> dict[str, Schema]:
    def parameter(name: str, where: str, schema: Schema, text: str) -> Schema:
        return {"name": name, "in": where, "required": where == "path", "schema": schema, "description": text}

    string = {"type": "string"}
    known = {"examples": models} if models else {}
    return {
        "model": parameter("model", "path", {"type": "string", "minLength": 1, **known}, "The model's name."),
        "version": parameter("version", "path", {"type": "integer", "minimum": 0}, "A version's number."),
        "length": parameter(
            LENGTH_HEADER, "header", {"type": "integer", "minimum": 0}, "The length of the JSON before the tensors' bytes."
        ),
        "chosen": parameter("model", "query", {**string, **known}, "Which model, if there are several."),
        "chosenByHeader": parameter(MODEL_HEADER, "header", string, "The same."),
    }


def _parameter(name: str) -> Schema:
    return {"$ref": f"#/components/parameters/{name}"}


def _operation(
    tag: str, name: str, summary: str, answers: Mapping[int, Schema], problems: tuple[int, ...], **more: Any
) -> Schema:
    responses = {str(status): answer for status, answer in answers.items()}
    for status in sorted(problems):
        responses.setdefault(str(status), {"$ref": f"#/components/responses/{status}"})
    return {"tags": [tag], "operationId": name, "summary": summary, **more, "responses": responses}


def _answer(text: str, schema: str, example: Any = None) -> Schema:
    content: Schema = {"schema": ref(schema)}
    if example is not None:
        content["example"] = example
    return {"description": text, "content": {_JSON: content}}


def _infer(name: str, schema: Schema, signature: Signature, summary: str) -> Schema:
    examples = {
        "columns": {"summary": "Open Inference Protocol", "value": openapi_schemas.columns_example(signature)},
        "rows": {"summary": "Rows", "value": openapi_schemas.rows_example(signature)},
    }
    body = {
        _JSON: {"schema": schema, "examples": examples},
        _BYTES: {"schema": {}},
        arrow.STREAM: {"schema": {}},
        "text/csv": {"schema": {"type": "string"}},
    }
    return _operation(
        "inference",
        name,
        summary,
        {200: _predictions()},
        (*_SENT, 404, 406, 415, 500, 503, 504),
        parameters=[_parameter("length")],
        requestBody={"required": True, "content": body},
    )


def _predictions() -> Schema:
    frame = {"model_name": "delays", "model_version": "3", "id": "7", "parameters": {"prediction_id": _ID}}
    tensor = {"name": "score", "datatype": "FP32", "shape": [1, 1], "data": [0.25]}
    examples = {"columns": {"value": {**frame, "outputs": [tensor]}}, "rows": {"value": {**frame, "predictions": [0.25]}}}
    text = {"type": "string"}
    return {
        "description": "Tensors for tensors, one score for each row for rows; in the form that the request asks for.",
        "headers": {
            "x-lockgate-version": {"schema": text, "description": "The version that answered."},
            LENGTH_HEADER: {"schema": text, "description": "The length of the JSON, if the bytes of tensors follow it."},
        },
        "content": {
            _JSON: {"schema": {"oneOf": [ref("InferenceResponse"), ref("RowsResponse")]}, "examples": examples},
            _BYTES: {"schema": {}},
            arrow.STREAM: {"schema": {}},
        },
    }


def _about_server() -> dict[str, Any]:
    def get(name: str, summary: str, answers: Mapping[int, Schema], problems: tuple[int, ...] = _ALWAYS) -> Schema:
        return {"get": _operation("server", name, summary, answers, problems)}

    text = {"description": "Prometheus' text format.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    this = {"description": "This document.", "content": {_JSON: {"schema": {"type": "object"}}}}
    ready = {200: _answer("It can.", "Ready", {"ready": True}), 503: _answer("It cannot.", "Ready", {"ready": False})}
    return {
        "/v2": get("server", "What the server is and speaks", {200: _answer("Its metadata.", "ServerMetadata")}),
        "/v2/health/live": get("live", "Whether the process answers", {200: _answer("It does.", "Live", {"live": True})}, (405,)),
        "/v2/health/ready": get("ready", "Whether all that gets traffic can answer", ready, (405,)),
        "/metrics": get("metrics", "Counters and latencies", {200: text}),
        "/openapi.json": get("openapi", "This document", {200: this}),
    }


def _about_models() -> dict[str, Any]:
    model, version = _parameter("model"), _parameter("version")
    ready = {200: _answer("It is.", "Ready"), 503: _answer("It is not.", "Ready")}
    either = {"oneOf": [ref("InferenceRequest"), ref("RowsRequest")]}
    paths: dict[str, Any] = {}
    for path, name, given in (
        ("/v2/models/{model}", "", [model]),
        ("/v2/models/{model}/versions/{version}", "OfVersion", [model, version]),
    ):
        of = {"parameters": given}
        described = {200: _answer("Inputs and outputs.", "ModelMetadata")}
        counted = {200: _answer("Counts and durations.", "Statistics")}
        missing = (*_ALWAYS, 404)
        paths[path] = of | {"get": _operation("models", f"model{name}", "What it takes and gives", described, (*missing, 503))}
        paths[f"{path}/ready"] = of | {"get": _operation("models", f"modelReady{name}", "Whether it can answer", ready, missing)}
        paths[f"{path}/stats"] = of | {"get": _operation("models", f"modelStats{name}", "What it did", counted, missing)}
        paths[f"{path}/infer"] = of | {"post": _infer(f"infer{name}", either, _EXAMPLE, "Ask for predictions")}
    known = {200: _answer("Its versions.", "Versions")}
    paths["/v2/models/{model}/versions"] = {
        "parameters": [model],
        "get": _operation("models", "versions", "Its versions, their roles and shares", known, (*_ALWAYS, 404)),
    }
    paths["/v2/models/{model}/route"] = {"parameters": [model], "post": _route()}
    paths["/v2/models/{model}/feedback"] = {"parameters": [model], "post": _feedback()}
    paths["/v2/models/{model}/learn"] = {"parameters": [model], "post": _learn()}
    return paths


def _route() -> Schema:
    schema = {"type": "object", "description": "A request for predictions; whether its values fit the model is not asked here."}
    content = {_JSON: {"schema": schema, "example": openapi_schemas.rows_example(_EXAMPLE)}}
    told = {200: _answer("The version, and why.", "Routed")}
    body = {"required": True, "content": content}
    return _operation(
        "models", "route", "Which version would answer; nothing is run", told, (*_SENT, 404, 415, 503), requestBody=body
    )


def _feedback() -> Schema:
    schema = {"oneOf": [ref("Label"), {"type": "array", "items": ref("Label"), "minItems": 1}]}
    content = {_JSON: {"schema": schema, "example": {"prediction_id": _ID, "label": 1, "at": "2013-04-01T12:00:00Z"}}}
    accepted = {202: _answer("Kept; a label may come late, and in any order.", "Accepted", {"accepted": 1})}
    body = {"required": True, "content": content}
    return _operation("feedback", "feedback", "Say what was true", accepted, (*_SENT, 503), requestBody=body)


def _learn() -> Schema:
    columns, rows = openapi_schemas.columns_example(_EXAMPLE), openapi_schemas.rows_example(_EXAMPLE)
    split = {"dataframe_split": {"columns": ["distance", "carrier"], "data": [[1.0, "AA"]]}}
    examples = {
        "rows": {"summary": "Rows", "value": {**rows, "labels": [1], "id": "flight-7"}},
        "columns": {"summary": "Open Inference Protocol", "value": {**columns, "labels": [True]}},
        "split": {"summary": "As pandas splits a frame", "value": {**split, "labels": [0]}},
    }
    text = "Kept; what is sent again under the same id is learned once."
    accepted = {202: _answer(text, "Accepted", {"accepted": 1, "id": "flight-7"})}
    body = {"required": True, "content": {_JSON: {"schema": ref("LessonRequest"), "examples": examples}}}
    summary = "Teach it: rows, and what was true of each"
    return _operation("learning", "learn", summary, accepted, (*_SENT, 404, 409, 415, 503), requestBody=body)


def _repository() -> dict[str, Any]:
    def post(name: str, summary: str, answer: Schema, schema: str, problems: tuple[int, ...]) -> Schema:
        body = {"required": False, "content": {_JSON: {"schema": ref(schema)}}}
        return {"post": _operation("repository", name, summary, {200: answer}, problems, requestBody=body)}

    listed = _answer("Every version of every model.", "Index")
    done = {"description": "Done.", "content": {_JSON: {"schema": {"type": "object"}}}}
    changed = (*_SENT, 404, 503)
    model = {"parameters": [_parameter("model")]}
    return {
        "/v2/repository/index": post("index", "What is served here", listed, "IndexRequest", _SENT)
        | {"get": _operation("repository", "indexRead", "The same", {200: listed}, _ALWAYS)},
        "/v2/repository/models/{model}/load": model | post("load", "Have it loaded", done, "RepositoryRequest", changed),
        "/v2/repository/models/{model}/unload": model | post("unload", "Let it sleep", done, "RepositoryRequest", changed),
    }


def _scoring() -> dict[str, Any]:
    rows = openapi_schemas.rows_example(_EXAMPLE)
    split = {"dataframe_split": {"columns": ["distance", "carrier"], "data": [[1.0, "AA"]]}}
    records = {"dataframe_records": rows["instances"]}
    examples = {"split": {"value": split}, "records": {"value": records}, "rows": {"value": rows}}
    content = {
        _JSON: {"schema": ref("ScoringRequest"), "examples": examples},
        "text/csv": {"schema": {"type": "string"}, "example": "distance,carrier\n1.0,AA\n"},
        arrow.STREAM: {"schema": {}},
    }
    predictions = _answer("As MLflow answers, and the prediction ids.", "ScoringResponse", {"predictions": [0.25]})
    predictions["content"][arrow.STREAM] = {"schema": {}}
    invoke = _operation(
        "scoring",
        "invocations",
        "Ask for predictions as of an MLflow server",
        {200: predictions},
        (*_SENT, 404, 406, 415, 500, 503, 504),
        parameters=[_parameter("chosen"), _parameter("chosenByHeader")],
        requestBody={"required": True, "content": content},
    )
    plain = {"content": {"text/plain": {"schema": {"type": "string"}}}}
    ping = {200: {"description": "It can answer.", **plain}, 503: {"description": "It cannot.", **plain}}
    text = {"description": "The version of Lockgate.", **plain}
    return {
        "/invocations": {"post": invoke},
        "/ping": {"get": _operation("scoring", "ping", "Whether it can answer", ping, (405,))},
        "/health": {"get": _operation("scoring", "health", "The same", ping, (405,))},
        "/version": {"get": _operation("scoring", "version", "Which version of the server this is", {200: text}, (405,))},
    }
