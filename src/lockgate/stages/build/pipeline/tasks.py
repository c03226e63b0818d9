"""All that a run has to do, and what each of it waits for: checks, data, steps, the package."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from lockgate.stages.build.pipeline.graph import EVALUATION, MODEL, Graph
from lockgate.stages.build.pipeline.options import Options


class TaskKind(StrEnum):
    CHECK = "check"
    DATA = "data"
    STEP = "step"
    PACKAGE = "package"


@dataclass(frozen=True, slots=True)
class Task:
    """`inputs`: names of the steps and data whose outputs it takes. `needs`: keys of all tasks that must have ended well."""

    kind: TaskKind
    name: str
    inputs: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    options: Options = field(default_factory=Options)

    @property
    def key(self) -> str:
        return key_of(self.kind, self.name)


def key_of(kind: TaskKind, name: str) -> str:
    """A check may have the name of a step: keys differ."""
    return f"{kind}/{name}"


def tasks_of(graph: Graph, checks: Iterable[str], timed: Collection[str] = ()) -> dict[str, Task]:
    """By key, each after those that it needs. timed: data whose contract looks at the time, so that it must be held each time.

    Checks come first and wait for nothing. Steps run beside them; only the model waits until all checks passed and all data was
    found to be in order.
    """
    tasks = [Task(TaskKind.CHECK, name) for name in checks]
    tasks += [Task(TaskKind.DATA, name, options=Options(cache=name not in timed)) for name in sorted(graph.data)]
    before_training = tuple(task.key for task in tasks)
    for step in graph.steps.values():
        inputs = tuple(graph.inputs(step))
        needs = tuple(_producer(graph, name) for name in inputs)
        needs = tuple(dict.fromkeys(needs + before_training)) if step.name == MODEL else needs
        tasks.append(Task(TaskKind.STEP, step.name, inputs, needs, step.options))
    tasks.append(_package(graph))
    return {task.key: task for task in tasks}


def _package(graph: Graph) -> Task:
    """Takes the model, what the model step was given (the Split is among it), and the evaluation."""
    given = [name for name in graph.inputs(graph.steps[MODEL]) if name not in graph.data]
    inputs = (MODEL, *given, EVALUATION)
    return Task(TaskKind.PACKAGE, "package", inputs, tuple(_producer(graph, name) for name in inputs))


def _producer(graph: Graph, name: str) -> str:
    return key_of(TaskKind.DATA if name in graph.data else TaskKind.STEP, name)
