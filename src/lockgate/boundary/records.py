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


class Record(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One version tried with one request: all its rows.

    prediction_ids: one for each row. Of a shadow's answer: those of the rows that it stands beside.
    inputs: columns, in the order of the signature; None in place of one that the route redacts. scores: none if it failed.
    failure: its kind, and after a colon the reason. What was refused for lack of room is of kind `shed`, and of version 0.
    pair: of a shadow's answer: the first prediction id of the answer that was given, if one was. Nobody got what a shadow said.
    """

    prediction_ids: tuple[str, ...]
    model: str
    version: int
    revision: Revision
    answered_at: float  # Unix seconds
    inputs: dict[str, list[Any] | None]
    scores: tuple[float, ...]
    failure: str | None = None
    pair: str | None = None
    shadow: bool = False

    @property
    def answered(self) -> bool:
        """Whether somebody got these scores."""
        return self.failure is None and not self.shadow and len(self.scores) > 0


def _plain(value: Any) -> Any:
    """Arrays as lists.

    Raises:
        TypeError: it is nothing that MessagePack can hold.
    """
    try:
        return value.tolist()
    except AttributeError as error:
        raise TypeError(f"a {type(value).__name__} cannot be kept in a record") from error


_encoder = msgspec.msgpack.Encoder(enc_hook=_plain)
_decoder = msgspec.msgpack.Decoder(Record)


def frame(record: Record) -> bytes:
    """
    Raises:
        TypeError: a value cannot be encoded. ValueError: a text is not Unicode.
    """  # noqa: D212 - there is nothing else to say
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
