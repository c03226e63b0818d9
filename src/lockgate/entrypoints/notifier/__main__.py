"""`python -m lockgate.entrypoints.notifier`: make deliveries of what happened, and send them, turn by turn."""

from __future__ import annotations

import argparse
import logging
import threading
from concurrent.futures import Executor, ThreadPoolExecutor

from lockgate.entrypoints.process import begin
from lockgate.kernel.errors import LockgateError
from lockgate.kernel.ids import new_id
from lockgate.usecases.hold_lease import hold_lease, release_lease
from lockgate.usecases.notice_world import NoticeWorld
from lockgate.usecases.send_due import MOST, Sending
from lockgate.usecases.take_up_events import Outbox
from lockgate.usecases.tidy_deliveries import tidy_deliveries
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.notices import open_notices
from lockgate.wiring.world import open_world

LEASE = 3.0  # seconds: how long a stand-by waits after a notifier's death
EVERY = 0.25
STAND_BY_EVERY = 1.0
TIDY_EVERY = 600.0
PAUSE_AFTER_ERROR = 1.0
LAST_WORDS = 2.0  # seconds in which what is on its way may come back at the end; what does not is sent again

log = logging.getLogger("lockgate.notifier")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", default="", help="by which people reach the pages, for links")
    own, words = parser.parse_known_args()
    serve(*begin(words), own.url)


def serve(home: Home, stopping: threading.Event, url: str = "") -> None:
    """Take turns until `stopping` is set. url: by which people reach the pages."""
    world = open_world(home)
    with ThreadPoolExecutor(MOST, thread_name_prefix="send") as pool:
        turns = Turns(world, open_notices(home, url), pool)
        try:
            while not stopping.is_set():
                stopping.wait(turns.take())
            turns.end()
        finally:
            release_lease(world, "notifier", turns.holder)


class Turns:
    """Whoever holds the lease takes turns; the others wait for it."""

    def __init__(self, world: World, notices: NoticeWorld, pool: Executor) -> None:
        self.holder = new_id("notifier")
        self._world = world
        self._outbox = Outbox(world)
        self._sending = Sending(world, notices, pool)
        self._tidies_at = world.clock.monotonic()

    def take(self) -> float:
        """One turn; how many seconds to wait before the next. What cannot be done now is told, and tried again."""
        try:
            if not hold_lease(self._world, "notifier", self.holder, LEASE):
                self._sending.settle()
                return STAND_BY_EVERY
            self._tidy()
            busy = self._sending.turn() + self._outbox.take_up()  # a log that cannot be read keeps no delivery back
        except LockgateError as error:
            log.warning("a turn failed", extra={"error": error.message, "hint": error.hint})
            return PAUSE_AFTER_ERROR
        return 0.0 if busy or self._sending.wait(EVERY) else EVERY

    def end(self) -> None:
        self._sending.wait(LAST_WORDS)
        self._sending.settle()

    def _tidy(self) -> None:
        if self._world.clock.monotonic() >= self._tidies_at:
            tidy_deliveries(self._world)
            self._tidies_at = self._world.clock.monotonic() + TIDY_EVERY


if __name__ == "__main__":
    main()
