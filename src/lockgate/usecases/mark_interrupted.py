"""Runs whose process went away without a word are marked as interrupted, so that nobody waits for them."""

from __future__ import annotations

from dataclasses import replace

from lockgate.domain.runs import Run, RunStatus
from lockgate.ports.run_folders import RunFolders
from lockgate.ports.state import RUNS
from lockgate.usecases.world import World


def mark_interrupted(world: World, folders: RunFolders, model: str | None = None) -> list[Run]:
    """Those that were marked; of one model, or of all."""
    with world.state.read() as tx:
        running = tx.find(RUNS, status=RunStatus.RUNNING.value)
        abandoned = {run.id for run in running if model in (None, run.model) and folders.abandoned(run.id)}
    if not abandoned:
        return []
    now = world.clock.now()
    marked = []
    with world.state.write() as tx:
        for run in tx.find(RUNS, status=RunStatus.RUNNING.value):
            if run.id in abandoned:
                error = "its process went away; run again, and what was finished is reused"
                marked.append(replace(run, status=RunStatus.INTERRUPTED, finished_at=now, error=error))
                tx.put(RUNS, marked[-1])
    return marked
