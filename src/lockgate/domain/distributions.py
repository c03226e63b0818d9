"""Python distributions by name and version, as a lock file has them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_BETWEEN = re.compile(r"[-_.]+")


@dataclass(frozen=True, slots=True, order=True)
class Distribution:
    """name: normalised, as `normalised` has it."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def purl(self) -> str:
        """Its package URL. A `+` of a local version is spelt in full there."""
        return f"pkg:pypi/{self.name}@{self.version.replace('+', '%2B')}"


def normalised(name: str) -> str:
    """The one spelling of a distribution's name: PEP 503."""
    return _BETWEEN.sub("-", name).lower()
