"""The queue of pipeline runs that were asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lockgate.domain.findings import Job, JobState
from lockgate.domain.runs import Run, RunStatus
from lockgate.kernel.errors import LockgateError, Unavailable
from lockgate.kernel.ids import new_id
from lockgate.ports.state import JOBS
from lockgate.usecases.world import World

MOST_ATTEMPTS = 10  # a job whose runner dies again and again is given up


def take_job(world: World) -> Job | None:
    """The oldest job that waits, now running; None if there is none. Only the holder of the runner's lease may call this.

    A job that is still marked as running belonged to a runner that died: it is taken up again, a bounded number of times.
    """
    with world.state.read() as tx:
        if not tx.find(JOBS, state=JobState.RUNNING.value, limit=1) and not tx.find(JOBS, state=JobState.QUEUED.value, limit=1):
            return None
    with world.state.write() as tx:
        for job in (*tx.find(JOBS, state=JobState.RUNNING.value), *tx.find(JOBS, state=JobState.QUEUED.value)):
            if job.attempts < MOST_ATTEMPTS:
                run = job.run or new_id("run")  # fixed now, so that a second attempt goes on with the same run
                taken = replace(job, state=JobState.RUNNING, attempts=job.attempts + 1, run=run)
                tx.put(JOBS, taken)
                return taken
            tx.put(JOBS, replace(job, state=JobState.FAILED, error=f"its runner died {job.attempts} times"))
    return None


def carry_out(world: World, job: Job, run_pipeline: Callable[[Job], Run]) -> Job:
    """The job after its run."""
    try:
        run = run_pipeline(job)
    except Unavailable:
        raise  # that passes: the job is still marked as running and is taken up again, a bounded number of times
    except LockgateError as error:
        done = replace(job, state=JobState.FAILED, error=error.message)
    else:
        good = run.status is RunStatus.REGISTERED
        done = replace(job, state=JobState.DONE if good else JobState.FAILED, run=run.id, error=run.error)
    with world.state.write() as tx:
        tx.put(JOBS, done)
    return done
