"""A shadow, as the project file says it, and every fault in that."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.rollouts import Agreement, Loss, Margin, Strategy
from lockgate.stages.deliver.journal import begun
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
    ("text", "loss"),
    [
        ("{of: brier}", Loss("brier", 1.0, 0.01)),
        ("{of: brier, margin: 0.02}", Loss("brier", 1.0, 0.02)),
        ("{of: absolute, scale: 60}", Loss("absolute", 60.0, 0.01)),
    ],
)
def test_it_may_be_judged_by_its_loss(folder: Path, text: str, loss: Loss) -> None:
    found = plan(folder, f"strategy: shadow, judge: {{metrics: [loss], loss: {text}}}")
    assert (found.judge.metrics, found.judge.loss) == (("loss",), loss)
    begun(found)


def test_what_survives_its_promotion_is_held_back_and_compared_without_its_loss(folder: Path) -> None:
    said = "strategy: shadow, hold_back: 5%, judge: {metrics: [errors, loss], loss: {of: brier}}"
    assert plan(folder, said).hold_back == 0.05


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("strategy: shadow", ": strategy shadow: `judge: {agreement: {at_least: 95%, threshold: …}}` expected"),
        ("strategy: shadow, judge: {metrics: [agreement]}", ".judge: metrics name agreement: `agreement: {at_least: 95%,"),
        (
            "strategy: shadow, judge: {metrics: [errors, latency]}",
            ": strategy shadow: metrics of agreement, errors, labels, loss expected",
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
        (
            "strategy: shadow, judge: {metrics: [loss]}",
            ".judge: metrics name loss: `loss: {of: brier}` or `loss: {of: absolute, scale: …}` expected",
        ),
        (
            "strategy: shadow, judge: {metrics: [errors], loss: {of: brier}}",
            ".judge: `loss` found: `metrics` that name loss expected, or none of it",
        ),
        (f"strategy: shadow, {BY}, loss: {{of: brier}}}}", ".judge: `loss` found: `metrics` that name loss expected"),
        ("strategy: shadow, judge: {metrics: [loss], loss: {}}", ".judge.loss.of"),
        (
            "strategy: shadow, judge: {metrics: [loss], loss: {of: squared}}",
            ".judge.loss.of: 'brier' or 'absolute' expected",
        ),
        (
            "strategy: shadow, judge: {metrics: [loss], loss: {of: absolute}}",
            ".judge.loss: loss absolute: `scale` expected, the difference of score and label from which on all are as bad",
        ),
        (
            "strategy: shadow, judge: {metrics: [loss], loss: {of: brier, scale: 2}}",
            ".judge.loss: loss brier knows no scale",
        ),
        ("strategy: shadow, judge: {metrics: [loss], loss: {of: absolute, scale: 0}}", ".judge.loss.scale: more than 0 expected"),
        ("strategy: shadow, judge: {metrics: [loss], loss: {of: brier, margin: 0}}", ".judge.loss.margin: more than 0 expected"),
        ("strategy: shadow, judge: {metrics: [loss], loss: {of: brier, margin: 1}}", ".judge.loss.margin: less than 1 expected"),
        (
            "strategy: shadow, judge: {metrics: [loss], loss: {of: brier}, margins: {loss: {ratio: 2, floor: 1%}}}",
            ".judge.margins.loss",
        ),
        (
            "strategy: shadow, hold_back: 5%, judge: {metrics: [loss], loss: {of: brier}}",
            ": hold_back: errors or labels among the metrics expected; agreement and loss need a shadow",
        ),
        *(
            (
                f"strategy: {other}, judge: {{metrics: [loss], loss: {{of: brier}}}}",
                f": strategy {other.partition(',')[0]} knows no loss: strategy shadow or online expected, where the same",
            )
            for other in ("canary, steps: [5%]", "ab-test", "bandit", "blue-green", "replace")
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
