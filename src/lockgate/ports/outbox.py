"""Where the forms of versions are put for whoever takes them along, whole or not there."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol


class Outbox(Protocol):
    def draft(self) -> AbstractContextManager[Path]:
        """An empty folder to build in. It is gone when it is left, or by the next draft if this process is killed.

        Raises:
            Unavailable: no folder can be made there.
        """
        ...

    def place(self, file: Path) -> Path:
        """Move a file of a draft to its place, under its name, over what is there. On the disk when that returns.

        Raises:
            Unavailable: it cannot be put there.
        """
        ...
