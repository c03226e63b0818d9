"""What a package's files say of some rows: for checking packages where no gateway runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from lockgate.boundary.manifest import Manifest


class Runtime(Protocol):
    @property
    def name(self) -> str:
        """As manifests name it."""
        ...

    def scores(self, manifest: Manifest, files: Mapping[str, bytes], columns: Mapping[str, Sequence[Any]]) -> Sequence[float]:
        """The score of each row. files: the package's, by name. columns: its inputs, by name.

        Raises:
            Invalid: the files cannot be loaded, or the rows cannot be answered.
        """
        ...
