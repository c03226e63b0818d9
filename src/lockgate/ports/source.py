"""Where code comes from: which commit a folder stands at, and the files of a commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Revision:
    """What a folder holds. dirty: it differs from the commit, or there is none. author, email: of the commit."""

    commit: str | None
    author: str | None
    dirty: bool
    email: str = ""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A folder with what a commit holds of a project."""

    folder: Path
    commit: str
    author: str
    email: str = ""


class Source(Protocol):
    def revision(self, folder: Path, besides: Sequence[str] = ()) -> Revision:
        """The revision of a project's folder. besides: globs of files whose changes do not count."""
        ...

    def checkout(self, folder: Path, ref: str) -> Checkout:
        """The project as the commit has it, in a folder of its own.

        Raises:
            NotFound: the folder is in no repository, or the repository has no such commit.
        """
        ...
