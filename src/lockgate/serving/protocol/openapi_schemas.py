"""The shapes of the data plane's requests and answers as JSON Schema, with examples: the components of its OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lockgate.boundary.manifest import Signature, Tensor
from lockgate.embedded.datatypes import DATATYPES
from lockgate.serving.protocol.lessons import LONGEST_ID, MOST_ROWS

Schema = dict[str, Any]

_STRING: Schema = {"type": "string"}
_OPTIONAL: Schema = {"type": ["string", "null"]}
_NUMBER: Schema = {"type": "number"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_TRUTH: Schema = {"type": "boolean"}
_VALUES = {"float": _NUMBER, "int": {"type": "integer"}, "bool": _TRUTH, "bytes": _STRING}
_EXAMPLES: dict[str, Any] = {"float": 1.0, "int": 1, "bool": True, "bytes": "AA"}
_LENGTH_OF_EXAMPLE = 2  # of a dimension that may have any


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def record(properties: Mapping[str, Schema], required: Sequence[str] = (), **more: Any) -> Schema:
    return {"type": "object", "properties": dict(properties), "required": list(required), **more}


def array(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items} | more


def _tensor(name: Schema, datatype: Schema, shape: Schema, data: Schema, required: Sequence[str]) -> Schema:
    parameters = ref("Parameters")
    properties = {"name": name, "shape": shape, "datatype": datatype, "parameters": parameters, "data": data}
    return record(properties, required)


_SHAPE = array(_COUNT, minItems=1)
_IDS: dict[str, Schema] = {
    "prediction_id": {"type": "string", "description": "Of the only row. Send it with the label."},
    "prediction_ids": array(_STRING, description="One for each row, if there are several."),
    "fallback": {"type": "boolean", "description": "The version that was assigned failed; the champion answered."},
}
_FRAME: dict[str, Schema] = {
    "model_name": _STRING,
    "model_version": _STRING,
    "id": _STRING,
    "parameters": ref("AnswerParameters"),
}
_ROW: Schema = {"type": "object", "minProperties": 1, "additionalProperties": True}
_STATE: dict[str, Schema] = {"state": {"enum": ["READY", "LOADING", "UNLOADING", "UNAVAILABLE"]}, "reason": _STRING}
_DURATION = record({"count": _COUNT, "ns": _COUNT}, ["count", "ns"])
_COUNTED = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss")

INFERENCE: dict[str, Schema] = {
    "Datatype": {"type": "string", "enum": list(DATATYPES)},
    "Parameters": {"type": ["object", "null"], "description": "Those of extensions that are not spoken here change nothing."},
    "RequestInput": _tensor(_STRING, ref("Datatype"), array(_COUNT), array({}), ["name", "shape", "datatype"]),
    "RequestOutput": record({"name": _STRING, "parameters": ref("Parameters")}, ["name"]),
    "InferenceRequest": record(
        {
            "id": _OPTIONAL,
            "parameters": ref("Parameters"),
            "inputs": array(ref("RequestInput"), minItems=1),
            "outputs": array(ref("RequestOutput"), type=["array", "null"]),
        },
        ["inputs"],
        description="Columns, row-major, flat or nested; all inputs of the model, each with the same number of rows.",
    ),
    "RowsRequest": record(
        {"id": _OPTIONAL, "instances": array(_ROW, minItems=1)}, ["instances"], description="Rows: name of the input → value."
    ),
    "ResponseOutput": _tensor(_STRING, ref("Datatype"), _SHAPE, array({}), ["name", "shape", "datatype"]),
    "AnswerParameters": record(_IDS),
    "InferenceResponse": record({**_FRAME, "outputs": array(ref("ResponseOutput"))}, [*_FRAME, "outputs"]),
    "RowsResponse": record({**_FRAME, "predictions": array(_NUMBER)}, [*_FRAME, "predictions"]),
    "ScoringRequest": {
        "description": "Exactly one of the four.",
        "oneOf": [
            record({"dataframe_split": ref("DataframeSplit"), "params": {"type": "null"}}, ["dataframe_split"]),
            record({"dataframe_records": array(_ROW, minItems=1)}, ["dataframe_records"]),
            record({"instances": array({}, minItems=1)}, ["instances"]),
            record({"inputs": {"type": ["array", "object"]}}, ["inputs"]),
        ],
    },
    "DataframeSplit": record({"columns": array(_STRING), "index": array({}), "data": array(array({}), minItems=1)}, ["data"]),
    "ScoringResponse": record({**_FRAME, "predictions": array({})}, ["predictions"]),
}

OTHERS: dict[str, Schema] = {
    "Label": record(
        {
            "prediction_id": _STRING,
            "label": {"type": ["number", "boolean"]},
            "at": {"type": ["string", "number", "null"], "description": "ISO 8601 with a zone, or Unix seconds; now, if absent."},
        },
        ["prediction_id", "label"],
        additionalProperties=False,
    ),
    "LessonRequest": {
        "description": "Rows in one of these forms, and what was true of each.",
        "allOf": [
            record(
                {
                    "labels": array({"type": ["number", "boolean"]}, minItems=1, maxItems=MOST_ROWS),
                    "id": {"type": ["string", "null"], "minLength": 1, "maxLength": LONGEST_ID},
                },
                ["labels"],
            ),
            {
                "oneOf": [
                    ref("InferenceRequest"),
                    ref("RowsRequest"),
                    record({"dataframe_split": ref("DataframeSplit")}, ["dataframe_split"]),
                    record({"dataframe_records": array(_ROW, minItems=1)}, ["dataframe_records"]),
                ]
            },
        ],
    },
    "Accepted": record({"accepted": _COUNT, "id": _STRING}, ["accepted"]),
    "Problem": record(
        {
            "type": {"type": "string", "format": "uri-reference"},
            "title": _STRING,
            "status": {"type": "integer"},
            "detail": _STRING,
            "error": {"type": "string", "description": "The detail again, where clients of the protocol look for it."},
            "hint": _STRING,
            "errors": array(record({"field": _STRING, "detail": _STRING}, ["field", "detail"])),
        },
        ["type", "title", "status", "detail", "error"],
        description="Problem details (RFC 9457).",
    ),
    "Live": record({"live": _TRUTH}, ["live"]),
    "Ready": record({"ready": _TRUTH, "name": _STRING}, ["ready"]),
    "ServerMetadata": record(
        {"name": _STRING, "version": _STRING, "extensions": array(_STRING)}, ["name", "version", "extensions"]
    ),
    "TensorMetadata": record(
        {"name": _STRING, "datatype": ref("Datatype"), "shape": array({"type": "integer", "minimum": -1})},
        ["name", "datatype", "shape"],
    ),
    "ModelMetadata": record(
        {
            "name": _STRING,
            "versions": array(_STRING),
            "platform": _STRING,
            "inputs": array(ref("TensorMetadata")),
            "outputs": array(ref("TensorMetadata")),
            "parameters": record({"score": _STRING, "score_column": _COUNT}),
        },
        ["name", "platform", "inputs", "outputs"],
    ),
    "Versions": record(
        {
            "name": _STRING,
            "versions": array(
                record(
                    {
                        "version": _STRING,
                        "role": _STRING,
                        "weight": _NUMBER,
                        "segment": {"type": "string", "description": "Whose own arm it is, if it is a segment's."},
                        **_STATE,
                    }
                )
            ),
        },
        ["name", "versions"],
    ),
    "Routed": record(
        {
            "model_name": _STRING,
            "model_version": _STRING,
            "by": {"enum": ["rule", "unit", "default"]},
            "unit": _STRING,
            "evidence": {"type": "boolean", "description": "Whether the answer would count for or against the version."},
            "revision": _STRING,
            "segment": {"type": "string", "description": "The request's, where the route declares some."},
            "arms_of": {"enum": ["model", "segment"], "description": "Whose arms the request met."},
        },
        ["model_name", "model_version"],
    ),
    "IndexRequest": record({"ready": {"type": "boolean", "description": "Only what can answer."}}),
    "Index": array(record({"name": _STRING, "version": _STRING, **_STATE}, ["name", "state"])),
    "RepositoryRequest": record({"parameters": ref("Parameters")}),
    "Statistics": record(
        {
            "model_stats": array(
                record(
                    {
                        "name": _STRING,
                        "version": _STRING,
                        "last_inference": _COUNT,
                        "inference_count": _COUNT,
                        "execution_count": _COUNT,
                        "inference_stats": record(dict.fromkeys(_COUNTED, _DURATION)),
                        "batch_stats": array({}),
                    },
                    ["name", "version"],
                )
            )
        },
        ["model_stats"],
    ),
}


def request_of(signature: Signature) -> Schema:
    """What one model takes: the inputs by name, or rows."""
    tensors = [_input(tensor) for tensor in signature.inputs]
    count = len(tensors)
    names = [tensor.name for tensor in signature.inputs]
    row = record({tensor.name: _cell(tensor) for tensor in signature.inputs}, names, additionalProperties=False)
    each = [{"contains": record({"name": {"const": name}}, ["name"])} for name in names]
    inputs = array({"oneOf": tensors}, minItems=count, maxItems=count, allOf=each)
    outputs = array(
        record({"name": {"enum": [one.name for one in signature.outputs]}, "parameters": ref("Parameters")}, ["name"])
    )
    told: dict[str, Schema] = {"id": _STRING, "parameters": ref("Parameters"), "outputs": outputs}
    return {
        "oneOf": [
            record({**told, "inputs": inputs}, ["inputs"]),
            record({**told, "instances": array(row, minItems=1)}, ["instances"]),
        ]
    }


def _input(tensor: Tensor) -> Schema:
    shape = [{"type": "integer", "minimum": 1}, *_lengths(tensor)]
    told = {"type": "array", "prefixItems": shape, "minItems": len(shape), "maxItems": len(shape)}
    required = ["name", "shape", "datatype", "data"]
    return _tensor({"const": tensor.name}, {"const": tensor.datatype}, told, array(_values(tensor), minItems=1), required)


def _values(tensor: Tensor) -> Schema:
    """One of the data's items: a value, or a list where the data is nested."""
    value = _VALUES[DATATYPES[tensor.datatype].kind]
    return {"anyOf": [value, {"type": "array", "minItems": 1}]} if len(tensor.shape) > 1 else value


