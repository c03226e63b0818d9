"""What workers and the keeper say to each other: what is wanted one way, what became of it the other. Frames of msgpack."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from lockgate.serving.isolation.frames import Malformed, frame
from lockgate.serving.isolation.orders import Loaded

LONGEST = 1 << 20  # bytes of one message
_MOST_WANTS = 4096


class Want(msgspec.Struct, frozen=True):
    """isolated: keep it running in a process of its own; else examine it, because the worker will load it itself.

    shadow: in a process that gives way to all others. memory: bytes of data that its process may take, or None.
    """

    digest: str
    isolated: bool
    shadow: bool = False
    memory: int | None = None


class Wants(msgspec.Struct, frozen=True):
    """All that one worker wants; what it wanted before and does not name now, it wants no more."""

    wants: Annotated[tuple[Want, ...], msgspec.Meta(max_length=_MOST_WANTS)]


class Phase(StrEnum):
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"


class Told(msgspec.Struct, frozen=True):
    """What became of a want. reason: of the failure, or of the death before this start. socket: where a ready host listens."""

    want: Want
    phase: Phase
    reason: str = ""
    socket: str | None = None
    report: Loaded | None = None


_wants = msgspec.msgpack.Decoder(Wants)
_told = msgspec.msgpack.Decoder(Told)


def encode(message: Wants | Told) -> bytes:
    return frame(msgspec.msgpack.encode(message), LONGEST)


def decode_wants(body: bytes) -> Wants:
    """Raises Malformed."""
    try:
        return _wants.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Malformed(f"no wants: {error}") from error


def decode_told(body: bytes) -> Told:
    """Raises Malformed."""
    try:
        return _told.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Malformed(f"nothing told: {error}") from error
