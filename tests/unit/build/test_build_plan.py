"""Run or reuse, and why; on what is remembered."""

from __future__ import annotations

from dataclasses import dataclass, field

from lockgate.domain.runs import StepOutput
from lockgate.stages.build.pipeline.fingerprint import Difference, differences, fingerprint, library_parts, param_parts
from lockgate.stages.build.pipeline.options import Options
from lockgate.stages.build.pipeline.plan import Intent, decide, plan
from lockgate.stages.build.pipeline.tasks import Task, TaskKind

STEP = Task(TaskKind.STEP, "model", ("split",), ("step/split",))
PARTS = {
    "code pipeline.model": "sha256:a",
    "input split": "sha256:b",
    "param rate": "0.1",
    "library sklearn": "1.9",
    "python": "3.11",
}


@dataclass
class Remembered:
    """A Memory of the outputs it was given."""

    outputs: list[StepOutput] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)

    def output(self, print_: str) -> StepOutput | None:
        return next((one for one in self.outputs if one.fingerprint == print_), None)

    def latest(self, task: Task) -> StepOutput | None:
        return next((one for one in reversed(self.outputs) if one.step == task.key), None)

    def holds(self, digest: str) -> bool:
        return digest not in self.gone


def output(parts: dict[str, str], task: Task = STEP, digest: str = "sha256:out") -> StepOutput:
    return StepOutput(fingerprint(parts), task.key, digest, "run-1", parts)


def test_the_same_parts_are_reused() -> None:
    planned = decide(STEP, PARTS, Remembered([output(PARTS)]))

    assert (planned.intent, planned.output) == (Intent.REUSE, "sha256:out")


def test_what_never_ran_runs() -> None:
    assert decide(STEP, PARTS, Remembered()).reason == "it never ran before"


def test_what_changed_is_named_with_old_and_new_where_a_person_can_read_them() -> None:
    changed = {**PARTS, "code pipeline.model": "sha256:x", "param rate": "0.2", "library sklearn": "2.0"}

    planned = decide(STEP, changed, Remembered([output(PARTS)]))

    assert planned.intent is Intent.RUN
    assert planned.reason == "code pipeline.model changed, param rate: 0.1 → 0.2, library sklearn: 1.9 → 2.0"


def test_what_is_gone_is_made_again() -> None:
    planned = decide(STEP, PARTS, Remembered([output(PARTS)], {"sha256:out"}))

    assert planned.reason == "its earlier output is gone or was altered"


def test_what_may_not_be_cached_runs() -> None:
    task = Task(TaskKind.STEP, "model", options=Options(cache=False))

    assert decide(task, PARTS, Remembered([output(PARTS)])).intent is Intent.RUN


def test_downstream_of_what_runs_it_depends_unless_its_own_parts_changed() -> None:
    tasks = {
        task.key: task
        for task in (
            Task(TaskKind.DATA, "rows"),
            Task(TaskKind.STEP, "split", ("rows",), ("data/rows",)),
            Task(TaskKind.STEP, "model", ("split",), ("step/split",)),
            Task(TaskKind.STEP, "other", ("split",), ("step/split",)),
        )
    }
    before = {
        "data/rows": {"input files": "sha256:d"},
        "step/split": {"code split": "1"},
        "step/model": {"code m": "1"},
        "step/other": {"code o": "1"},
    }
    memory = Remembered(
        [
            output(before["data/rows"], tasks["data/rows"]),
            output({**before["step/split"], "input rows": "sha256:d"}, tasks["step/split"], "sha256:s"),
            output({**before["step/model"], "input split": "sha256:s"}, tasks["step/model"]),
            output({**before["step/other"], "input split": "sha256:s"}, tasks["step/other"]),
        ]
    )
    assert [one.intent for one in plan(tasks, before, memory)] == [Intent.REUSE] * 4

    after = {**before, "step/split": {"code split": "2"}, "step/other": {"code o": "2"}}

    assert [(one.task.name, one.intent, one.reason) for one in plan(tasks, after, memory)][1:] == [
        ("split", Intent.RUN, "code split: 1 → 2"),
        ("model", Intent.DEPENDS, "reused if split comes out as before"),
        ("other", Intent.RUN, "code o: 1 → 2"),
    ]


def test_differences_start_with_the_code() -> None:
    found = differences({"python": "3.11", "input a": "1", "code x": "1"}, {"python": "3.12", "input a": "2", "param p": "1"})

    assert found == (
        Difference("code x", "1", None),
        Difference("input a", "1", "2"),
        Difference("param p", None, "1"),
        Difference("python", "3.11", "3.12"),
    )
    assert [str(one) for one in found] == ["code x is gone", "input a: 1 → 2", "param p is new", "python: 3.11 → 3.12"]


def test_only_what_is_imported_counts_among_the_libraries_beside_what_models_are_made_of() -> None:
    versions = {"python": "3.11", "numpy": "2", "yaml": "6", "rich": "15"}

    assert library_parts({"yaml", "unknown"}, versions) == {"python": "3.11", "library numpy": "2", "library yaml": "6"}


def test_long_parameters_are_digests() -> None:
    parts = param_parts(["a", "b"], {"a": [1, 2], "b": "x" * 200, "c": 3})

    assert parts["param a"] == "[1,2]"
    assert parts["param b"].startswith("sha256:")
    assert "param c" not in parts
