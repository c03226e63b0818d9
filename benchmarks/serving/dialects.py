"""How each server wants to be asked, and where in its answer the probability stands."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.serving.load import Shot
from benchmarks.serving.models import Rows
from benchmarks.serving.packages import columns

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """write: rows → body. read: body of an answer → the probability of class 1 of each row.

    head: the length of a body's JSON head, where a body has one.
    """

    path: str
    write: Callable[[Rows], bytes]
    read: Callable[[bytes], list[float]]
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    head: Callable[[Rows], int] | None = None

    def shot(self, rows: Rows) -> Shot:
        extra = {"Inference-Header-Content-Length": str(self.head(rows))} if self.head else {}
        return Shot(self.path, self.write(rows), {**self.headers, **extra})


def protocol_columns(path: str) -> Dialect:
    """Open Inference Protocol, one tensor for each feature: what a package of `lockgate run` takes."""
    return Dialect(path, _columns, lambda body: _second(_output(body, "probabilities")))


def protocol_binary(path: str) -> Dialect:
    """The same with the protocol's binary extension, both ways: a JSON head, then the tensors' bytes, little-endian.

    The head's length is a header of its own and differs with the number of rows: ask with `shot`.
    """

    def write(rows: Rows) -> bytes:
        head, data = _binary(rows)
        return head + data

    return Dialect(path, write, _binary_scores, head=lambda rows: len(_binary(rows)[0]))


def instances(path: str) -> Dialect:
    """Rows with names, as people write them; the answer is one score for each."""

    def write(rows: Rows) -> bytes:
        given = columns(rows)
        return _json({"instances": [dict(zip(given, row, strict=True)) for row in zip(*given.values(), strict=True)]})

    return Dialect(path, write, lambda body: [float(score) for score in json.loads(body)["predictions"]])


def protocol_matrix(path: str, output: str, *, named: bool) -> Dialect:
    """Open Inference Protocol, all features in one tensor. named: whether the output must be asked for."""
    asked = {"outputs": [{"name": output}]} if named else {}

    def write(rows: Rows) -> bytes:
        flat = [value for row in _matrix(rows) for value in row]
        return _json({"inputs": [{"name": "x", "shape": list(rows.shape), "datatype": "FP32", "data": flat}], **asked})

    return Dialect(path, write, lambda body: _second(_output(body, output)))


def matrix(path: str, key: str, answer: str | None) -> Dialect:
    """Rows as lists under `key`; the answer is a list for each row, under `answer` or by itself."""

    def read(body: bytes) -> list[float]:
        said = json.loads(body)
        return [row[1] for row in (said if answer is None else said[answer])]

    return Dialect(path, lambda rows: _json({key: _matrix(rows)}), read)


def single(path: str, key: str, answer: str) -> Dialect:
    """One row as a list under `key`; its two probabilities under `answer`."""

    def write(rows: Rows) -> bytes:
        (row,) = _matrix(rows)
        return _json({key: row})

    return Dialect(path, write, lambda body: [json.loads(body)[answer][1]])


def _columns(rows: Rows) -> bytes:
    datatypes = {name: "FP32" if rows[name].dtype.kind == "f" else "BYTES" for name in rows.columns}
    tensors = [
        {"name": name, "shape": [len(rows), 1], "datatype": datatypes[name], "data": values}
        for name, values in columns(rows).items()
    ]
    return _json({"inputs": tensors})


def _binary(rows: Rows) -> tuple[bytes, bytes]:
    contents = {str(name): rows[name].to_numpy(dtype="<f4").tobytes() for name in rows.columns}
    tensors = [
        {"name": name, "shape": [len(rows), 1], "datatype": "FP32", "parameters": {"binary_data_size": len(content)}}
        for name, content in contents.items()
    ]
    outputs = [{"name": "probabilities", "parameters": {"binary_data": True}}]
    return _json({"inputs": tensors, "outputs": outputs}), b"".join(contents.values())


def _binary_scores(body: bytes) -> list[float]:
    """The head ends where its JSON does; Latin-1 keeps one character for each byte."""
    _, end = json.JSONDecoder().raw_decode(body.decode("latin-1"))
    return [float(value) for value in np.frombuffer(body[end:], dtype="<f4")[1::2]]


def _matrix(rows: Rows) -> list[list[object]]:
    return [list(row) for row in zip(*columns(rows).values(), strict=True)]


def _output(body: bytes, name: str) -> list[Any]:
    outputs = {one["name"]: one for one in json.loads(body)["outputs"]}
    data: list[Any] = outputs[name]["data"]
    return [value for row in data for value in row] if data and isinstance(data[0], list) else data


def _second(flat: list[Any]) -> list[float]:
    """Of two probabilities for each row, the one of class 1."""
    return [float(value) for value in flat[1::2]]


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
