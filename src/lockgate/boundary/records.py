"""Prediction records: what was asked and answered, appended to a segment file by each worker.

A segment is a run of frames: length and CRC-32 of the payload (4 bytes each, big-endian), payload (MessagePack of one `Record`).
A torn tail, as kill -9 leaves it, ends the readable part; it is never mistaken for a record.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any
from zlib import crc32

import msgspec

from lockgate.boundary.routes import Revision

HEADER = struct.Struct(">II")


class Record(msgspec.Struct, frozen=True, array_like=True):
    """One request: all its rows. `inputs` are columns, in the order of the signature; failures have no scores."""

    prediction_ids: tuple[str, ...]
    model: str
    version: int
    revision: Revision
    answered_at: float  # Unix seconds
    inputs: dict[str, list[Any]]
    scores: tuple[float, ...]
    failure: str | None = None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)


def frame(record: Record) -> bytes:
    payload = _encoder.encode(record)
    return HEADER.pack(len(payload), crc32(payload)) + payload


def frames(content: bytes, offset: int = 0) -> Iterator[tuple[int, Record]]:
    """Each whole record from `offset` on, with the offset behind it. Stops where the content ends or is torn."""
    end = len(content)
    while offset + HEADER.size <= end:
        length, checksum = HEADER.unpack_from(content, offset)
        start = offset + HEADER.size
        payload = content[start : start + length]
        if not length or len(payload) < length or crc32(payload) != checksum:  # zeros are what a lost page leaves
            return
        offset = start + length
        yield offset, _decoder.decode(payload)
