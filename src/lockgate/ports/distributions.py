"""What is installed here that something needs to run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from lockgate.domain.distributions import Distribution


class Distributions(Protocol):
    def needed_by(self, modules: Iterable[str]) -> tuple[Distribution, ...]:
        """The distributions that bring these modules, and all that those need in turn, in the order of their names.

        modules: by the names that they are imported by.

        Raises:
            MissingExtra: one of them is not installed.
        """
        ...
