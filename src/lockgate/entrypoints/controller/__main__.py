"""`python -m lockgate.entrypoints.controller`: loops beside each other, so that a long look at drift delays no verdict."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable

from lockgate.entrypoints.process import begin
from lockgate.integrations.local.channels import LocalChannels
from lockgate.integrations.local.records import LocalRecords
from lockgate.kernel.errors import LockgateError
from lockgate.kernel.ids import new_id
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts, forget_workers
from lockgate.usecases.expire_requests import expire_requests
from lockgate.usecases.forget_subscribers import forget_subscribers
from lockgate.usecases.hold_lease import hold_lease, release_lease
from lockgate.usecases.note_missing_labels import note_missing_labels
from lockgate.usecases.pair_labels import pair_labels
from lockgate.usecases.publish_channels import ChannelPublisher
from lockgate.usecases.send_on import send_on
from lockgate.usecases.sign_checkpoint import sign_if_due
from lockgate.usecases.watch_model import watch_once
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.signer import open_release_signer, open_signer
from lockgate.wiring.world import open_world

LEASE = 3.0  # seconds: how long a stand-by waits after a leader's death
ROLLOUTS_EVERY = 0.05
CHANNELS_EVERY = 0.1  # what is moved is heard of by whoever waits at a channel within this time and a little
WATCH_EVERY = 1.0
PAIRS_EVERY = 0.5
ONWARD_EVERY = 1.0
LABELS_EVERY = 10.0
FORGET_EVERY = 600.0
SIGN_EVERY = 10.0
LOOK_AT_BROKEN_LOG_EVERY = 600.0  # a log that is not signed because it is broken stays so until somebody mends it
EXPIRE_EVERY = 60.0
PAUSE_AFTER_ERROR = 1.0

log = logging.getLogger("lockgate.controller")


def main() -> None:
    lead(*begin())


def lead(home: Home, stopping: threading.Event) -> None:
    world = open_world(home)
    holder = new_id("controller")
    judges = Judges()
    gc.freeze()  # what stands by now stays: the collector need not look through all of it in the middle of a tick
    records, signer = LocalRecords(home.records), open_signer(home)
    publisher = ChannelPublisher(world, open_release_signer(home), LocalChannels(home.channels))
    loops = (
        Loop("channels", CHANNELS_EVERY, publisher.turn),
        Loop("rollouts", ROLLOUTS_EVERY, lambda: advance_rollouts(world, judges)),
        Loop("watch", WATCH_EVERY, lambda: watch_once(world, records)),
        Loop("pairs", PAIRS_EVERY, lambda: pair_labels(world, records)),
        Loop("onward", ONWARD_EVERY, lambda: send_on(world)),
        Loop("labels", LABELS_EVERY, lambda: note_missing_labels(world)),
        Loop("expiry", EXPIRE_EVERY, lambda: expire_requests(world)),
        Loop("forget", FORGET_EVERY, lambda: forget_workers(world)),
        Loop("subscribers", FORGET_EVERY, lambda: forget_subscribers(world)),
        Loop("sign", SIGN_EVERY, lambda: sign_if_due(world, signer), after_error=LOOK_AT_BROKEN_LOG_EVERY),
    )
    threads = [threading.Thread(target=loop.run, args=(world, holder, stopping), name=loop.name) for loop in loops]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    release_lease(world, "controller", holder)


class Loop:
    """One thing done again and again by whoever leads. What cannot be done now is told, and tried again at the next turn.

    What nobody foresaw ends the loop, and by `stopping` the others with it: a controller that leads and has lost one of its loops
    would keep everybody else from doing its work. The supervisor starts another.
    """

    def __init__(self, name: str, every: float, turn: Callable[[], object], after_error: float = PAUSE_AFTER_ERROR) -> None:
        self.name = name
        self._every = every
        self._after_error = after_error
        self._turn = turn

    def run(self, world: World, holder: str, stopping: threading.Event) -> None:
        try:
            while not stopping.is_set():
                stopping.wait(self._every if self._done(world, holder) else self._after_error)
        finally:
            stopping.set()

    def _done(self, world: World, holder: str) -> bool:
        try:
            if hold_lease(world, "controller", holder, LEASE):
                self._turn()
        except LockgateError as error:
            log.warning("a turn failed", extra={"loop": self.name, "error": error.message, "hint": error.hint})
            return False
        return True


if __name__ == "__main__":
    main()
