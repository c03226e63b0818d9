"""Ask an image the golden rows of a version in it: in a container, where there is an engine, else unpacked on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from lockgate.boundary.manifest import Manifest, Tensor
from lockgate.domain.forms import Asked, Contents
from lockgate.integrations.oci import engine, unpacked
from lockgate.integrations.oci.questions import Question, Reply
from lockgate.kernel.errors import Invalid

_OK = 200
_SHOWN = 300


class _Output(msgspec.Struct, frozen=True):
    name: str
    data: list[Any]
    shape: tuple[int, ...]


class _Answers(msgspec.Struct, frozen=True):
    outputs: tuple[_Output, ...]


def ask(file: Path, contents: Contents, environment: Mapping[str, str]) -> Asked:
    """
    Raises:
        Invalid: it does not start, or does not answer so. Unavailable: there is nothing here to run it in.
    """  # noqa: D212 - there is nothing else to say
    question = _question(contents.manifest)
    found = engine.find(environment)
    if found is not None:
        reply = engine.run(found, file, question)
        where = f"a container of {found}, read-only, without rights or a network"
    else:
        reply = unpacked.run(file, question)
        where = "its own files, unpacked, with this machine's Python; no container engine answers here"
    return Asked(_scores(reply, contents.manifest), reply.seconds or 0.0, where)


def _question(manifest: Manifest) -> Question:
    """All golden rows in one request of the Open Inference Protocol."""
    golden, rows = manifest.golden, len(manifest.golden.scores)
    inputs = []
    for one in manifest.signature.inputs:
        data = golden.inputs[one.name]
        inputs.append({"name": one.name, "datatype": one.datatype, "shape": _shape(one, rows, len(data)), "data": data})
    body = msgspec.json.encode({"inputs": inputs}).decode()
    return Question(f"/v2/models/{manifest.model}/infer", body)


def _shape(tensor: Tensor, rows: int, values: int) -> list[int]:
    """With its one open length, if it has one beside the rows, as long as the values are."""
    tail = list(tensor.shape[1:])
    if -1 in tail:
        known = rows
        for length in tail:
            known *= max(length, 1) if length != -1 else 1
        tail[tail.index(-1)] = values // max(known, 1)
    return [rows, *tail]


def _scores(reply: Reply, manifest: Manifest) -> tuple[float, ...]:
    if reply.status != _OK:
        raise Invalid(f"the image does not answer its golden rows ({reply.status}): {reply.body:.{_SHOWN}}")
    signature, rows = manifest.signature, len(manifest.golden.scores)
    try:
        outputs = msgspec.json.decode(reply.body, type=_Answers).outputs
        judged = next(one for one in outputs if one.name == signature.score)
        width = judged.shape[1] if len(judged.shape) > 1 else 1
        column = signature.score_column if len(judged.shape) > 1 else 0
        return tuple(float(judged.data[row * width + column]) for row in range(rows))
    except (msgspec.DecodeError, StopIteration, IndexError, TypeError, ValueError) as error:
        raise Invalid(f"the image's answer to its golden rows cannot be read: {error!r:.{_SHOWN}}") from error
