"""`python -m lockgate.entrypoints.controller`: loops beside each other, so that a long look at drift delays no verdict."""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from lockgate.entrypoints.parent import when_parent_ends
from lockgate.integrations.local.records import LocalRecords
from lockgate.kernel import log as logs
from lockgate.kernel.errors import Unavailable
from lockgate.kernel.ids import new_id
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts, forget_workers
from lockgate.usecases.hold_lease import hold_lease, release_lease
from lockgate.usecases.watch_model import watch_once
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world

LEASE = 3.0  # seconds: how long a stand-by waits after a leader's death
ROLLOUTS_EVERY = 0.05
WATCH_EVERY = 1.0
FORGET_EVERY = 600.0
PAUSE_AFTER_ERROR = 1.0

log = logging.getLogger("lockgate.controller")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--watch-stdin", action="store_true")
    arguments = parser.parse_args()
    logs.configure()
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    signal.signal(signal.SIGINT, lambda *_: stopping.set())
    if arguments.watch_stdin:
        when_parent_ends(stopping.set)
    lead(Home(arguments.home), stopping)


def lead(home: Home, stopping: threading.Event) -> None:
    world = open_world(home)
    holder = new_id("controller")
    judges = Judges()
    records = LocalRecords(home.records)
    loops = (
        _Loop("rollouts", ROLLOUTS_EVERY, lambda: advance_rollouts(world, judges)),
        _Loop("watch", WATCH_EVERY, lambda: watch_once(world, records)),
        _Loop("forget", FORGET_EVERY, lambda: forget_workers(world)),
    )
    threads = [threading.Thread(target=loop.run, args=(world, holder, stopping), name=loop.name) for loop in loops]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    release_lease(world, "controller", holder)


class _Loop:
    """One thing done again and again by whoever leads. What the store refuses for now is tried again at the next turn."""

    def __init__(self, name: str, every: float, turn: Callable[[], object]) -> None:
        self.name = name
        self._every = every
        self._turn = turn

    def run(self, world: World, holder: str, stopping: threading.Event) -> None:
        while not stopping.is_set():
            pause = self._every
            try:
                if hold_lease(world, "controller", holder, LEASE):
                    self._turn()
            except Unavailable as error:
                log.warning("the store is not available", extra={"loop": self.name, "error": error.message})
                pause = PAUSE_AFTER_ERROR
            stopping.wait(pause)


if __name__ == "__main__":
    main()
