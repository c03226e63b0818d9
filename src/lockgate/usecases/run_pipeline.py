"""Run a project's pipeline: from what a folder or a commit holds to, at best, a registered version.

Load and plan; checks, data contracts and steps as the graph allows; package; gates; register. A run ends as registered, refused
(a check, a contract or a gate said no) or failed (something broke), and says why; in the last two nothing is registered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from lockgate.domain.events import Action, Happened
from lockgate.domain.people import Actor
from lockgate.domain.runs import Run, RunStatus, StepRun
from lockgate.kernel.errors import LockgateError
from lockgate.kernel.ids import new_id
from lockgate.ports.state import RUNS
from lockgate.stages.build.pipeline.plan import Intent
from lockgate.stages.build.pipeline.tasks import TaskKind
from lockgate.usecases.build_world import BuildWorld
from lockgate.usecases.check_named_inputs import check_named_inputs
from lockgate.usecases.execute_tasks import Execution, OnProgress
from lockgate.usecases.judge_candidate import judge_candidate
from lockgate.usecases.mark_interrupted import mark_interrupted
from lockgate.usecases.plan_pipeline import plan_prepared
from lockgate.usecases.prepare_build import Prepared, prepare_build, with_folder
from lockgate.usecases.register_version import register_version
from lockgate.usecases.take_candidate import Candidate, candidate_of
from lockgate.usecases.verify_package import verify_package
from lockgate.usecases.world import World

PACKAGE = "package"


def run_pipeline(  # noqa: PLR0913 - all but the first three by name
    world: World,
    build: BuildWorld,
    project_folder: Path,
    *,
    actor: Actor,
    commit: str | None = None,
    params: Mapping[str, Any] | None = None,
    cause: str = "person",
    run_id: str | None = None,
    on_progress: OnProgress | None = None,
) -> Run:
    """The run as it ended; its `error` says in a line what stopped it, if something did.

    commit: a git ref; without it the folder is built as it stands. params: in place of those of the project file.
    cause: "person", or what triggered it. run_id: of the run that is to be made, or resumed if its process went away; one that
    has ended is left as it ended. on_progress: called with each step, check, data and gate whenever its status changes.

    Raises:
        NotFound, InvalidInput: the project cannot be read (see `prepare_build`); there is no run then.
    """
    earlier = _earlier(world, run_id)
    if earlier is not None and earlier.status not in (RunStatus.RUNNING, RunStatus.INTERRUPTED):
        return earlier
    prepared = prepare_build(build, project_folder, commit, params)
    mark_interrupted(world, build.folders, prepared.project.model)
    run = _new(world, prepared, actor, cause, run_id or new_id("run"))
    with build.folders.occupy(run.id) as folder:
        _begin(world, run, actor, resumed=earlier is not None)
        try:
            return _carry_out(world, build, prepared, run, folder, on_progress or _silent, actor)
        except LockgateError as error:
            return _end(world, _latest(world, run), RunStatus.FAILED, error.message, actor)
        except KeyboardInterrupt:
            why = "stopped by its starter; run again, and what was finished is reused"
            _end(world, _latest(world, run), RunStatus.INTERRUPTED, why, actor)
            raise


def _silent(step: StepRun) -> None:
    """Nobody wants to know."""


def _earlier(world: World, run_id: str | None) -> Run | None:
    with world.state.read() as tx:
        return tx.get(RUNS, run_id) if run_id else None


def _new(world: World, prepared: Prepared, actor: Actor, cause: str, run_id: str) -> Run:
    return Run(
        id=run_id,
        model=prepared.project.model,
        status=RunStatus.RUNNING,
        created_at=world.clock.now(),
        actor=actor.name,
        author=prepared.revision.author or actor.name,
        cause=cause,
        commit=prepared.revision.commit,
        dirty=prepared.revision.dirty,
        params=dict(prepared.params),
        data={name: version.digest for name, version in prepared.data.items()},
        author_email=prepared.revision.email,
    )


def _begin(world: World, run: Run, actor: Actor, *, resumed: bool) -> None:
    details = {"commit": run.commit, "dirty": run.dirty, "cause": run.cause}
    with world.state.write() as tx:
        tx.put(RUNS, run)
        if not resumed:
            tx.record(_happened(Action.RUN_STARTED, run, actor, details, run.created_at))


def _carry_out(
    world: World, build: BuildWorld, prepared: Prepared, run: Run, folder: Path, on_progress: OnProgress, actor: Actor
) -> Run:
    project = prepared.project
    with build.executors.open(project.folder, prepared.roots, prepared.folder, folder / "workers.log") as executor:
        planned = plan_prepared(world, build, prepared)
        if any(one.intent is not Intent.REUSE for one in planned if one.task.kind is not TaskKind.CHECK):
            executor.warm(prepared.libraries)
        execution = Execution(world, build, prepared, run, executor, folder, on_progress)
        progress = execution.carry_out()
    run = execution.run
    if progress.failed:
        status = RunStatus.REFUSED if execution.refused else RunStatus.FAILED
        return _end(world, run, status, run.error or "a step failed", actor)
    candidate = candidate_of(world, run, build.values.get(progress.outputs[PACKAGE]))
    return _decide(world, build, prepared, run, candidate, on_progress, actor)


def _decide(
    world: World, build: BuildWorld, prepared: Prepared, run: Run, candidate: Candidate, on_progress: OnProgress, actor: Actor
) -> Run:
    if build.runtimes:  # as it lies in the store now, not as it was in memory
        verify_package(world.artifacts, candidate.digest, build.runtimes)
    check_named_inputs(world, prepared.project, candidate.packaged.signature)
    judged = judge_candidate(world, build, prepared.project, run, candidate, on_progress)
    if judged.error is not None:
        return _end(world, judged, RunStatus.REFUSED, judged.error, actor)
    register_version(
        world,
        judged,
        actor,
        digest=candidate.digest,
        evaluation=candidate.evaluation_digest,
        reference=candidate.reference,
        project=with_folder(prepared).record(),
    )
    return _latest(world, judged)


def _end(world: World, run: Run, status: RunStatus, error: str, actor: Actor) -> Run:
    """The run's last row, and what happened to it, in one transaction."""
    now = world.clock.now()
    with world.state.write() as tx:
        ended = replace(run, status=status, error=error, finished_at=now)
        tx.put(RUNS, ended)
        if status is not RunStatus.INTERRUPTED:
            action = Action.RUN_REFUSED if status is RunStatus.REFUSED else Action.RUN_FAILED
            tx.record(_happened(action, ended, actor, {"error": error}, now))
    return ended


def _latest(world: World, run: Run) -> Run:
    """As the state has it."""
    with world.state.read() as tx:
        return tx.get(RUNS, run.id) or run


def _happened(action: Action, run: Run, actor: Actor, details: dict[str, Any], at: datetime) -> Happened:
    return Happened(action, actor.name, actor.authenticated, at, run.id, run.model, details=details)
