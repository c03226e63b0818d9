"""Runs of a tiny project with real workers: what is registered, what is reused, and what is said when something goes wrong."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lockgate.boundary import manifest
from lockgate.domain.events import Action
from lockgate.domain.runs import Run, RunStatus, StepRun, StepStatus
from lockgate.kernel.errors import InvalidInput
from lockgate.ports.state import RUNS, VERSIONS
from lockgate.stages.build.pipeline.plan import Intent
from lockgate.testing.clock import VirtualClock
from tests.integration.build.tiny_project import Place, statuses, step_of

pytestmark = pytest.mark.integration

ALL = ["examples", "split", "model", "evaluation"]


def actions(place: Place) -> list[Action]:
    with place.world.state.read() as tx:
        return [event.happened.action for event in tx.events()]


def version_count(place: Place) -> int:
    with place.world.state.read() as tx:
        count: int = tx.count(VERSIONS)
    return count


def check_kept(place: Place, run: Run) -> None:
    """What the run's caller was told is what the state says."""
    with place.world.state.read() as tx:
        assert tx.get(RUNS, run.id) == run


def test_a_good_run_ends_with_a_registered_version_whose_package_names_its_origin(place: Place) -> None:
    seen: list[StepRun] = []

    run = place.run(on_progress=seen.append)

    assert (run.status, run.error, run.version) == (RunStatus.REGISTERED, None, 1)
    assert place.ran() == ALL
    assert actions(place)[0] is Action.RUN_STARTED
    assert Action.VERSION_REGISTERED in actions(place)
    check_kept(place, run)
    with place.world.state.read() as tx:
        version = tx.get(VERSIONS, "tiny", 1)
    assert version is not None
    made = manifest.decode(place.world.artifacts.get(version.digest), version.digest)
    assert (made.lineage.run, made.lineage.params, made.lineage.data) == (run.id, {"scale": 2}, run.data)
    assert json.loads(place.world.artifacts.get(made.file("model.json").digest)) == {"mean": 8.0}
    assert [(one.name, one.status) for one in seen[:4]] == [
        ("rows", StepStatus.RUNNING),
        ("rows", StepStatus.DONE),
        ("examples", StepStatus.RUNNING),
        ("examples", StepStatus.DONE),
    ]


def test_an_unchanged_project_is_reused_whole(place: Place) -> None:
    place.run()
    place.ran()

    assert {planned.intent for planned in place.plan().values()} == {Intent.REUSE}
    run = place.run()

    assert place.ran() == []
    assert set(statuses(run).values()) == {StepStatus.REUSED}
    assert run.version == 2


def test_what_a_reader_changes_in_comments_and_docstrings_reruns_nothing(place: Place) -> None:
    place.run()
    place.ran()
    place.edit("lib/arithmetic.py", "Twice the value.", "The value, two times.")
    place.edit("lib/arithmetic.py", "# multiplication, not addition", "# as one learns at school\n")
    place.edit("lib/arithmetic.py", "return value", "return value + 1")  # `unused` is

    place.run()

    assert place.ran() == []


def test_a_changed_helper_reruns_its_step_and_what_comes_out_differently(place: Place) -> None:
    place.run()
    place.ran()
    place.edit("lib/arithmetic.py", "FACTOR = 2", "FACTOR = 3")

    assert place.why("examples").reason == "code lib.arithmetic.FACTOR changed"
    place.run()

    assert place.ran() == ALL


def test_a_change_that_leaves_the_output_as_it_was_stops_there(place: Place) -> None:
    place.run()
    place.ran()
    place.edit("lib/arithmetic.py", "FACTOR * value", "value * FACTOR")

    assert place.plan()["step/split"].intent is Intent.DEPENDS
    place.run()

    assert place.ran() == ["examples"]