def _lengths(tensor: Tensor) -> list[Schema]:
    return [{"type": "integer", "minimum": 1} if length == -1 else {"const": length} for length in tensor.shape[1:]]


def _cell(tensor: Tensor) -> Schema:
    """A value, or lists of them as the shape of one row says. A width of 1 needs no list."""
    value = _VALUES[DATATYPES[tensor.datatype].kind]
    if tuple(tensor.shape[1:]) in ((), (1,)):
        return value
    for length in reversed(tensor.shape[1:]):
        value = array(value, minItems=1) if length == -1 else array(value, minItems=length, maxItems=length)
    return value


def columns_example(signature: Signature) -> dict[str, Any]:
    return {"inputs": [_example(tensor) for tensor in signature.inputs]}


def rows_example(signature: Signature) -> dict[str, Any]:
    return {"instances": [{tensor.name: _cell_example(tensor) for tensor in signature.inputs}]}


def _lengths_of_example(tensor: Tensor) -> list[int]:
    return [_LENGTH_OF_EXAMPLE if length == -1 else length for length in tensor.shape[1:]]


def _example(tensor: Tensor) -> dict[str, Any]:
    shape = [1, *_lengths_of_example(tensor)]
    size = 1
    for length in shape:
        size *= length
    value = _EXAMPLES[DATATYPES[tensor.datatype].kind]
    return {"name": tensor.name, "shape": shape, "datatype": tensor.datatype, "data": [value] * size}


def _cell_example(tensor: Tensor) -> Any:
    value = _EXAMPLES[DATATYPES[tensor.datatype].kind]
    if tuple(tensor.shape[1:]) in ((), (1,)):
        return value
    for length in reversed(_lengths_of_example(tensor)):
        value = [value] * length
    return value
