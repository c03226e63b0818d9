"""Small files that one process lays down for another, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import NamedTemporaryFile


def lay_down(path: Path, content: bytes | None) -> bool:
    """content: None: there is to be no such file. Returns whether anything was to be changed.

    Raises:
        OSError: the folder cannot be written.
    """
    if content is None:
        there = path.exists()
        path.unlink(missing_ok=True)
        return there
    if path.exists() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as draft:
        draft.write(content)
        draft.flush()
        os.fsync(draft.fileno())
    Path(draft.name).replace(path)
    return True
