"""How a version comes into an environment, as the project file says it: blue-green, steps that need people, and every fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.domain.rollouts import Plan, Strategy
from lockgate.kernel.errors import InvalidInput
from lockgate.project.load import load

HEAD = "model: tiny\npipeline: pipeline.py\ndata: {rows: {path: rows.csv}}\nenvironments:\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pipeline.py").write_text("")
    return tmp_path


def plan(folder: Path, text: str, environment: str = "production") -> Plan:
    (folder / "lockgate.yaml").write_text(f"{HEAD}  {environment}: {{{text}}}\n")
    return load(folder).record().environments[environment].plan


def faults(folder: Path, text: str, environment: str = "production") -> list[str]:
    with pytest.raises(InvalidInput) as error:
        plan(folder, text, environment)
    return [str(fault).removeprefix(f"lockgate.yaml:5: environments.{environment}") for fault in error.value.faults]


@pytest.mark.parametrize(("text", "preview"), [("", None), (", preview: 10m", 600.0), (", preview: 4w", 2_419_200.0)])
def test_blue_green_switches_after_its_preview_or_when_a_person_says_so(folder: Path, text: str, preview: float | None) -> None:
    assert plan(folder, f"strategy: blue-green{text}") == Plan(Strategy.BLUE_GREEN, preview=preview)


def test_a_step_is_a_share_or_a_share_with_the_number_of_people_who_must_say_yes(folder: Path) -> None:
    found = plan(folder, "strategy: canary, steps: [1%, {share: 5%}, {share: 25%, approvals: 2}, 50%]")
    assert (found.steps, found.yes) == ((0.01, 0.05, 0.25, 0.5), (0, 0, 2, 0))


def test_steps_that_nobody_need_approve_ask_nobody(folder: Path) -> None:
    assert plan(folder, "strategy: canary, steps: [1%, {share: 5%}]").yes == ()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("strategy: blue-green, preview: 0s", ".preview: more than 0s and at most 4w expected; without it a person switches"),
        ("strategy: blue-green, preview: 29d", ".preview: more than 0s and at most 4w expected; without it a person switches"),
        ("strategy: blue-green, preview: 10", ".preview: a number with s, m, h, d or w expected"),
        ("strategy: canary, steps: [5%], preview: 1m", ": strategy canary knows no preview: strategy blue-green expected"),
        ("preview: 1m", ": strategy replace knows no preview: strategy blue-green expected"),
        ("strategy: blue-green, steps: [5%]", ": strategy blue-green knows no steps"),
        ("strategy: canary, steps: [{share: 5%, approvals: 1}]", ".steps: no approvals of the first step expected, 1 found"),
        ("strategy: canary, steps: [1%, {share: 5%, approvals: 0}]", ".steps[1].approvals: 1 or more expected, 0 found"),
        ("strategy: canary, steps: [1%, {share: 5%, approvals: true}]", ".steps[1].approvals: a whole number expected"),
        ("strategy: canary, steps: [1%, {share: 5}]", ".steps[1].share: a percentage expected, such as 5%, 5 found"),
        ("strategy: canary, steps: [1%, {approvals: 2}]", ".steps[1].share: is missing"),
        ("strategy: canary, steps: [1%, {share: 5%, aprovals: 2}]", "share, approvals expected (did you mean 'approvals'?)"),
        ("strategy: canary, steps: [1%, {share: 1%}]", ".steps: steps that grow expected, 1% after 1% found"),
        ("strategy: canary, steps: [1%, [5%]]", ".steps[1]: a percentage expected, such as 5%, a list found"),
    ],
)
def test_each_fault_says_where_it_is_and_what_was_expected(folder: Path, text: str, fault: str) -> None:
    assert any(fault in one for one in faults(folder, text)), faults(folder, text)


@pytest.mark.parametrize("text", ["strategy: blue-green", "strategy: blue-green, preview: 1m"])
def test_staging_has_no_traffic_that_could_be_switched(folder: Path, text: str) -> None:
    assert faults(folder, text, "staging") == [
        ": strategy replace expected: staging has no traffic of its own that could be switched"
    ]
