"""Online learning in the project file: what it becomes, and every fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.learning import Online
from lockgate.domain.rollouts import Loss, Plan, Strategy
from lockgate.kernel.errors import InvalidInput
from lockgate.project.load import load
from lockgate.stages.deliver.journal import begun

HEAD = "model: tiny\npipeline: pipeline.py\ndata: {rows: {path: rows.csv}}\nenvironments:\n"
JUDGED = "labels: {event: wrong, threshold: 0.5}"
LEAST = f"strategy: online, online: {{at_most: 35%}}, judge: {{{JUDGED}}}"


def plan(folder: Path, text: str, environment: str = "production") -> Plan:
    (folder / "pipeline.py").write_text("")
    (folder / "lockgate.yaml").write_text(f"{HEAD}  {environment}: {{{text}}}\n")
    return load(folder).record().environments[environment].plan


def faults(folder: Path, text: str, environment: str = "production") -> list[str]:
    with pytest.raises(InvalidInput) as error:
        plan(folder, text, environment)
    return [str(one) for one in error.value.faults]


def test_without_more_a_checkpoint_is_made_every_thousand_rows_and_judged_by_its_labels(tmp_path: Path) -> None:
    found = plan(tmp_path, LEAST)
    assert (found.strategy, found.unit, found.online) == (Strategy.ONLINE, "request", Online(1000, 0.35, 1e7))
    assert (found.judge.metrics, found.judge.label_event) == (("labels",), LabelEvent("wrong", 0.5))
    begun(found)


def test_all_that_can_be_said(tmp_path: Path) -> None:
    judge = f"{{metrics: [labels], {JUDGED}, margins: {{labels: {{ratio: 1.1, floor: 1%}}}}, alpha: 0.02, beta: 0.1}}"
    found = plan(tmp_path, f"strategy: online, online: {{every: 10, at_most: 2.5%, run_length: 1e6}}, judge: {judge}")
    assert found.online == Online(10, 0.025, 1e6)
    assert (found.judge.metrics, found.judge.alpha, found.judge.margins["labels"].ratio) == (("labels",), 0.02, 1.1)


def test_checkpoints_may_be_judged_by_their_loss_and_lessons_still_by_their_event(tmp_path: Path) -> None:
    found = plan(tmp_path, LEAST.replace("labels:", "metrics: [loss], loss: {of: absolute, scale: 60, margin: 0.005}, labels:"))
    assert (found.judge.metrics, found.judge.loss) == (("loss",), Loss("absolute", 60.0, 0.005))
    assert found.judge.label_event == LabelEvent("wrong", 0.5)
    begun(found)


def test_what_a_server_keeps_of_a_plan_without_online_learning_has_none(tmp_path: Path) -> None:
    assert plan(tmp_path, "strategy: replace").online is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("strategy: online", "strategy online: `online: {every: 1000, at_most: 35%}` expected"),
        (f"strategy: online, online: {{}}, judge: {{{JUDGED}}}", "online.at_most: a share expected, such as 35%"),
        (f"strategy: online, online: {{}}, judge: {{{JUDGED}}}", "without it nothing would stop a poisoned stream"),
        (f"strategy: online, online: {{at_most: 0.35}}, judge: {{{JUDGED}}}", "a percentage expected"),
        (f"strategy: online, online: {{at_most: 0%}}, judge: {{{JUDGED}}}", "above 0% and below 100% expected, 0% found"),
        (f"strategy: online, online: {{at_most: 100%}}, judge: {{{JUDGED}}}", "above 0% and below 100% expected, 100% found"),
        (LEAST.replace("at_most", "every: 9, at_most"), "online.every: 10 or more expected, 9 found"),
        (LEAST.replace("at_most", "every: 1000001, at_most"), "online.every: 1e+06 or less expected, 1000001 found"),
        (LEAST.replace("at_most", "run_length: 999, at_most"), "online.run_length: 1000 or more expected, 999 found"),
        (LEAST.replace("at_most", "often: 9, at_most"), "online.often"),
        ("strategy: online, online: {at_most: 35%}", "`judge: {labels: {event: wrong, threshold: 0.5}}` expected, which says by"),
        (LEAST.replace("labels:", "metrics: [latency, labels], labels:"), "metrics of labels, loss expected, latency found"),
        (LEAST.replace("labels:", "metrics: [errors], labels:"), "metrics of labels, loss expected, errors found"),
        (
            "strategy: online, online: {at_most: 35%}, judge: {metrics: [loss], loss: {of: brier}}",
            "`judge: {labels: {event: wrong, threshold: 0.5}}` expected, which says by which event lessons, and where no loss is",
        ),
        (LEAST.replace("labels:", "loss: {of: brier}, labels:"), "`loss` found: `metrics` that name loss expected"),
        (LEAST.replace("labels:", "agreement: {at_least: 95%, threshold: 0.5}, labels:"), "strategy online knows no agreement"),
        (LEAST.replace("labels:", "metrics: [labels], objectives: {labels: 20%}, labels:"), "knows no objectives, segments or"),
        (
            LEAST.replace("labels:", "metrics: [labels], segments: {by: 'field:a', values: [x]}, labels:"),
            "knows no objectives, segments or predictions",
        ),
        (LEAST.replace("labels:", "predictions: {}, labels:"), "knows no objectives, segments or predictions"),
        (LEAST + ", unit: 'header:x-user'", "unit header:x-user found, request expected"),
        (LEAST + ", steps: [5%]", "strategy online knows no steps"),
        (LEAST + ", share: 50%", "strategy online knows no share"),
        (LEAST + ", preview: 1h", "strategy online knows no preview"),
        (LEAST + ", contest: {}", "strategy online knows no contest"),
        (LEAST + ", hold_back: 5%", "strategy online knows no hold_back"),
        ("online: {at_most: 35%}", "strategy replace knows no online: strategy online expected, or none of it"),
        ("strategy: canary, steps: [5%], online: {at_most: 35%}", "strategy canary knows no online"),
        ("strategy: onlin", "bandit, online or blue-green expected"),
    ],
)
def test_each_fault_says_what_was_expected(tmp_path: Path, text: str, fault: str) -> None:
    found = faults(tmp_path, text)
    assert any(fault in one for one in found), found


def test_all_faults_come_in_one_answer(tmp_path: Path) -> None:
    found = faults(tmp_path, f"strategy: online, online: {{every: 1, run_length: 1}}, judge: {{{JUDGED}}}")
    for key in ("online.at_most", "online.every", "online.run_length"):
        assert any(key in text for text in found), key


def test_staging_has_no_traffic_to_learn_from(tmp_path: Path) -> None:
    assert any("no traffic of its own that could be learned from" in one for one in faults(tmp_path, LEAST, "staging"))
