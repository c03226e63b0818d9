"""What the keeper tells a process that runs a model, and what that process says of itself.

The order is one argument of the command line; the statuses are lines of JSON on what was standard output when the process began.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from lockgate.kernel.errors import Invalid
from lockgate.serving.isolation.pace import Limits

DEFAULT_LOADER = "lockgate.runtimes.registry:load_model"
LONGEST_LINE = 1 << 16  # bytes of one status

_Text = Annotated[str, msgspec.Meta(max_length=2000)]
_Amount = Annotated[int, msgspec.Meta(ge=0)]
_Seconds = Annotated[float, msgspec.Meta(ge=0.0, le=1e9)]


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """socket: where to listen; None: load, repeat the golden rows, say how it went, and end. loader: MODULE:FUNCTION.

    memory: bytes of data that the process may take beyond what it has when it begins to load. nice: 0..19.
    settle: seconds at most for the golden rows to be repeated until their latency stays. beat: seconds between two beats.
    silence, load_silence: seconds without a beat, once it is loaded and before, after which the process ends itself.
    own: the folder that it may write in. shared, hidden, packages, processes, seconds: see sandbox.Fences.
    """

    digest: str
    artifacts: str
    own: str
    socket: str | None = None
    loader: str = DEFAULT_LOADER
    nice: int = 0
    memory: int | None = None
    settle: float = 1.0
    beat: float = 0.25
    silence: float = 60.0
    load_silence: float = 240.0
    limits: Limits = Limits()
    verbose: bool = False
    shared: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    processes: bool = False
    seconds: float | None = None


class Footprint(msgspec.Struct, frozen=True):
    """Bytes. growth: memory of its own that the model took once its library was imported. spike: the most that was resident
    meanwhile, files mapped included, beyond what was before. process: the whole process' own memory, libraries and all.
    """

    growth: _Amount = 0
    spike: _Amount = 0
    process: _Amount = 0


class Loaded(msgspec.Struct, frozen=True, tag="loaded"):
    """The package is verified, loaded and repeats its golden rows (and, with a socket, the process now listens).

    seconds: to verify and load. p99: of the golden rows in one batch, once it has settled. batchable: see GoldenRows.
    """

    seconds: _Seconds
    p99: _Seconds
    footprint: Footprint
    batchable: bool


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """It cannot be loaded. lasting: it would fail again, as long as neither the package nor the libraries change."""

    reason: _Text
    lasting: bool = True


class Beat(msgspec.Struct, frozen=True, tag="beat"):
    """Sent for as long as the event loop lives. busy: seconds that the run under way has taken; own: see memory.own."""

    busy: _Seconds
    own: _Amount


Status = Loaded | Failed | Beat
_status = msgspec.json.Decoder(Status)


def encode_order(order: Order) -> str:
    return msgspec.json.encode(order).decode()


def decode_order(text: str) -> Order:
    return msgspec.json.decode(text, type=Order)


def encode_status(status: Status) -> bytes:
    return msgspec.json.encode(status) + b"\n"


def decode_status(line: bytes) -> Status:
    """Raises Invalid if the line is none: what runs there can write anything."""
    try:
        status: Status = _status.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Invalid(f"no status: {line[:80]!r}: {error}") from error
    return status
