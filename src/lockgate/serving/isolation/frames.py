"""Frames on a stream: four bytes that say how long, then so many bytes. What is announced too long is refused at once."""

from __future__ import annotations

from lockgate.kernel.errors import LockgateError

HEAD = 4  # bytes
LONGEST = 128 << 20  # bytes: 16 MB of JSON digits are 64 MB of FP64


class Malformed(LockgateError):
    """The other side does not keep to the protocol; nothing more is read from it."""


def frame(body: bytes, longest: int = LONGEST) -> bytes:
    """Raises Malformed if the body is longer than the other side would take."""
    if len(body) > longest:
        raise Malformed(f"a message of {len(body)} bytes found, at most {longest} are sent")
    return len(body).to_bytes(HEAD, "little") + body


class Frames:
    """Cuts what arrives into bodies, whatever pieces it comes in. Keeps at most one body that is not complete."""

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The bodies that are complete now.

        Raises:
            Malformed: one is announced longer than `longest`.
        """
        if self._rest:
            self._rest += data
            bodies, at = self._cut(self._rest)
            del self._rest[:at]
        else:
            bodies, at = self._cut(data)
            self._rest += data[at:]
        return bodies

    def _cut(self, data: bytes | bytearray) -> tuple[list[bytes], int]:
        bodies = []
        at, end = 0, len(data)
        while end - at >= HEAD:
            size = int.from_bytes(data[at : at + HEAD], "little")
            if size > self._longest:
                raise Malformed(f"a message of {size} bytes is announced, at most {self._longest} are taken")
            if end - at - HEAD < size:
                break
            at += HEAD + size
            bodies.append(bytes(data[at - size : at]))
        return bodies, at
