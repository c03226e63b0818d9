"""What stays behind after a promotion, as the project file says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.kernel.errors import InvalidInput
from lockgate.project.load import load

HEAD = "model: tiny\npipeline: pipeline.py\ndata: {rows: {path: rows.csv}}\nenvironments:\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pipeline.py").write_text("")
    return tmp_path


def said(folder: Path, text: str, environment: str = "production") -> tuple[float, float]:
    (folder / "lockgate.yaml").write_text(f"{HEAD}  {environment}: {{{text}}}\n")
    plan = load(folder).record().environments[environment].plan
    return plan.hold_back, plan.held


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("strategy: canary, steps: [50%], hold_back: 5%, held: 3d", (0.05, 3 * 86400)),
        ("strategy: canary, steps: [1%, 90%], hold_back: 10%", (0.1, 7 * 86400)),
        ("strategy: canary, steps: [70%], hold_back: 30%", (0.3, 7 * 86400)),
        ("strategy: shadow, judge: {metrics: [errors]}, hold_back: 50%, held: 52w", (0.5, 52 * 7 * 86400)),
        ("strategy: canary, steps: [99%]", (0.0, 7 * 86400)),
    ],
)
def test_a_share_and_a_time(folder: Path, text: str, expected: tuple[float, float]) -> None:
    assert said(folder, text) == expected


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("hold_back: 5%", "strategy replace knows no hold_back: strategy canary or shadow expected, or none of it"),
        ("strategy: blue-green, hold_back: 5%", "strategy blue-green knows no hold_back"),
        ("strategy: canary, steps: [5%], hold_back: 0%", "hold_back: more than 0% and at most 50% expected"),
        ("strategy: canary, steps: [5%], hold_back: 60%", "hold_back: more than 0% and at most 50% expected"),
        ("strategy: canary, steps: [5%], hold_back: 5", "hold_back: a percentage expected, such as 5%"),
        (
            "strategy: canary, steps: [97%], hold_back: 5%",
            "hold_back of at most 3% expected: the last step of 97% leaves no more",
        ),
        ("strategy: canary, steps: [5%], held: 1d", "`hold_back: 5%` expected with it"),
        ("strategy: canary, steps: [5%], hold_back: 5%, held: 0s", "held: more than 0s and at most 52w expected"),
        ("strategy: canary, steps: [5%], hold_back: 5%, held: 7", "held: a number with s, m, h, d or w expected"),
        (
            "strategy: shadow, judge: {metrics: [agreement], agreement: {at_least: 95%, threshold: 0.5}}, hold_back: 5%",
            "hold_back: errors or labels among the metrics expected",
        ),
    ],
)
def test_what_makes_no_sense_is_said(folder: Path, text: str, fault: str) -> None:
    with pytest.raises(InvalidInput) as error:
        said(folder, text)
    assert any(fault in str(one) for one in error.value.faults), error.value.faults


def test_staging_holds_nothing_back(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="hold_back"):
        said(folder, "hold_back: 5%", "staging")
