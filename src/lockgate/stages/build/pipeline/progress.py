"""How far a run is: the status of each task as a table of transitions, and which tasks may start now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from lockgate.domain.runs import StepStatus
from lockgate.kernel.machine import Machine
from lockgate.stages.build.pipeline.tasks import Task


class StepSignal(Enum):
    START = "start"
    REUSE = "reuse"
    FINISH = "finish"
    RETRY = "retry"  # it failed, and may try again
    FAIL = "fail"
    SKIP = "skip"  # something failed: nothing new starts


STEP = Machine[StepStatus, StepSignal](
    "a pipeline step",
    {
        StepStatus.PENDING: {
            StepSignal.START: StepStatus.RUNNING,
            StepSignal.REUSE: StepStatus.REUSED,
            StepSignal.SKIP: StepStatus.SKIPPED,
        },
        StepStatus.RUNNING: {
            StepSignal.FINISH: StepStatus.DONE,
            StepSignal.RETRY: StepStatus.PENDING,
            StepSignal.FAIL: StepStatus.FAILED,
        },
    },
)

ENDED_WELL = frozenset({StepStatus.DONE, StepStatus.REUSED})


@dataclass(frozen=True, slots=True)
class Progress:
    """`outputs`: digests by the name of the step or data, of those that ended well. `tries`: how often each was started."""

    tasks: Mapping[str, Task]
    status: Mapping[str, StepStatus]
    tries: Mapping[str, int] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        return StepStatus.FAILED in self.status.values()

    @property
    def over(self) -> bool:
        return all(STEP.final(status) for status in self.status.values())


def beginning(tasks: Mapping[str, Task]) -> Progress:
    return Progress(tasks, dict.fromkeys(tasks, StepStatus.PENDING))


def ready(progress: Progress) -> list[Task]:
    """The tasks that may start now, in the order of the pipeline; of those that share a mutex, one at a time."""
    if progress.failed:
        return []
    running = [progress.tasks[key] for key, status in progress.status.items() if status is StepStatus.RUNNING]
    held = {task.options.mutex for task in running}
    found = []
    for key, task in progress.tasks.items():
        free = task.options.mutex is None or task.options.mutex not in held
        if progress.status[key] is StepStatus.PENDING and free and all(progress.status[one] in ENDED_WELL for one in task.needs):
            held.add(task.options.mutex)
            found.append(task)
    return found


def started(progress: Progress, key: str) -> Progress:
    tries = {**progress.tries, key: progress.tries.get(key, 0) + 1}
    return replace(_moved(progress, key, StepSignal.START), tries=tries)


def reused(progress: Progress, key: str, output: str) -> Progress:
    return _with_output(_moved(progress, key, StepSignal.REUSE), key, output)


def finished(progress: Progress, key: str, output: str | None) -> Progress:
    after = _moved(progress, key, StepSignal.FINISH)
    return _with_output(after, key, output) if output is not None else after


def failed(progress: Progress, key: str) -> Progress:
    """Try again while the step's `retries` last; else what runs is let finish, and nothing new starts."""
    if progress.tries[key] <= progress.tasks[key].options.retries and not progress.failed:
        return _moved(progress, key, StepSignal.RETRY)
    after = _moved(progress, key, StepSignal.FAIL)
    for one, status in after.status.items():
        if status is StepStatus.PENDING:
            after = _moved(after, one, StepSignal.SKIP)
    return after


def _moved(progress: Progress, key: str, signal: StepSignal) -> Progress:
    return replace(progress, status={**progress.status, key: STEP.after(progress.status[key], signal)})


def _with_output(progress: Progress, key: str, output: str) -> Progress:
    return replace(progress, outputs={**progress.outputs, progress.tasks[key].name: output})
