"""Processes that end with the one that started them: when their standard input ends, the whole group of processes is killed."""

from __future__ import annotations

import os
import signal
import threading
from typing import BinaryIO


def kill_group() -> None:
    """This process and all that it started, if it leads a group of its own; else this process alone."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def end_with_parent(stream: BinaryIO) -> None:
    """Watch `stream`, which nobody else reads and which the parent keeps open as long as it lives."""

    def watch() -> None:
        while stream.read(1):
            pass
        kill_group()

    threading.Thread(target=watch, name="parent", daemon=True).start()
