"""`python -m lockgate.entrypoints.learner`: let models learn the lessons in their logs, turn by turn."""

from __future__ import annotations

import logging
import os
import sys
import threading

from lockgate.entrypoints.process import begin
from lockgate.kernel.errors import LockgateError
from lockgate.kernel.ids import new_id
from lockgate.usecases.begin_course import begin_courses
from lockgate.usecases.hold_lease import hold_lease, release_lease
from lockgate.usecases.learn_lessons import learn_lessons
from lockgate.usecases.live_models import LiveModels
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world

LEASE = 3.0  # seconds: how long a stand-by waits after a learner's death
EVERY = 0.05
LOOK_EVERY = 1.0  # for models that are to learn and do not yet
PAUSE_AFTER_ERROR = 1.0
SEED, SEEDED = "PYTHONHASHSEED", "0"

log = logging.getLogger("lockgate.learner")


def main() -> None:
    _with_one_order()
    serve(*begin())


def _with_one_order() -> None:
    """Begin anew where texts would have other hashes: some models sum up in the order of sets, as a replay must, too."""
    if os.environ.get(SEED) != SEEDED:
        words = [sys.executable, "-m", "lockgate.entrypoints.learner", *sys.argv[1:]]
        os.execve(sys.executable, words, os.environ | {SEED: SEEDED})  # noqa: S606 - our own interpreter


def serve(home: Home, stopping: threading.Event) -> None:
    """Take turns until `stopping` is set."""
    world = open_world(home)
    turns = Turns(world)
    try:
        while not stopping.is_set():
            stopping.wait(turns.take())
    finally:
        release_lease(world, "learner", turns.holder)


class Turns:
    """Whoever holds the lease takes turns; the others wait for it with nothing in memory."""

    def __init__(self, world: World) -> None:
        self.holder = new_id("learner")
        self._world = world
        self._models = LiveModels()
        self._looks_at = world.clock.monotonic()

    def take(self) -> float:
        """One turn; how many seconds to wait before the next. What cannot be done now is told, and tried again."""
        try:
            if not hold_lease(self._world, "learner", self.holder, LEASE):
                self._models = LiveModels()
                return LOOK_EVERY
            self._look()
            return 0.0 if learn_lessons(self._world, self._models) else EVERY
        except LockgateError as error:
            log.warning("a turn failed", extra={"error": error.message, "hint": error.hint})
            return PAUSE_AFTER_ERROR

    def _look(self) -> None:
        if self._world.clock.monotonic() >= self._looks_at:
            begin_courses(self._world)
            self._looks_at = self._world.clock.monotonic() + LOOK_EVERY


if __name__ == "__main__":
    main()
