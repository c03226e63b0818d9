"""Feeds whatever a fuzzer makes up to every reader of the data plane: nothing but InvalidInput may come out.

    python tests/fuzz/fuzz_decoders.py [CORPUS] [-max_total_time=SECONDS]

The first byte of an input chooses the reader, the second what the headers say. Without a corpus it starts from the examples.
"""

from __future__ import annotations

import json
import struct
import sys
import tempfile
from math import isfinite
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["lockgate"]):
    from lockgate.boundary.manifest import Signature, Tensor
    from lockgate.embedded.datatypes import DATATYPES
    from lockgate.kernel.errors import InvalidInput
    from lockgate.serving.protocol import labels, lessons, metadata, parsing
    from lockgate.serving.protocol.answers import Encoder, Parameters
    from lockgate.serving.protocol.columns import Decoder
    from lockgate.serving.protocol.requests import values_of

STREAM = "application/vnd.apache.arrow.stream"
EVERY = Signature(
    tuple(Tensor(name.lower(), name, (-1, 1)) for name in DATATYPES),
    tuple(Tensor(name.lower(), name, (-1, 1)) for name in DATATYPES),
    "fp32",
)
SIMPLE = Signature((Tensor("x", "FP32", (-1, 1)), Tensor("s", "BYTES", (-1, 1))), (Tensor("y", "FP32", (-1, 1)),), "y")
FREE = Signature((Tensor("v", "FP64", (-1, -1, 2)),), (Tensor("y", "FP64", (-1,)),), "y")
DECODERS = [Decoder(EVERY), Decoder(SIMPLE), Decoder(FREE), Decoder(SIMPLE, text=False)]
ENCODER = Encoder(Signature(EVERY.inputs, EVERY.inputs, "fp32"))
KINDS = ["application/json", STREAM, "text/csv", "text/csv; charset=utf-8", "application/json;charset=latin-1", "image/png"]
ACCEPTED = [None, "*/*", STREAM, f"application/json;q=0.5, {STREAM};q=0.4", "q=;,;;"]


def headers(choice: int, body: bytes) -> dict[str, str]:
    """What a request says of its body: a kind, a length of its JSON, an answer that it accepts."""
    found = {"content-type": KINDS[choice % len(KINDS)]}
    accept = ACCEPTED[choice % len(ACCEPTED)]
    if accept is not None:
        found["accept"] = accept
    if choice & 0x80:
        end = body.find(b"}]}") + 3
        found["inference-header-content-length"] = str(end if choice & 0x40 else choice & 0x3F)
    return found


def infer(body: bytes, told: dict[str, str], which: int) -> None:
    request = parsing.parse(body, told.get)
    for name in ("x", "v", "fp32"):
        values_of(request, name)
    decoder = DECODERS[which % len(DECODERS)]
    batch = decoder.decode(request)
    assert all(len(array) == batch.rows for array in batch.feeds.values())
    assert all(array.flags.aligned for array in batch.feeds.values())
    assert batch.feeds.keys() == batch.values.keys() == set(decoder.names)
    if which % len(DECODERS) == 0:
        ids = Parameters(prediction_ids=["id"] * batch.rows)
        outputs = [batch.feeds[name] for name in decoder.names]
        ENCODER.answer(request, outputs, [0.0] * batch.rows, model_name="m", model_version="1", id="1", parameters=ids)


def score(body: bytes, told: dict[str, str], which: int) -> None:
    DECODERS[which % len(DECODERS)].decode(parsing.parse_scoring(body, told.get))


def learn(body: bytes, told: dict[str, str], which: int) -> None:
    decoder = DECODERS[which % len(DECODERS)]
    taught = lessons.parse(body, told.get, decoder)
    assert taught.inputs.keys() == set(decoder.names)
    assert 0 < len(taught.labels) <= lessons.MOST_ROWS
    assert all(isfinite(label) and type(label) is float for label in taught.labels)
    if which % len(DECODERS) < 2:  # one value a row
        assert {len(values) for values in taught.inputs.values()} == {len(taught.labels)}


def other(body: bytes, _: dict[str, str], which: int) -> None:
    if which % 2:
        labels.parse(body, b"k" * 32, "m", 0.0)
    else:
        metadata.index(body, [])
        metadata.check_repository_request(body)


