"""Which tasks would run, and why; which are reused. The same decision is taken again, task by task, when the pipeline runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from lockgate.domain.runs import StepOutput
from lockgate.stages.build.pipeline.fingerprint import Difference, differences, fingerprint, input_parts
from lockgate.stages.build.pipeline.tasks import Task, TaskKind

_MOST_REASONS = 3


class Intent(StrEnum):
    REUSE = "reuse"
    RUN = "run"
    DEPENDS = "depends"  # something upstream runs first; if it gives the same as before, this is reused


@dataclass(frozen=True, slots=True)
class Planned:
    """What would happen to a task. `parts` are what its fingerprint is made of, as far as they are known now."""

    task: Task
    intent: Intent
    reason: str
    parts: Mapping[str, str]
    output: str | None = None  # what is reused
    changed: tuple[Difference, ...] = ()


class Memory(Protocol):
    """What is remembered of earlier runs."""

    def output(self, print_: str) -> StepOutput | None:
        """What a task with this fingerprint gave."""
        ...

    def latest(self, task: Task) -> StepOutput | None:
        """What the task gave when it last ran, with whatever fingerprint."""
        ...

    def holds(self, digest: str) -> bool:
        """Whether that output is still there, unaltered."""
        ...


def decide(task: Task, parts: Mapping[str, str], memory: Memory) -> Planned:
    """Run or reuse one task, all of whose inputs are known.

    parts: all that its output depends on.
    """
    if task.kind is TaskKind.CHECK:
        return Planned(task, Intent.RUN, "checks always run", parts)
    if not task.options.cache:
        why = "its contract asks how fresh it is" if task.kind is TaskKind.DATA else "@step(cache=False)"
        return Planned(task, Intent.RUN, why, parts)
    earlier = memory.output(fingerprint(parts))
    if earlier is not None and (task.kind is TaskKind.DATA or memory.holds(earlier.output)):
        return Planned(task, Intent.REUSE, "nothing that it depends on has changed", parts, earlier.output)
    if earlier is not None:
        return Planned(task, Intent.RUN, "its earlier output is gone or was altered", parts)
    return _because(task, parts, memory.latest(task))


def plan(tasks: Mapping[str, Task], parts: Mapping[str, Mapping[str, str]], memory: Memory) -> tuple[Planned, ...]:
    """What a run would do now.

    parts: for each task by key, all that its output depends on but its inputs. Data have their digest in it.
    """
    planned: list[Planned] = []
    outputs: dict[str, str] = {}
    for key, task in tasks.items():
        open_inputs = [name for name in task.inputs if name not in outputs]
        if open_inputs:
            one = _depending(task, parts[key], open_inputs, memory)
        else:
            one = decide(task, {**parts[key], **input_parts({name: outputs[name] for name in task.inputs})}, memory)
        if task.kind is TaskKind.DATA:
            outputs[task.name] = parts[key]["input files"]
        elif one.output is not None:
            outputs[task.name] = one.output
        planned.append(one)
    return tuple(planned)


def _depending(task: Task, own: Mapping[str, str], open_inputs: list[str], memory: Memory) -> Planned:
    latest = memory.latest(task)
    if not task.options.cache:
        return Planned(task, Intent.RUN, "@step(cache=False)", own)
    before = {part: value for part, value in latest.why.items() if not part.startswith("input ")} if latest else {}
    changed = differences(before, {part: value for part, value in own.items() if not part.startswith("input ")})
    if latest is None or changed:
        return _because(task, own, latest, changed)
    names, come = ", ".join(open_inputs), "comes" if len(open_inputs) == 1 else "come"
    return Planned(task, Intent.DEPENDS, f"reused if {names} {come} out as before", own)


def _because(
    task: Task, parts: Mapping[str, str], latest: StepOutput | None, changed: tuple[Difference, ...] | None = None
) -> Planned:
    if latest is None:
        return Planned(task, Intent.RUN, "it never ran before", parts)
    changed = differences(latest.why, parts) if changed is None else changed
    reasons = [str(one) for one in changed[:_MOST_REASONS]]
    more = f", and {len(changed) - _MOST_REASONS} more" if len(changed) > _MOST_REASONS else ""
    return Planned(task, Intent.RUN, ", ".join(reasons) + more, parts, changed=changed)
