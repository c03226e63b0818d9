"""What stands behind building here: local workers, git, and the islands that package and check."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lockgate.domain.people import Actor
from lockgate.domain.runs import Run
from lockgate.integrations.git.source import GitSource
from lockgate.integrations.local.datasets import LocalDatasets
from lockgate.integrations.local.executor import LocalExecutors
from lockgate.integrations.local.libraries import LocalLibraries
from lockgate.integrations.local.run_folders import LocalRunFolders
from lockgate.integrations.local.values import LocalValues
from lockgate.integrations.onnxruntime.runtime import OnnxRuntime
from lockgate.usecases.build_world import BuildWorld
from lockgate.usecases.execute_tasks import OnProgress
from lockgate.usecases.run_pipeline import run_pipeline
from lockgate.usecases.world import World
from lockgate.wiring.home import Home

PACKAGER = "lockgate.integrations.sklearn.package:package"
CHECKER = "lockgate.integrations.pandera.check:check"


def build_world(home: Home, world: World) -> BuildWorld:
    return BuildWorld(
        executors=LocalExecutors(home.cache),
        values=LocalValues(home.cache),
        source=GitSource(home.checkouts),
        datasets=LocalDatasets(home.folder / "datasets.json", world.clock),
        folders=LocalRunFolders(home.runs),
        libraries=LocalLibraries(),
        packager=PACKAGER,
        checker=CHECKER,
        runtimes=(OnnxRuntime(),),
    )


def run_project(  # noqa: PLR0913 - all but the first three by name
    home: Home,
    world: World,
    folder: Path,
    *,
    actor: Actor,
    commit: str | None = None,
    params: Mapping[str, Any] | None = None,
    cause: str = "person",
    run_id: str | None = None,
    on_progress: OnProgress | None = None,
) -> Run:
    """The run as it ended; see usecases.run_pipeline."""
    build = build_world(home, world)
    return run_pipeline(
        world,
        build,
        folder,
        actor=actor,
        commit=commit,
        params=params,
        cause=cause,
        run_id=run_id,
        on_progress=on_progress,
    )
