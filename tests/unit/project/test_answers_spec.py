"""How production answers, as the project file says it: failures, time-out, redaction, rules; and every fault of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.boundary.routes import OnFailure
from lockgate.domain.projects import Answers, TrafficRule
from lockgate.kernel.errors import InvalidInput
from lockgate.project.load import load

HEAD = "model: tiny\npipeline: pipeline.py\ndata: {rows: {path: rows.csv}}\n"
PRODUCTION = HEAD + "environments:\n  production:\n    "


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pipeline.py").write_text("")
    return tmp_path


def answers(folder: Path, text: str) -> Answers:
    (folder / "lockgate.yaml").write_text(text)
    return load(folder).record().environments["production"].answers


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(InvalidInput) as error:
        answers(folder, text)
    return [str(fault).removeprefix("lockgate.yaml:") for fault in error.value.faults]


def test_every_key_means_what_it_says(folder: Path) -> None:
    text = """on_failure: error
    timeout: 1.5s
    redact: [tail number, email]
    rules:
      - {header: x-preview, is: [yes, true, 1], to: staging}
      - {field: origin, is: [JFK], to: 3}
"""
    assert answers(folder, PRODUCTION + text) == Answers(
        on_failure=OnFailure.ERROR,
        timeout=1.5,
        redacted=("tail number", "email"),
        rules=(
            TrafficRule(("yes", "true", "1"), "staging", header="x-preview"),
            TrafficRule(("JFK",), 3, field="origin"),
        ),
    )


def test_what_is_not_said_is_answered_by_the_champion_and_kept_whole(folder: Path) -> None:
    assert answers(folder, HEAD) == Answers(OnFailure.CHAMPION, 10.0, (), ())


def test_all_faults_come_in_one_answer_each_with_its_line_and_what_was_meant(folder: Path) -> None:
    text = """on_failure: champoin
    timeout: 11m
    redact: [email, '']
    rules:
      - {header: x-preview, is: [yes, 1.5], to: stagng}
      - {header: x-preview, field: origin, is: [JFK], to: 3}
      - {is: [], to: 0}
      - {heder: x-preview, is: [yes], to: true}
"""
    assert faults(folder, PRODUCTION + text) == [
        ("6: environments.production.on_failure: 'champion' or 'error' expected, 'champoin' found (did you mean 'champion'?)"),
        "7: environments.production.timeout: more than 0s and at most 10m expected, '11m' found",
        "8: environments.production.redact[1]: the name of an input expected, '' found",
        "10: environments.production.rules[0].is[1]: text, a whole number, true or false expected, 1.5 found",
        (
            "10: environments.production.rules[0].to: 'staging' or the number of a version expected, 'stagng' found"
            " (did you mean 'staging'?)"
        ),
        "11: environments.production.rules[1]: either `header` or `field` expected, which says what is looked at",
        "12: environments.production.rules[2].is: at least one entry expected, a list found",
        "12: environments.production.rules[2].to: 'staging' or the number of a version expected, 0 found",
        ("13: environments.production.rules[3].heder: unknown key; header, field, is, to expected (did you mean 'header'?)"),
        "13: environments.production.rules[3].to: 'staging' or the number of a version expected, true found",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("timeout: 0s", "timeout: more than 0s and at most 10m expected, '0s' found"),
        ("timeout: 10", "timeout: a number with s, m, h, d or w expected, such as 30m, 10 found"),
        ("redact: email", "redact: a list expected, 'email' found"),
        ("redact: [1]", "redact[0]: a string expected, 1 found"),
        ("redact: [email, email]", "redact: each at most once expected"),
        ("rules: {header: x, is: [a], to: 1}", "rules: a list expected"),
        ("rules: [{header: x y, is: [a], to: 1}]", "rules[0].header: the name of a header expected, 'x y' found"),
        ("rules: [{header: x, is: [1, '1'], to: 1}]", "rules[0].is: each at most once expected"),
        ("rules: [{header: x, is: [a]}]", "rules[0].to: is missing"),
        ("rules: [{header: x, to: 1}]", "rules[0].is: is missing"),
        ("rules: [{is: [a], to: 1}]", "rules[0]: either `header` or `field` expected"),
    ],
)
def test_each_fault_says_what_was_expected(folder: Path, text: str, fault: str) -> None:
    assert any(fault in one for one in faults(folder, PRODUCTION + text)), text


@pytest.mark.parametrize("timeout", ["0.001s", "600s", "10m"])
def test_the_longest_and_the_shortest_time(folder: Path, timeout: str) -> None:
    assert 0 < answers(folder, PRODUCTION + f"timeout: {timeout}").timeout <= 600


@pytest.mark.parametrize("key", ["on_failure: error", "timeout: 1s", "redact: [a]", "rules: []"])
def test_staging_has_no_answers_of_its_own(folder: Path, key: str) -> None:
    name = key.partition(":")[0]
    assert any(
        f"5: environments.staging.{name}: unknown key" in one
        for one in faults(folder, HEAD + f"environments:\n  staging: {{{key}}}")
    )


def test_what_is_redacted_cannot_be_watched(folder: Path) -> None:
    text = PRODUCTION + "redact: [email]\nwatch: {drift: {features: [distance, email]}}"
    assert faults(folder, text) == [
        ("7: watch.drift.features[1]: is redacted in environments.production.redact: what no record keeps cannot be watched")
    ]
    assert answers(folder, text.replace("[distance, email]", "all")).redacted == ("email",)
