"""Appending to files so that each thing stands there whole, or not at all."""

from __future__ import annotations

import os
from io import FileIO


def append_whole(file: FileIO, content: bytes) -> None:
    """Append all of it; a disk that takes only a part gets that part taken back.

    Raises:
        OSError: the disk refuses it. Should it refuse the taking back as well, the file is closed: nothing may stand behind half
            a thing.
    """
    start = file.seek(0, os.SEEK_END)
    view = memoryview(content)
    try:
        while view:
            view = view[file.write(view) :]
    except OSError:
        try:
            file.truncate(start)
        except OSError:
            file.close()
        raise
