"""What a package's files say of some rows: for checking packages where no gateway runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from lockgate.boundary.manifest import Signature


class Runtime(Protocol):
    @property
    def name(self) -> str:
        """As manifests name it."""
        ...

    def scores(self, files: Mapping[str, bytes], signature: Signature, columns: Mapping[str, Sequence[Any]]) -> Sequence[float]:
        """The score of each row; `columns` are the inputs by name.

        Raises:
            Invalid: the files cannot be loaded, or the rows cannot be answered.
        """
        ...
