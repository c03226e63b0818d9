"""`python -m lockgate.entrypoints.runner`: take a job, run its pipeline, take the next."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from lockgate.domain.findings import Job
from lockgate.domain.people import WATCH
from lockgate.domain.runs import Run
from lockgate.entrypoints.process import begin
from lockgate.integrations.local.orphan import kill_group
from lockgate.kernel.errors import Unavailable
from lockgate.kernel.ids import new_id
from lockgate.usecases.hold_lease import hold_lease, release_lease
from lockgate.usecases.run_pipeline import run_pipeline
from lockgate.usecases.take_job import carry_out, take_job
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.pipelines import build_world
from lockgate.wiring.world import open_world

LEASE = 3.0
EVERY = 0.25
PATIENCE = 4.0  # seconds that a run under way has to end by itself

log = logging.getLogger("lockgate.runner")


def main() -> None:
    home, stopping = begin()
    threading.Thread(target=_end_in_time, args=(stopping,), name="end", daemon=True).start()
    serve(home, open_world(home), stopping)


def serve(home: Home, world: World, stopping: threading.Event) -> None:
    """Carry out jobs until `stopping` is set. Whatever else ends this ends the renewing of the lease too: nobody waits for it."""
    holder = new_id("runner")
    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(world, holder, stopping, ended), name="lease")
    try:
        while not stopping.is_set():
            if not _turn(home, world, holder, renewing):
                stopping.wait(EVERY)
    finally:
        ended.set()
        if renewing.ident is not None:
            renewing.join()  # it would take again what is released
        release_lease(world, "runner", holder)


def _turn(home: Home, world: World, holder: str, renewing: threading.Thread) -> bool:
    """True if there may be more to do at once."""
    try:
        if renewing.ident is None:
            if not hold_lease(world, "runner", holder, LEASE):
                return False
            renewing.start()
        job = take_job(world)
        if job is None:
            return False
        done = carry_out(world, job, lambda job: _run(home, world, job))
    except Unavailable as error:
        log.warning("the store is not available", extra={"error": error.message})
        return False
    log.info("job done", extra={"job": done.id, "state": done.state.value, "run": done.run, "error": done.error})
    return True


def _renew(world: World, holder: str, stopping: threading.Event, ended: threading.Event) -> None:
    """A pipeline may run for hours; the lease is held by a thread of its own.

    It is held as long as a run may be under way, after `stopping` too: the next runner would find the run's folder occupied.
    """
    try:
        while not ended.is_set():
            try:
                if not hold_lease(world, "runner", holder, LEASE):
                    log.error("another runner took the lease")
                    return
            except Unavailable as error:
                log.warning("the lease could not be renewed", extra={"error": error.message})
            ended.wait(LEASE / 3)
    finally:
        stopping.set()


def _end_in_time(stopping: threading.Event) -> None:
    """Told to stop in the midst of a run, which may take hours, the process ends: the run is taken up again where it stood."""
    stopping.wait()
    time.sleep(PATIENCE)
    kill_group()


def _run(home: Home, world: World, job: Job) -> Run:
    return run_pipeline(
        world,
        build_world(home, world),
        Path(job.project),
        actor=WATCH,
        commit=job.commit,
        params=job.params,
        cause=job.cause,
        run_id=job.run,
    )


if __name__ == "__main__":
    main()
