"""Requests of every form, built by the tests themselves from the protocols' texts, and not by the code that is tested."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from lockgate.boundary.manifest import Signature, Tensor
from lockgate.kernel.errors import Fault, InvalidInput
from lockgate.serving.protocol.answers import Encoder, Parameters
from lockgate.serving.protocol.columns import Batch, Decoder
from lockgate.serving.protocol.parsing import parse
from lockgate.serving.protocol.requests import InferenceRequest

LENGTH = "Inference-Header-Content-Length".lower()
ARROW = "application/vnd.apache.arrow.stream"
INTEGERS = {f"{sign}INT{bits}": (bits, sign == "") for sign in ("", "U") for bits in (8, 16, 32, 64)}
CODES = {"BOOL": "?", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8"} | {
    name: f"<{'i' if signed else 'u'}{bits // 8}" for name, (bits, signed) in INTEGERS.items()
}
DATATYPES = [*CODES, "BF16", "BYTES"]


def values_of_type(datatype: str) -> st.SearchStrategy[Any]:
    """Values that the datatype holds exactly."""
    if datatype in INTEGERS:
        bits, signed = INTEGERS[datatype]
        return st.integers(-(2 ** (bits - 1)) if signed else 0, 2 ** (bits - signed) - 1)
    if datatype == "BF16":
        return st.integers(0, 0xFFFF).map(bf16).filter(np.isfinite)
    if datatype.startswith("FP"):
        width = {"FP16": 16, "FP32": 32, "FP64": 64}[datatype]
        return st.floats(width=width, allow_nan=False, allow_infinity=False)  # type: ignore[arg-type] # one of the three
    return st.booleans() if datatype == "BOOL" else st.text()


def bf16(half: int) -> float:
    """The number whose FP32 bits begin with these 16 and end with zeros."""
    return float(struct.unpack("<f", struct.pack("<I", half << 16))[0])


def binary(datatype: str, values: Sequence[Any]) -> bytes:
    """Values as the binary tensor extension wants them."""
    if datatype == "BYTES":
        elements = [value.encode() if isinstance(value, str) else value for value in values]
        return b"".join(struct.pack("<I", len(element)) + element for element in elements)
    if datatype == "BF16":
        return b"".join(struct.pack("<f", value)[2:] for value in values)
    return np.array(values, CODES[datatype]).tobytes()


def tensor(name: str, datatype: str, shape: Sequence[int], data: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": list(shape), "data": data}


def with_bytes(tensors: Sequence[dict[str, Any]], **more: Any) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a request whose tensors come as bytes wherever `data` is bytes."""
    behind = [one["data"] for one in tensors if isinstance(one["data"], bytes)]
    head = json.dumps({"inputs": [_announced(one) for one in tensors], **more}).encode()
    return head + b"".join(behind), {LENGTH: str(len(head))}


def _announced(one: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(one["data"], bytes):
        return one
    return {k: v for k, v in one.items() if k != "data"} | {"parameters": {"binary_data_size": len(one["data"])}}


class Told(NamedTuple):
    """An answer: its headers, its JSON, and what follows that."""

    headers: dict[str, str]
    json: Any
    behind: bytes


def signature(*tensors: Tensor, outputs: Sequence[Tensor] = (), score: str = "y") -> Signature:
    return Signature(tensors, tuple(outputs) or (Tensor("y", "FP32", (-1, 1)),), score)


def parsed(content: object, headers: Mapping[str, str] | None = None) -> InferenceRequest:
    """content: bytes, or what becomes JSON."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    told = dict(headers or {})

    def header(name: str) -> str | None:
        return told.get(name)

    return parse(body, header)


def decoded(decoder: Decoder, content: object, headers: Mapping[str, str] | None = None) -> Batch:
    return decoder.decode(parsed(content, headers))


def faults_of(decoder: Decoder, content: object, headers: Mapping[str, str] | None = None) -> Sequence[Fault]:
    """What is wrong with a request; nothing, if it is accepted."""
    try:
        decoded(decoder, content, headers)
    except InvalidInput as error:
        return error.faults
    return ()


def answered(encoder: Encoder, request: InferenceRequest, outputs: Sequence[Any], rows: int = 1) -> Told:
    ids = [f"id-{row}" for row in range(rows)]
    told = Parameters(prediction_id=ids[0]) if rows == 1 else Parameters(prediction_ids=ids)
    found, body = encoder.answer(request, outputs, [0.5] * rows, model_name="m", model_version="3", id="7", parameters=told)
    headers = dict(found)
    if not headers["content-type"].startswith("application/json") and LENGTH not in headers:
        return Told(headers, None, body)
    length = int(headers.get(LENGTH, len(body)))
    return Told(headers, json.loads(body[:length]), body[length:])
