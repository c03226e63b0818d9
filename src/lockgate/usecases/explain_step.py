"""Say why one step would run, or why not: which of all that it depends on has changed since it last ran."""

from __future__ import annotations

import difflib
from pathlib import Path

from lockgate.kernel.errors import NotFound
from lockgate.stages.build.pipeline.plan import Planned
from lockgate.stages.build.pipeline.tasks import TaskKind
from lockgate.usecases.build_world import BuildWorld
from lockgate.usecases.plan_pipeline import plan_pipeline
from lockgate.usecases.world import World


def explain_step(world: World, build: BuildWorld, folder: Path, step: str) -> Planned:
    """The plan of one step, of data or of the package: `reason` says it in a line, `changed` part by part, `parts` all of them.

    Raises:
        NotFound: the pipeline has no such step, with the nearest name. InvalidInput: see `prepare_build`.
    """
    planned = {one.task.name: one for one in plan_pipeline(world, build, folder) if one.task.kind is not TaskKind.CHECK}
    if step not in planned:
        close = difflib.get_close_matches(step, planned, 1)
        hint = f"Did you mean {close[0]!r}?" if close else None
        raise NotFound(f"the pipeline has no step {step!r}; it has {', '.join(planned)}", hint=hint)
    return planned[step]
