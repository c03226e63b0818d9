"""End when the parent does: its end of our standard input closes, whatever became of it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable


def when_parent_ends(stop: Callable[[], None]) -> None:
    """Call `stop` (from another thread) at the end of standard input."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            pass
        stop()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