def spoiled(body: bytes, told: dict[str, str], which: int) -> None:
    """A request that is right but for one place, which the bytes choose, and the value there."""
    chosen = atheris.FuzzedDataProvider(body)
    content = json.loads(chosen.PickValueInList(SOUND))
    place: Any = content
    while True:
        keys = sorted(place) if isinstance(place, dict) else list(range(len(place)))
        key = chosen.PickValueInList(keys)
        if not isinstance(place[key], dict | list) or not place[key] or chosen.ConsumeBool():
            break
        place = place[key]
    place[key] = chosen.PickValueInList(STRANGE) if chosen.ConsumeBool() else chosen.ConsumeRegularFloat()
    rest = chosen.ConsumeBytes(16)
    head = json.dumps(content).encode()
    if "labels" in content:
        learn(head, {}, which)
    elif which % 2:
        score(head, {}, which)
    else:
        infer(head + rest, {"inference-header-content-length": str(len(head))} if rest else {}, which)


X, S = {"name": "x", "shape": [1, 1], "datatype": "FP32"}, {"name": "s", "shape": [1, 1], "datatype": "BYTES"}
SIZED = [{**X, "parameters": {"binary_data_size": 4}}, {**S, "parameters": {"binary_data_size": 6}}]
ASKED = [{"name": "y", "parameters": {"binary_data": True}}]
SOUND = [
    json.dumps(content)
    for content in (
        {"inputs": [{**X, "data": [1.5]}, {**S, "data": ["AA"]}], "outputs": ASKED, "parameters": {"binary_data_output": True}},
        {"inputs": [{**X, "shape": [2, 1], "data": [[1.5], [2]]}, {**S, "shape": [2, 1], "data": ["AA", "BB"]}]},
        {"inputs": SIZED, "id": "7"},
        {"inputs": [{"name": "v", "shape": [1, 2, 2], "datatype": "FP64", "data": [[[1, 2], [3, 4]]]}]},
        {"instances": [{"x": 1.5, "s": "AA"}, {"x": -0.0, "s": ""}]},
        {"inputs": {"x": [1.5, 2.5], "s": ["AA", "BB"]}},
        {"instances": [[1.5, "AA"]]},
        {"dataframe_split": {"columns": ["x", "s"], "index": [0], "data": [[1.5, "AA"]]}},
        {"dataframe_records": [{"x": 1.5, "s": "AA"}]},
        {"instances": [{"x": 1.5, "s": "AA"}, {"x": -0.0, "s": ""}], "labels": [1, False], "id": "7"},
        {"dataframe_split": {"columns": ["x", "s"], "data": [[1.5, "AA"]]}, "labels": [0.5]},
    )
]
STRANGE: list[Any] = [
    *(None, True, "", "x", "FP64", "INT8", "BYTES", "\ud800", [], {}, [[]], [None], [[1.5]], {"x": 1}, [1, 1], [2**62, 4]),
    *(0, 1, -1, 2, 255, 2**31, 2**63, 2**64, 10**400, 1e39, -1e308, float("nan"), float("inf")),
]
READERS = [infer, score, other, spoiled, learn]


def one_input(data: bytes) -> None:
    if len(data) < 2:
        return
    reader, choice, body = data[0], data[1], data[2:]
    try:
        READERS[reader % len(READERS)](body, headers(choice, body), reader // len(READERS))
    except InvalidInput:
        return


def examples() -> list[bytes]:
    """One of each form that is spoken, behind the two bytes that choose."""
    behind = json.dumps({"inputs": SIZED}).encode() + struct.pack("<fI", 1.5, 2) + b"AA"
    simple = len(READERS)
    return [
        *(bytes([number * simple + kind, 0]) + text.encode() for text in SOUND for number in (1, 2) for kind in (0, 1, 4)),
        *(bytes([simple + 3, number]) + bytes(range(number, number + 40)) for number in range(20)),
        bytes([simple, 0xC0]) + behind,
        bytes([simple, 2]) + b"x,s\n1.5,AA\n",
        bytes([simple + 1, 2]) + b"x,s\n1.5,AA\n",
        bytes([simple + 2, 0]) + b'[{"prediction_id": "a", "label": 1, "at": "2013-04-01T12:00:00Z"}]',
        bytes([2, 0]) + b'{"parameters": {"config": "{}"}}',
        *arrow_examples(),
    ]


def arrow_examples() -> list[bytes]:
    try:
        import pyarrow as pa
    except ImportError:
        return []
    sink = pa.BufferOutputStream()
    batch = pa.record_batch({"x": pa.array([1.5, 2.5]), "s": pa.array(["AA", "BB"]).dictionary_encode()})
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return [bytes([len(READERS), 1]) + sink.getvalue().to_pybytes()]


def main(arguments: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for number, example in enumerate(examples()):
            (Path(folder) / str(number)).write_bytes(example)
        atheris.Setup([*arguments, folder], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
