"""The graph of a pipeline, read from its source."""

from __future__ import annotations

import pytest

from lockgate.kernel.errors import InvalidInput
from lockgate.stages.build.pipeline.graph import Graph, read_graph
from lockgate.stages.build.pipeline.modules import open_modules
from lockgate.stages.build.pipeline.options import Options

GOOD = """
def split(examples, months): ...
def examples(flights): ...
def evaluation(model, split): ...
def model(split, rate=0.1, flavour='plain'): ...
def _tidy(frame): ...
"""


def graph(pipeline: str = GOOD, /, **others: str) -> Graph:
    files = {"pipeline.py": pipeline, **{f"{name.replace('__', '/')}.py": text for name, text in others.items()}}
    modules, module = open_modules("pipeline.py", files.get)
    return read_graph(modules, module, ("flights", "weather"), ("months", "rate"))


def faults(pipeline: str, /, **others: str) -> list[str]:
    with pytest.raises(InvalidInput) as error:
        graph(pipeline, **others)
    return [str(fault) for fault in error.value.faults]


def test_parameters_name_steps_data_and_params_and_order_follows() -> None:
    found = graph()

    assert list(found.steps) == ["examples", "split", "model", "evaluation"]
    assert found.steps["model"].asks == ("split", "rate")  # `flavour` names nothing and keeps its default
    assert found.data == frozenset({"flights"})
    assert found.params == frozenset({"months", "rate"})
    assert found.inputs(found.steps["split"]) == ["examples"]


def test_a_step_may_be_imported_from_a_module_of_the_project_with_what_it_needs_in_turn() -> None:
    found = graph(
        "from shared.tables import examples as rows, raw, unused\n"
        "def split(rows): ...\ndef model(split): ...\ndef evaluation(model): ...\n",
        shared__tables="def raw(flights): ...\ndef examples(raw): ...\ndef unused(nothing_known): ...\n",
    )

    assert list(found.steps) == ["raw", "rows", "split", "model", "evaluation"]
    assert (found.steps["rows"].module, found.steps["rows"].function) == ("shared.tables", "examples")


def test_a_whole_pipeline_may_come_from_elsewhere() -> None:
    found = graph("from other import model, evaluation", other="def model(flights): ...\ndef evaluation(model): ...")

    assert list(found.steps) == ["model", "evaluation"]


def test_options_are_read_without_running_anything() -> None:
    found = graph(
        "import lockgate\nfrom lockgate import step\nraise SystemExit\n"
        "@step\ndef split(flights): ...\n"
        "@step(timeout='30m', retries=2, cache=False, mutex='gpu')\ndef model(split): ...\n"
        "@lockgate.step(timeout=5)\ndef evaluation(model): ...\n"
    )

    assert found.steps["split"].options == Options()
    assert found.steps["model"].options == Options(1800.0, 2, cache=False, mutex="gpu")
    assert found.steps["evaluation"].options == Options(timeout=5.0)


REST = "def model(flights): ...\ndef evaluation(model): ...\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("def split(flight): ...\n", "pipeline.py:1: split: parameter 'flight' names no step, data or parameter; "),
        ("def split(flight): ...\n", "(did you mean 'flights'?)"),
        ("def tidy(frame, zz): ...\n", "(a helper that is no step begins with an underscore: _tidy)"),
        ("def a(b): ...\ndef b(c): ...\ndef c(a): ...\n", "steps ask for each other in a circle: a → b → c → a"),
        ("def a(a): ...\n", "steps ask for each other in a circle: a → a"),
        ("def weather(flights): ...\n", "weather: is a step here and the name of data in the project file"),
        ("def months(flights): ...\n", "months: is a step here and the name of a parameter in the project file"),
        ("def a(): ...\ndef a(): ...\n", "pipeline.py:2: a: defined twice, first on line 1"),
        ("async def a(): ...\n", "a: a step is a plain function: `def` expected, `async def` found"),
        ("def a(*flights): ...\n", "a: parameters by name expected"),
        ("def a(flights, /): ...\n", "a: parameters by name expected"),
        (
            "@step(timeot=3)\ndef a(): ...\n",
            "@step knows no 'timeot'; timeout, retries, cache, mutex expected (did you mean 'timeout'?)",
        ),
        (
            "@step(timeout=LONG)\ndef a(): ...\n",
            "@step(timeout=…): seconds or a duration such as '30m', up to 7 days expected, written out",
        ),
        ("@step(timeout='8d')\ndef a(): ...\n", "@step(timeout=…): seconds"),
        ("@step(timeout=0)\ndef a(): ...\n", "@step(timeout=…): seconds"),
        ("@step(timeout=True)\ndef a(): ...\n", "@step(timeout=…): seconds"),
        ("@step(retries=-1)\ndef a(): ...\n", "@step(retries=…): a number from 0 to 10 expected"),
        ("@step(cache='no')\ndef a(): ...\n", "@step(cache=…): True or False expected"),
        ("@step(mutex='')\ndef a(): ...\n", "@step(mutex=…): a word expected"),
        ("@step(**options)\ndef a(): ...\n", "@step knows no '**'"),
        ("@step('1h')\ndef a(): ...\n", "@step takes named arguments only"),
    ],
)
def test_faults_say_where_and_what(text: str, fault: str) -> None:
    found = faults(text + REST)
    assert any(fault in one for one in found), found


def test_the_steps_that_must_be_there_are_asked_for() -> None:
    assert faults("def modle(flights): ...\n") == [
        (
            "pipeline.py: model: this step is missing: def model(split): …, which returns the fitted candidate expected;"
            " 'modle' on line 1 looks like it"
        ),
        (
            "pipeline.py: evaluation: this step is missing: def evaluation(model, split): …, which returns one row for each"
            " held-out example expected"
        ),
    ]


def test_all_faults_come_at_once() -> None:
    assert len(faults("def a(x1): ...\ndef b(x2): ...\n@step(cash=1)\ndef weather(): ...\n")) == 6


@pytest.mark.parametrize("text", ["def model(:", "x = '\\ud800' = 3", "\0", "(" * 400 + ")" * 400])
def test_what_is_no_python_says_so(text: str) -> None:
    assert "no Python: " in faults(text)[0]


def test_a_pipeline_may_not_have_the_name_of_a_module_of_python() -> None:
    with pytest.raises(InvalidInput, match="Python itself has a module 'statistics'"):
        open_modules("statistics.py", {"statistics.py": GOOD}.get)


def test_a_pipeline_in_a_folder_imports_from_there_and_from_the_project() -> None:
    files = {
        "src/pipe.py": "from near import model\nfrom far import evaluation\n",
        "src/near.py": "def model(flights): ...",
        "far.py": "def evaluation(model): ...",
    }
    modules, module = open_modules("src/pipe.py", files.get)

    found = read_graph(modules, module, ["flights"], [])

    assert modules.roots == ("src", ".")
    assert [step.file for step in found.steps.values()] == ["src/near.py", "far.py"]
