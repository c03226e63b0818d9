"""Carry out the tasks of a run: what is known is reused, the rest is given to the executor, each outcome is kept at once.

Whatever ends the process, everything that had an outcome is in the state: the next run reuses it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lockgate.domain.runs import Run, StepOutput, StepRun, StepStatus
from lockgate.ports.executor import Executor, Outcome
from lockgate.ports.state import RUNS
from lockgate.stages.build.pipeline.fingerprint import fingerprint, input_parts
from lockgate.stages.build.pipeline.plan import Intent, decide
from lockgate.stages.build.pipeline.progress import Progress, beginning, failed, finished, ready, reused, started
from lockgate.stages.build.pipeline.tasks import Task, TaskKind
from lockgate.usecases.assign_work import work_of
from lockgate.usecases.build_world import BuildWorld
from lockgate.usecases.prepare_build import Prepared
from lockgate.usecases.remember_outputs import RememberedOutputs, remember_output, step_name
from lockgate.usecases.world import World

OnProgress = Callable[[StepRun], None]


class Execution:
    """The tasks of one run on their way. `run` is the run as it is now, its row in the state never far behind."""

    def __init__(
        self,
        world: World,
        build: BuildWorld,
        prepared: Prepared,
        run: Run,
        executor: Executor,
        logs: Path,
        on_progress: OnProgress,
    ) -> None:
        self.run = run
        self.refused = False  # nothing broke: a check or a contract said no
        self._world = world
        self._build = build
        self._prepared = prepared
        self._executor = executor
        self._logs = logs
        self._on_progress = on_progress
        self._progress = beginning(prepared.tasks)
        self._steps = {key: _pending(run.id, task) for key, task in prepared.tasks.items()}
        self._parts: dict[str, dict[str, str]] = {}

    def carry_out(self) -> Progress:
        """All tasks, until all have ended or one has failed and what ran beside it has ended."""
        while not self._progress.over:
            self._start_what_may()
            self._save()
            if StepStatus.RUNNING in self._progress.status.values():
                self._take(self._executor.next())
        self._save()
        return self._progress

    def _start_what_may(self) -> None:
        """A task that is reused may make others ready; so look again until nothing changes."""
        with self._world.state.read() as tx:
            memory = RememberedOutputs(tx, self._build.values, self.run.model)
            while tasks := ready(self._progress):
                for task in tasks:
                    self._parts[task.key] = self._all_parts(task)
                    planned = decide(task, self._parts[task.key], memory)
                    if planned.intent is Intent.REUSE and planned.output is not None:
                        self._reuse(task, planned.output)
                    else:
                        self._start(task)

    def _all_parts(self, task: Task) -> dict[str, str]:
        inputs = {name: self._progress.outputs[name] for name in task.inputs}
        return {**self._prepared.parts[task.key], **input_parts(inputs)}

    def _reuse(self, task: Task, output: str) -> None:
        self._progress = reused(self._progress, task.key, output)
        self._note(task, fingerprint=fingerprint(self._parts[task.key]), output=output, seconds=0.0)

    def _start(self, task: Task) -> None:
        self._progress = started(self._progress, task.key)
        print_ = fingerprint(self._parts[task.key]) if task.kind is not TaskKind.CHECK else None
        self._note(task, fingerprint=print_, started_at=self._world.clock.now(), error=None)
        log = self._logs / Path(self._steps[task.key].log or task.name).name
        self._executor.submit(work_of(task, self._prepared, self._build, self._progress.outputs, log, self._world.clock.unix()))

    def _take(self, outcome: Outcome) -> None:
        task = self._prepared.tasks[outcome.key]
        if outcome.error is None:
            self._progress = finished(self._progress, task.key, outcome.output)
            self._keep(task, outcome.output)
        else:
            self._progress = failed(self._progress, task.key)
        self._note(task, output=outcome.output, seconds=outcome.seconds, error=outcome.error)
        if self._progress.failed and outcome.error is not None:
            self._record_failure(task, outcome)

    def _keep(self, task: Task, output: str | None) -> None:
        """At once: whatever comes next, this need not be done again."""
        if output is not None:
            parts = self._parts[task.key]
            made = StepOutput(fingerprint(parts), step_name(self.run.model, task), output, self.run.id, parts)
            with self._world.state.write() as tx:
                remember_output(tx, made)

    def _record_failure(self, task: Task, outcome: Outcome) -> None:
        """The first failure is the run's; what breaks weighs more than what says no."""
        first = self.run.error is None
        self.refused = outcome.refused and (first or self.refused)
        if first:
            self.run = replace(self.run, error=f"{task.kind} {task.name} {outcome.error} (log: {self._steps[task.key].log})")
        for key, status in self._progress.status.items():
            if status is StepStatus.SKIPPED and self._steps[key].status is not StepStatus.SKIPPED:
                self._note(self._prepared.tasks[key])

    def _note(self, task: Task, **changes: object) -> None:
        step = replace(self._steps[task.key], status=self._progress.status[task.key], **changes)  # type: ignore[arg-type]
        self._steps[task.key] = step
        self._on_progress(step)

    def _save(self) -> None:
        """The run's row, if it has changed."""
        run = replace(self.run, steps=tuple(self._steps.values()))
        if run != self.run:
            with self._world.state.write() as tx:
                tx.put(RUNS, run)
            self.run = run


def _pending(run: str, task: Task) -> StepRun:
    return StepRun(name=task.name, kind=task.kind.value, log=f"runs/{run}/{task.kind}-{task.name}.log")