def test_a_changed_parameter_reruns_the_steps_that_ask_for_it(place: Place) -> None:
    place.run()
    place.ran()

    run = place.run(params={"scale": 5})

    assert place.ran() == ["model", "evaluation"]
    assert run.params == {"scale": 5}
    assert place.run().params == {"scale": 2}
    assert place.ran() == []


def test_other_bytes_under_the_same_name_rerun(place: Place) -> None:
    place.run()
    place.ran()
    place.write("data/rows-2.csv", "value\n4\n5\n9\n")  # as many bytes as before

    assert place.why("examples").reason == "input rows changed"
    place.run()

    assert place.ran()[0] == "examples"


@pytest.mark.parametrize("damage", ["delete", "alter"])
def test_an_output_that_is_gone_or_altered_is_made_again(place: Place, damage: str) -> None:
    run = place.run()
    place.ran()
    output = step_of(run, "examples").output
    assert output is not None
    path = place.home.cache / output[7:9] / output[9:]
    path.chmod(0o644)
    path.unlink() if damage == "delete" else path.write_bytes(path.read_bytes() + b"!")

    assert place.plan()["step/examples"].reason == "its earlier output is gone or was altered"
    place.run()

    assert place.ran() == ["examples"]


def test_a_step_that_may_not_be_cached_runs_always(place: Place) -> None:
    place.edit("pipeline.py", "def examples", "@step(cache=False)\ndef examples")
    place.run()
    place.ran()

    place.run()

    assert place.ran() == ["examples"]


def test_a_step_that_raises_fails_the_run_with_its_own_frames_only(place: Place) -> None:
    place.edit("lib/arithmetic.py", "return FACTOR * value", "raise KeyError('no such factor')")

    run = place.run()

    step = step_of(run, "examples")
    assert run.status is RunStatus.FAILED
    assert step.error == "raised KeyError: 'no such factor' (lib/arithmetic.py:7)"
    assert run.error == f"step examples {step.error} (log: {step.log})"
    assert statuses(run)["model"] is StepStatus.SKIPPED
    log = place.log(step)
    assert "pipeline.py" in log
    assert "lib/arithmetic.py" in log
    assert "lockgate/integrations" not in log
    assert version_count(place) == 0
    assert actions(place) == [Action.RUN_STARTED, Action.RUN_FAILED]
    check_kept(place, run)


def test_what_a_step_prints_is_in_its_log(place: Place) -> None:
    place.edit(
        "pipeline.py",
        'ran("split")',
        'ran("split"); print("so many:", len(examples)); __import__("os").system("echo from a child")',
    )

    run = place.run()

    assert run.status is RunStatus.REGISTERED
    assert place.log(step_of(run, "split")) == "so many: 6\nfrom a child\n"


@pytest.mark.parametrize(
    ("act", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "was killed by SIGKILL"),
        ("import os; os._exit(3)", "ended its process with exit code 3"),
        ("raise SystemExit(4)", "raised SystemExit: 4"),
        ("import time; time.sleep(60)", "took longer than 1.5s and was killed"),
        ("return lambda: 1", "returned a value of type function that cannot be kept"),
        ("import os; os.closerange(0, 100)", "ended its process"),
        ("return nothing_of_this_name", "raised NameError: name 'nothing_of_this_name' is not defined"),
        ("import no_such_library", "raised ModuleNotFoundError: No module named 'no_such_library'"),
    ],
)
def test_whatever_a_step_does_the_run_ends_and_says_what(place: Place, act: str, said: str) -> None:
    place.edit("pipeline.py", 'ran("split")', act)
    place.edit("pipeline.py", "def split", '@step(timeout="1.5s")\ndef split')

    run = place.run()

    assert run.status is RunStatus.FAILED
    assert said in (step_of(run, "split").error or "")
    assert (statuses(run)["examples"], statuses(run)["model"]) == (StepStatus.DONE, StepStatus.SKIPPED)
    assert version_count(place) == 0
    place.edit("pipeline.py", act, 'ran("split")')
    assert place.run().status is RunStatus.REGISTERED
    assert place.ran().count("examples") == 1


