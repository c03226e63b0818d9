"""What a supervisor that was killed left behind: its children end by themselves; a new supervisor waits for that, and helps."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from lockgate.wiring.home import Home

PATIENCE = 5.0  # seconds in which they end by themselves
LOOK_EVERY = 0.02


def clear_leftovers(home: Home) -> bool:
    """Whether there were any. Called under the home's lock: whoever wrote `up.json` is gone."""
    if not home.server.exists():
        return False
    waiting = [pid for pid in _noted(home) if _is_ours(pid, home)]
    end = time.monotonic() + PATIENCE
    while (waiting := [pid for pid in waiting if _is_ours(pid, home)]) and time.monotonic() < end:
        time.sleep(LOOK_EVERY)
    for pid in waiting:
        with suppress(ProcessLookupError):  # it was quicker
            os.kill(pid, signal.SIGKILL)
    home.server.unlink()
    return True


def _noted(home: Home) -> list[int]:
    try:
        return list(json.loads(home.server.read_text())["processes"].values())
    except (json.JSONDecodeError, KeyError):
        return []  # not written by a supervisor


def _is_ours(pid: int, home: Home) -> bool:
    """Process ids are used again: only one whose command line names this home is a child of a former supervisor.

    This process names it too, and in a container, where ids begin anew with every start, it may bear one of them.
    """
    if pid == os.getpid():
        return False
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    folder = str(home.folder).encode()
    return any(word == folder or word.startswith(folder + b"/") for word in words)
