"""Who knows the known weaknesses of distributions, and of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lockgate.domain.distributions import Distribution
from lockgate.domain.vulnerabilities import Found


class VulnerabilityScanner(Protocol):
    def scan(self, packages: Sequence[Distribution]) -> Found:
        """What is known against these, each in its version.

        Raises:
            Unavailable: it could not be told of all of them: no tool, no answer in time, knowledge that is damaged.
        """
        ...


class ImageScanners(Protocol):
    def reports(self, image: str) -> tuple[bytes, ...]:
        """Of every scanner of images that is installed here, as it came. image: a file, or a reference into a registry.

        Raises:
            Unavailable: there is none, or one of them failed.
        """
        ...