def test_a_step_is_tried_again_as_often_as_it_says(place: Place) -> None:
    place.edit("pipeline.py", "def split", "@step(retries=2)\ndef split")
    place.edit("pipeline.py", 'ran("split")', 'ran("split"); raise OSError("not now")')

    run = place.run()

    assert run.status is RunStatus.FAILED
    assert place.ran() == ["examples", "split", "split", "split"]


def test_a_broken_pipeline_file_is_the_error_of_its_line(place: Place) -> None:
    place.edit("pipeline.py", "from counting import ran", "from counting import runs as ran")

    run = place.run()

    assert "raised ImportError: cannot import name 'runs' from 'counting'" in (run.error or "")
    assert "(pipeline.py:5)" in (run.error or "")


def test_steps_cannot_change_what_others_see(place: Place) -> None:
    place.edit("pipeline.py", 'ran("model")', 'ran("model"); split.y_test.clear()')

    assert place.run().status is RunStatus.REGISTERED


def test_checks_come_before_training_and_a_failing_one_refuses(place: Place) -> None:
    place.edit(
        "lockgate.yaml", "params:", f"checks: {{fine: {sys.executable} -c 'pass', tests: python -c 'print(7); exit(2)'}}\nparams:"
    )

    run = place.run()

    assert run.status is RunStatus.REFUSED
    assert step_of(run, "tests", "check").error == "said no: exit code 2"
    assert place.log(step_of(run, "tests", "check")) == "7\n"
    assert step_of(run, "fine", "check").status is StepStatus.DONE
    assert statuses(run)["model"] is StepStatus.SKIPPED
    assert "model" not in place.ran()
    assert actions(place) == [Action.RUN_STARTED, Action.RUN_REFUSED]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("no-such-program --quick", "could not be started: 'no-such-program' is no program that is found here"),
        ("python -c 'import os, signal; os.kill(os.getpid(), signal.SIGTERM)'", "was killed by SIGTERM"),
    ],
)
def test_a_check_that_cannot_say_anything_fails_the_run(place: Place, command: str, said: str) -> None:
    place.edit("lockgate.yaml", "params:", f"checks:\n  tests: {command}\nparams:")

    run = place.run()

    assert run.status is RunStatus.FAILED
    assert step_of(run, "tests", "check").error == said


def test_data_that_breaks_its_contract_refuses_and_names_rule_rows_and_values(place: Place) -> None:
    place.edit("lockgate.yaml", "path: data/rows-*.csv", "path: data/rows-*.csv, contract: contract.yaml")
    place.write("contract.yaml", "columns: {value: {type: int, min: 2, max: 5}, label: {}}")

    run = place.run()

    assert run.status is RunStatus.REFUSED
    assert step_of(run, "rows", "data").error == (
        "breaks its contract: column label is missing; value: 2 or more expected; 1 row breaks it, such as 1; "
        "value: 5 or less expected; 1 row breaks it, such as 6"
    )
    assert "model" not in place.ran()
    place.write("contract.yaml", "columns: {value: {type: int, min: 1, max: 6}}")
    assert place.run().status is RunStatus.REGISTERED


