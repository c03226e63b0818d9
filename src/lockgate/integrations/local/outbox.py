"""A folder of the user's, into which forms come as whole files.

They are built in a hidden folder within it, so that the last step is a rename. A process that is killed leaves its hidden folder
behind; the next one removes it, which the lock that died with its owner allows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from lockgate.boundary.folder import Scratch
from lockgate.integrations.local.durable import flush_folder
from lockgate.kernel.errors import Unavailable

_DRAFT = ".lockgate-draft-"


class LocalOutbox:
    """A ports.outbox.Outbox. folder: made when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def draft(self) -> Iterator[Path]:
        with _told(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            scratch = Scratch(_DRAFT, self._folder)
        with closing(scratch):
            yield scratch.path

    def place(self, file: Path) -> Path:
        placed = self._folder / file.name
        with _told(self._folder):
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
            file.replace(placed)
            flush_folder(self._folder)
        return placed


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(f"nothing can be put into {folder}: {error.strerror}", hint="Check its space and rights.") from error
