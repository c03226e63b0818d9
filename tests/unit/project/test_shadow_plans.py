"""A shadow, as the project file says it, and every fault in that."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.rollouts import Agreement, Margin, Strategy
from tests.unit.project.test_rollout_plans import faults, plan

BY = "judge: {agreement: {at_least: 95%, threshold: 0.25}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pipeline.py").write_text("")
    return tmp_path


def test_all_that_can_be_said_of_a_shadow(folder: Path) -> None:
    said = (
        "strategy: shadow, share: 50%, unit: 'header:x-user-id', judge: {metrics: [agreement, errors, labels],"
        " agreement: {at_least: 97%, tolerance: 0.01}, labels: {event: missed, threshold: 0.25},"
        " margins: {errors: {ratio: 1.5, floor: 1%}, labels: {ratio: 1.1, floor: 0.1%}}}"
    )
    found = plan(folder, said)
    assert (found.strategy, found.share, found.steps) == (Strategy.SHADOW, 0.5, ())
    assert found.judge.metrics == ("agreement", "errors", "labels")
    assert found.judge.agreement == Agreement(0.97, tolerance=0.01)
    assert found.judge.label_event == LabelEvent("missed", 0.25)
    assert (found.judge.margins["errors"], found.judge.margins["labels"]) == (Margin(1.5, 0.01), Margin(1.1, 0.001))


def test_without_more_it_is_asked_about_all_and_judged_by_agreement_and_errors(folder: Path) -> None:
    found = plan(folder, f"strategy: shadow, {BY}}}")
    assert (found.share, found.judge.metrics) == (1.0, ("agreement", "errors"))
    assert found.judge.agreement == Agreement(0.95, threshold=0.25)


def test_it_may_be_judged_without_agreement(folder: Path) -> None:
    assert plan(folder, "strategy: shadow, judge: {metrics: [errors]}").judge.agreement is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("strategy: shadow", ": strategy shadow: `judge: {agreement: {at_least: 95%, threshold: …}}` expected"),
        ("strategy: shadow, judge: {metrics: [agreement]}", ".judge: metrics name agreement: `agreement: {at_least: 95%,"),
        (
            "strategy: shadow, judge: {metrics: [errors, latency]}",
            ": strategy shadow: metrics of agreement, errors, labels expected",
        ),
        (
            "strategy: shadow, judge: {metrics: [labels]}",
            ".judge: metrics name labels: `labels: {event: …, threshold: …}` expected",
        ),
        ("strategy: shadow, judge: {agreement: {at_least: 95%}}", ".judge.agreement: either `threshold` or `tolerance` expected"),
        (
            "strategy: shadow, judge: {agreement: {at_least: 95%, threshold: 0.5, tolerance: 0.1}}",
            ".judge.agreement: either `threshold` or `tolerance` expected",
        ),
        (
            "strategy: shadow, judge: {agreement: {at_least: 100%, threshold: 0.5}}",
            ".judge.agreement.at_least: less than 1 expected",
        ),
        (
            "strategy: shadow, judge: {agreement: {at_least: 0.95, threshold: 0.5}}",
            ".judge.agreement.at_least: a percentage expected",
        ),
        (
            "strategy: shadow, judge: {agreement: {at_least: 95%, tolerance: -1}}",
            ".judge.agreement.tolerance: 0 or more expected",
        ),
        (f"strategy: shadow, share: 0%, {BY}}}", ".share: more than 0 expected"),
        (f"strategy: shadow, steps: [5%], {BY}}}", ": strategy shadow knows no steps"),
        (f"strategy: shadow, preview: 1m, {BY}}}", ": strategy shadow knows no preview"),
        (f"strategy: shadow, {BY}, objectives: {{errors: 5%}}}}", ": strategy shadow knows no objectives, segments or"),
        (
            "strategy: canary, steps: [5%], share: 50%",
            ": strategy canary knows no share: strategy shadow expected, or none of it",
        ),
        (
            f"strategy: canary, steps: [5%], {BY}}}",
            ": strategy canary knows no agreement: strategy shadow expected, or none of it",
        ),
    ],
)
def test_each_fault_says_what_was_expected(folder: Path, text: str, fault: str) -> None:
    found = faults(folder, text)
    assert any(one.startswith(fault) for one in found), found


def test_staging_has_no_traffic_that_a_shadow_could_be_asked_about(folder: Path) -> None:
    (found,) = faults(folder, f"strategy: shadow, {BY}}}", "staging")
    assert found.startswith(": strategy replace expected: staging has no traffic of its own that a shadow could be asked about")
