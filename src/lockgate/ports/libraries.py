"""Which libraries run the project's code, in which versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol


class Libraries(Protocol):
    def versions(self, names: Iterable[str]) -> Mapping[str, str]:
        """By the name that is imported; of those that are installed, and of `python` itself."""
        ...
