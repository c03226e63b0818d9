"""Where a channel points: which versions of a model answer now, with which shares. Signed, and never going backwards.

A channel is an environment of a model, `flight-delay@production`. Its pointer is the model's route and all that is needed to
fetch and check what the route names: the same table by which the gateway assigns, so whoever follows a channel assigns alike.
"""

from __future__ import annotations

import re

import msgspec

from lockgate.boundary.envelopes import Sealer, seal, unseal
from lockgate.boundary.releases import Release
from lockgate.boundary.routes import Revision, Route
from lockgate.boundary.trust import Trust
from lockgate.kernel.errors import Corrupt, Invalid, Refused

POINTER = "application/vnd.lockgate.pointer+json"
FOLDER = "channels"  # beside `artifacts`, in a home, on a web server, in a bucket
_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,99})@([a-z0-9][a-z0-9_-]{0,49})", re.ASCII)


class Pointer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """revision: of the route table that it was taken from; what has a lower one than was seen before is a replay. releases: all
    that the route names, each once. issued_at: Unix seconds.
    """

    channel: str
    revision: Revision
    route: Route
    releases: tuple[Release, ...]
    issued_at: float

    def release(self, version: int) -> Release:
        """Raises Corrupt if the pointer does not say where the version is."""
        for one in self.releases:
            if one.version == version:
                return one
        raise Corrupt(f"the pointer of {self.channel} routes to version {version} and does not say where it is")


def channel_of(model: str, environment: str) -> str:
    return f"{model}@{environment}"


def parse_channel(channel: str) -> tuple[str, str]:
    """Model and environment.

    Raises:
        Invalid: it is no channel's name.
    """
    match = _NAME.fullmatch(channel)
    if match is None:
        raise Invalid(f"channel {channel!r:.120} found, MODEL@ENVIRONMENT expected, as flight-delay@production")
    return match[1], match[2]


def publish(pointer: Pointer, *sealers: Sealer) -> bytes:
    """As it lies under `channels/`: an envelope's JSON."""
    return seal(POINTER, msgspec.json.encode(pointer, order="deterministic"), *sealers)


def follow(content: bytes, channel: str, trust: Trust, seen: Revision = Revision()) -> Pointer:  # noqa: B008 - it is frozen
    """The pointer in an envelope.

    seen: the highest revision that was followed before.

    Raises:
        Corrupt: it is none. Refused: nobody that is trusted signed it, it is another channel's, or older than what was seen.
    """
    what = f"the pointer of {channel}"
    payload, _ = unseal(content, POINTER, trust, what)
    try:
        pointer = msgspec.json.decode(payload, type=Pointer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Corrupt(f"{what} cannot be read: {error}") from error
    if pointer.channel != channel:
        raise Refused(f"{what}: that of {pointer.channel!r:.120} found")
    if others := {pointer.route.model, *(one.model for one in pointer.releases)} - {parse_channel(channel)[0]}:
        raise Refused(f"{what}: it points to another model, {min(others)!r:.120}")
    if pointer.revision < seen:
        raise Refused(f"{what}: revision {pointer.revision} found after {seen}: an old pointer was put back")
    return pointer
