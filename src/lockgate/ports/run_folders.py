"""The folders of runs: where their logs lie, and whether somebody still works in them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol


class RunFolders(Protocol):
    def occupy(self, run: str) -> AbstractContextManager[Path]:
        """The folder of a run, held until it is left or this process ends, however it ends.

        Raises:
            Conflict: another process holds it.
        """
        ...

    def abandoned(self, run: str) -> bool:
        """Whether the run's folder is here and nobody holds it."""
        ...
