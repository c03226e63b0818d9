"""Say what a run would do now, and why, without running any of the project's code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lockgate.stages.build.pipeline.plan import Planned, plan
from lockgate.usecases.build_world import BuildWorld
from lockgate.usecases.prepare_build import Prepared, prepare_build
from lockgate.usecases.remember_outputs import RememberedOutputs
from lockgate.usecases.world import World


def plan_pipeline(
    world: World, build: BuildWorld, folder: Path, *, commit: str | None = None, params: Mapping[str, Any] | None = None
) -> tuple[Planned, ...]:
    """What would become of each check, data, step and the package, in the order of the pipeline.

    Raises:
        NotFound, InvalidInput: see `prepare_build`.
    """
    return plan_prepared(world, build, prepare_build(build, folder, commit, params))


def plan_prepared(world: World, build: BuildWorld, prepared: Prepared) -> tuple[Planned, ...]:
    with world.state.read() as tx:
        return plan(prepared.tasks, prepared.parts, RememberedOutputs(tx, build.values, prepared.project.model))
