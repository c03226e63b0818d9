"""Which data there is, fixed by content."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from lockgate.domain.data import DatasetVersion


class Datasets(Protocol):
    def version(self, folder: Path, name: str, pattern: str) -> DatasetVersion | None:
        """The files in `folder` that match, in sorted order, with the digest of their content; None where none matches."""
        ...
