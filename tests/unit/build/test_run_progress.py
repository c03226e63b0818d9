"""How a run goes on: the table of a step, and what may start when."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.domain.runs import StepStatus
from lockgate.kernel.machine import IllegalSignal
from lockgate.stages.build.pipeline.graph import read_graph
from lockgate.stages.build.pipeline.modules import open_modules
from lockgate.stages.build.pipeline.progress import (
    ENDED_WELL,
    STEP,
    Progress,
    StepSignal,
    beginning,
    failed,
    finished,
    ready,
    reused,
    started,
)
from lockgate.stages.build.pipeline.tasks import tasks_of

PIPELINE = """
@step(mutex="disk")
def left(flights): ...
@step(mutex="disk", retries=2)
def right(flights): ...
def split(left, right): ...
def model(split): ...
def evaluation(model, split): ...
"""


def fresh(*checks: str) -> Progress:
    modules, pipeline = open_modules("pipeline.py", {"pipeline.py": PIPELINE}.get)
    return beginning(tasks_of(read_graph(modules, pipeline, ["flights"], []), checks))


def names(progress: Progress) -> list[str]:
    return [task.key for task in ready(progress)]


def done(progress: Progress, *keys: str) -> Progress:
    for key in keys:
        progress = finished(started(progress, key), key, f"output of {key}")
    return progress


@pytest.mark.parametrize(("status", "signal"), list(product(StepStatus, StepSignal)))
def test_every_pair_of_the_table_leads_on_or_is_an_error(status: StepStatus, signal: StepSignal) -> None:
    known = {(before, sign): after for before, sign, after in STEP.transitions()}
    if (status, signal) in known:
        assert STEP.after(status, signal) is known[status, signal]
    else:
        with pytest.raises(IllegalSignal):
            STEP.after(status, signal)


def test_checks_and_data_start_first_and_a_check_may_have_the_name_of_a_step() -> None:
    assert names(fresh("lint", "model")) == ["check/lint", "check/model", "data/flights"]


def test_steps_that_share_a_mutex_take_turns() -> None:
    progress = done(fresh(), "data/flights")
    assert names(progress) == ["step/left"]

    assert names(started(progress, "step/left")) == []
    assert names(done(progress, "step/left")) == ["step/right"]


def test_the_model_waits_for_the_checks_and_other_steps_do_not() -> None:
    progress = done(fresh("lint"), "data/flights", "step/left", "step/right", "step/split")
    assert names(progress) == ["check/lint"]

    assert names(finished(started(progress, "check/lint"), "check/lint", None)) == ["step/model"]


def test_a_failure_lets_end_what_runs_and_starts_nothing_new() -> None:
    progress = started(started(fresh("lint"), "check/lint"), "data/flights")

    progress = failed(progress, "check/lint")

    assert progress.status["data/flights"] is StepStatus.RUNNING
    assert progress.status["step/left"] is StepStatus.SKIPPED
    assert not progress.over
    assert finished(progress, "data/flights", "digest").over
    assert names(finished(progress, "data/flights", "digest")) == []


def test_a_step_is_tried_again_while_its_retries_last() -> None:
    progress = done(fresh(), "data/flights", "step/left")
    for _ in range(2):
        progress = failed(started(progress, "step/right"), "step/right")
        assert progress.status["step/right"] is StepStatus.PENDING

    progress = failed(started(progress, "step/right"), "step/right")

    assert progress.status["step/right"] is StepStatus.FAILED
    assert progress.over


def test_the_package_takes_the_model_what_it_was_given_and_the_evaluation() -> None:
    assert fresh().tasks["package/package"].inputs == ("model", "split", "evaluation")


@given(st.lists(st.tuples(st.sampled_from(["reuse", "finish", "fail"]), st.integers(0, 9)), min_size=30, max_size=60))
def test_every_run_ends_and_nothing_starts_before_what_it_needs(choices: list[tuple[str, int]]) -> None:
    progress = fresh("lint")
    for act, which in choices:
        running = [key for key, status in progress.status.items() if status is StepStatus.RUNNING]
        if (waiting := ready(progress)) and (act == "reuse" or not running):
            task = waiting[which % len(waiting)]
            assert all(progress.status[one] in ENDED_WELL for one in task.needs)
            progress = reused(progress, task.key, "x") if act == "reuse" else started(progress, task.key)
        elif running:
            key = running[which % len(running)]
            progress = failed(progress, key) if act == "fail" else finished(progress, key, "x")
    assert progress.over
