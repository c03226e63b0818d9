"""`python -m lockgate.entrypoints.runner`: take a job, run its pipeline, take the next."""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from pathlib import Path

from lockgate.domain.findings import Job
from lockgate.domain.people import WATCH
from lockgate.domain.runs import Run
from lockgate.entrypoints.parent import when_parent_ends
from lockgate.kernel import log as logs
from lockgate.kernel.errors import Unavailable
from lockgate.kernel.ids import new_id
from lockgate.usecases.hold_lease import hold_lease, release_lease
from lockgate.usecases.take_job import carry_out, take_job
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.pipelines import run_project
from lockgate.wiring.world import open_world

LEASE = 3.0
EVERY = 0.25

log = logging.getLogger("lockgate.runner")


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
    home = Home(arguments.home)
    serve(home, open_world(home), stopping)


def serve(home: Home, world: World, stopping: threading.Event) -> None:
    holder = new_id("runner")
    renewing = threading.Thread(target=_renew, args=(world, holder, stopping), name="lease")
    leading = threading.Event()
    while not stopping.is_set():
        try:
            if not leading.is_set() and hold_lease(world, "runner", holder, LEASE):
                leading.set()
                renewing.start()
            if leading.is_set() and (job := take_job(world)) is not None:
                done = carry_out(world, job, lambda job: _run(home, world, job))
                log.info("job done", extra={"job": done.id, "state": done.state.value, "run": done.run, "error": done.error})
                continue
        except Unavailable as error:
            log.warning("the store is not available", extra={"error": error.message})
        stopping.wait(EVERY)
    release_lease(world, "runner", holder)


def _renew(world: World, holder: str, stopping: threading.Event) -> None:
    """A pipeline may run for hours; the lease is held by a thread of its own."""
    while not stopping.is_set():
        try:
            if not hold_lease(world, "runner", holder, LEASE):
                log.error("another runner took the lease")
                stopping.set()
        except Unavailable as error:
            log.warning("the lease could not be renewed", extra={"error": error.message})
        stopping.wait(LEASE / 3)


def _run(home: Home, world: World, job: Job) -> Run:
    return run_project(
        home,
        world,
        Path(job.project),
        actor=WATCH,
        commit=job.commit,
        params=job.params,
        cause=job.cause,
        run_id=job.run,
    )


if __name__ == "__main__":
    main()
