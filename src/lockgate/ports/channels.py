"""Where the signed pointers of channels lie, for whoever follows them: a folder that any web server can serve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class ChannelStore(Protocol):
    def names(self) -> Sequence[str]:
        """Of the channels that have a pointer, sorted."""
        ...

    def read(self, channel: str) -> bytes | None:
        """The pointer as it was written; None if there is none.

        Raises:
            Invalid: this is no channel's name. Unavailable: it cannot be read.
        """
        ...

    def write(self, channel: str, content: bytes) -> None:
        """In place of the one before, at once and whole, and on the disk when it returns.

        Raises:
            Invalid: this is no channel's name. Unavailable: nothing can be written there.
        """
        ...
