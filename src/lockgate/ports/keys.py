"""The keys of the data plane's callers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lockgate.boundary.keys import Key


class KeyStore(Protocol):
    """Changed within a write transaction of the state only: writers then take turns here too."""

    def read(self) -> Sequence[Key] | None:
        """In the order in which they were made; None where no key was ever made.

        Raises:
            Invalid: what is there cannot be understood.
        """
        ...

    def write(self, keys: Sequence[Key]) -> None:
        """Whole or not at all; servers take them over within two seconds."""
        ...
