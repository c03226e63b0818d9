"""Contests in the project file: what they become, and every fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.contests import Allocation, Contest, Goal
from lockgate.domain.rollouts import Plan, Strategy
from lockgate.kernel.errors import InvalidInput
from lockgate.project.load import load
from lockgate.stages.deliver.journal import begun

HEAD = "model: tiny\npipeline: pipeline.py\ndata: {rows: {path: rows.csv}}\nenvironments:\n"


def plan(folder: Path, text: str, environment: str = "production") -> Plan:
    (folder / "pipeline.py").write_text("")
    (folder / "lockgate.yaml").write_text(f"{HEAD}  {environment}: {{{text}}}\n")
    return load(folder).record().environments[environment].plan


def test_an_ab_without_more_is_an_even_split_for_the_fewest_errors(tmp_path: Path) -> None:
    found = plan(tmp_path, "strategy: ab-test")
    assert (found.strategy, found.contest) == (Strategy.AB, Contest())
    assert Contest().beginning == (0.5, 0.5)
    begun(found)


def test_a_bandit_with_all_that_can_be_said(tmp_path: Path) -> None:
    said = (
        "{contenders: [3], split: [50%, 25%, 25%], goal: {event: true, best: most}, allocation: top-two, floor: 10%, reweigh: 5m}"
    )
    found = plan(tmp_path, f"strategy: bandit, unit: 'header:x-user', contest: {said}")
    goal = Goal(LabelEvent("true", 0.0), most=True)
    assert found.contest == Contest((3,), (0.5, 0.25, 0.25), goal, Allocation.TOP_TWO, 0.1, 300.0)
    begun(found)


def test_a_contest_of_regressors_is_won_by_what_is_off_least(tmp_path: Path) -> None:
    found = plan(tmp_path, "strategy: ab-test, contest: {goal: {event: off, threshold: 5}}")
    assert found.contest == Contest(goal=Goal(LabelEvent("off", 5.0)))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("strategy: ab-test, contest: {split: [50%, 60%]}", "`split` of 2 shares that add up to 100% expected"),
        ("strategy: ab-test, contest: {contenders: [3], split: [50%, 50%]}", "`split` of 3 shares"),
        ("strategy: ab-test, contest: {contenders: [3, 3]}", "each version at most once expected"),
        ("strategy: ab-test, contest: {floor: 5%}", "strategy ab-test keeps its split: no floor expected, or strategy bandit"),
        ("strategy: bandit, contest: {floor: 50%}", "`floor` below 100%/2 expected"),
        ("strategy: bandit, contest: {reweigh: 0s}", "at least 1s expected"),
        ("strategy: bandit, contest: {allocation: ucb}", "thompson or top-two expected"),
        ("strategy: ab-test, contest: {goal: {event: missed}}", "event missed: `threshold` expected"),
        ("strategy: ab-test, contest: {goal: {event: true, threshold: 0.5}}", "looks at no score"),
        ("strategy: ab-test, contest: {goal: {event: off}}", "event off: `threshold` expected, by which a score may differ"),
        ("strategy: ab-test, contest: {goal: {event: off, threshold: -1}}", "event off: `threshold` of 0 or more expected"),
        ("strategy: ab-test, contest: {goal: {best: most}}", "event errors: best fewest expected"),
        ("strategy: canary, steps: [5%], contest: {}", "strategy canary knows no contest: strategy ab-test or bandit expected"),
        ("strategy: ab-test, steps: [5%]", "strategy ab-test knows no steps"),
        ("strategy: ab-test, hold_back: 5%", "strategy ab-test knows no hold_back"),
        (
            "strategy: ab-test, judge: {metrics: [labels], labels: {event: missed, threshold: 0.5}}",
            "metrics of errors, latency expected, labels found",
        ),
        ("strategy: ab-test, judge: {labels: {event: missed, threshold: 0.5}}", "`goal` names the winner"),
    ],
)
def test_each_fault_says_what_was_expected(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(InvalidInput) as error:
        plan(tmp_path, text)
    assert any(fault in str(one) for one in error.value.faults), error.value.faults


def test_staging_has_no_traffic_to_deal_out(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as error:
        plan(tmp_path, "strategy: bandit", "staging")
    assert "no traffic of its own that could be dealt out" in str(error.value.faults[0])