def test_data_that_was_fresh_is_held_against_its_contract_again_on_another_day(place: Place) -> None:
    clock = VirtualClock(datetime(2026, 11, 2, tzinfo=UTC))
    place.world = replace(place.world, clock=clock)
    place.edit("lockgate.yaml", "path: data/rows-*.csv", "path: data/rows-*.csv, contract: contract.yaml")
    place.write("contract.yaml", "columns: {value: {}}\nfreshness: {column: at, within: 2d}")
    place.write("data/rows-1.csv", "value,at\n1,2026-11-01T00:00:00Z\n2,2026-10-01T00:00:00Z\n3,2026-10-01T00:00:00Z\n")
    place.write("data/rows-2.csv", "value,at\n4,2026-10-01T00:00:00Z\n5,2026-10-01T00:00:00Z\n6,2026-10-01T00:00:00Z\n")
    assert place.run().status is RunStatus.REGISTERED
    place.ran()

    planned = place.plan()
    again = place.run()
    clock.advance(2 * 86400.0)
    stale = place.run()

    assert (planned["data/rows"].intent, planned["data/rows"].reason) == (Intent.RUN, "its contract asks how fresh it is")
    assert planned["step/examples"].intent is Intent.REUSE
    assert (again.status, step_of(again, "rows", "data").status) == (RunStatus.REGISTERED, StepStatus.DONE)
    assert stale.status is RunStatus.REFUSED
    assert step_of(stale, "rows", "data").error == (
        "breaks its contract: at: a newest value at most 2d old expected; it is 3 days old"
    )
    assert place.ran() == [], "what the data gave is as it was"


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        (
            "data/rows-3.csv",
            "other\n1\n",
            "data 'rows': data/rows-1.csv and data/rows-3.csv have different columns (other, value)",
        ),
        ("data/rows-3.csv", "", "data file data/rows-3.csv cannot be read: No columns to parse from file"),
    ],
)
def test_data_that_cannot_be_read_fails(place: Place, file: str, text: str, said: str) -> None:
    place.write(file, text)

    run = place.run()

    assert run.status is RunStatus.FAILED
    assert step_of(run, "rows", "data").error == said


def test_no_data_at_all_is_a_fault_before_there_is_a_run(place: Place) -> None:
    place.edit("lockgate.yaml", "rows-*.csv", "row-*.csv")

    with pytest.raises(InvalidInput, match=r"data\.rows\.path: no file in .* matches data/row-\*\.csv"):
        place.run()
    assert actions(place) == []


def test_a_model_that_cannot_be_packaged_fails_and_registers_nothing(place: Place) -> None:
    place.edit("pipeline.py", '"mean": scale', '"refuse": 1, "mean": scale')

    run = place.run()

    assert run.status is RunStatus.FAILED
    assert "package package raised ValueError: this model cannot be packaged" in (run.error or "")
    assert version_count(place) == 0


def test_a_model_without_a_split_cannot_be_packaged(place: Place) -> None:
    place.edit(
        "pipeline.py",
        "return Split(",
        "from types import SimpleNamespace\n    return SimpleNamespace(x_train=examples, y_test=examples) or Split(",
    )

    run = place.run()

    assert "the model step was given 0 values of type lockgate.Split, one expected" in (run.error or "")


def test_a_gate_that_does_not_pass_refuses_and_registers_nothing(place: Place) -> None:
    place.edit("lockgate.yaml", "params:", "gates: {quality: [mae <= 0.001]}\nparams:")

    run = place.run()

    assert run.status is RunStatus.REFUSED
    assert run.error is not None
    assert run.error.startswith("gate quality: mae <= 0.001: ")
    assert (len(run.gates), run.metrics["n"], run.version) == (1, 3.0, None)
    assert version_count(place) == 0
    check_kept(place, run)


def test_a_run_that_its_starter_stops_is_interrupted(place: Place) -> None:
    def stop(step: StepRun) -> None:
        if step.name == "split":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.run(on_progress=stop)

    with place.world.state.read() as tx:
        (run,) = tx.find(RUNS)
    assert run.status is RunStatus.INTERRUPTED
    place.ran()
    assert place.run().status is RunStatus.REGISTERED
    assert "examples" not in place.ran()


def test_unknown_parameters_are_refused_with_the_nearest_name(place: Place) -> None:
    with pytest.raises(InvalidInput, match="did you mean 'scale'"):
        place.run(params={"skale": 3})


def test_a_step_that_nobody_knows_is_not_explained(place: Place) -> None:
    with pytest.raises(Exception, match="has no step 'modl'"):
        place.why("modl")
