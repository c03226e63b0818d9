"""Files that only their owner may read, written whole or not at all, and on the disk when that returns."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident

from lockgate.integrations.local.durable import flush_folder


def replace_private(path: Path, content: bytes) -> None:
    """In place of what is there."""
    with _draft(path, content) as draft:
        draft.replace(path)


def create_private(path: Path, content: bytes) -> bool:
    """False, and nothing written, if there is one: another process or thread may have been first."""
    with _draft(path, content) as draft:
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
    return True


@contextmanager
def _draft(path: Path, content: bytes) -> Iterator[Path]:
    draft = path.with_name(f".{path.name}.{os.getpid()}.{get_ident()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)
    flush_folder(path.parent)
