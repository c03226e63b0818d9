"""Pointers of channels in memory."""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.boundary.pointers import parse_channel


class MemoryChannels:
    """A ports.channels.ChannelStore."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    def names(self) -> Sequence[str]:
        return sorted(self._contents)

    def read(self, channel: str) -> bytes | None:
        parse_channel(channel)
        return self._contents.get(channel)

    def write(self, channel: str, content: bytes) -> None:
        parse_channel(channel)
        self._contents[channel] = content
