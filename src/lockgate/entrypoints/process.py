"""How a process that works in loops begins: which home is its own, where its log goes, and what tells it to stop."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

from lockgate.entrypoints.parent import when_parent_ends
from lockgate.kernel import log
from lockgate.wiring.home import Home


def begin(words: Sequence[str] | None = None) -> tuple[Home, threading.Event]:
    """The home of the command line, and an event that SIGTERM and SIGINT set, and under `--watch-stdin` the parent's end.

    words: in place of those that the process was started with.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--watch-stdin", action="store_true")
    arguments = parser.parse_args(words)
    log.configure()
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    signal.signal(signal.SIGINT, lambda *_: stopping.set())
    if arguments.watch_stdin:
        when_parent_ends(stopping.set)
    return Home(arguments.home), stopping
