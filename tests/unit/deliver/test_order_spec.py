"""Environments in a row in the project file: what it becomes, and every fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.domain.projects import After, Environment
from lockgate.domain.rollouts import Shown
from lockgate.kernel.errors import InvalidInput
from lockgate.project.load import load
from lockgate.stages.deliver.order import answered, withheld

HEAD = "model: tiny\npipeline: pipeline.py\ndata: {rows: {path: rows.csv}}\nenvironments:\n"


def environments(folder: Path, text: str) -> dict[str, Environment]:
    (folder / "pipeline.py").write_text("")
    (folder / "lockgate.yaml").write_text(f"{HEAD}  {text}\n")
    return load(folder).record().environments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("production: {after: staging}", After("staging", 0.0)),
        ("production: {after: {environment: staging}}", After("staging", 0.0)),
        ("production: {after: {environment: staging, for: 1h}}", After("staging", 3600.0)),
        ("production: {strategy: replace}", None),
    ],
)
def test_an_environment_alone_and_one_with_a_time(tmp_path: Path, text: str, expected: After | None) -> None:
    found = environments(tmp_path, text)
    assert (found["production"].after, found["staging"].after) == (expected, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("production: {after: production}", "'staging' expected, 'production' found"),
        ("production: {after: {for: 1h}}", "is missing"),
        ("production: {after: {environment: staging, for: 29d}}", "at most 4w expected"),
        ("production: {after: {environment: staging, for: 3600}}", "a number with s, m, h, d or w expected"),
        ("production: {after: 3}", "a mapping expected"),
        ("staging: {after: staging}", "unknown key"),
    ],
)
def test_every_fault_is_told(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as told:
        environments(tmp_path, text)
    (fault,) = told.value.faults
    assert message in fault.message


@pytest.mark.parametrize(
    ("shown", "says", "against"),
    [
        (Shown(), "nobody asked it anything", False),
        (Shown(1), "it answered 1 request, 0 failed", False),
        (Shown(1, {"error": 1}), "it answered 1 request, 1 failed", True),
        (Shown(300, {"error": 2, "timeout": 1}), "it answered 300 requests, 3 failed", False),
        (Shown(300, {"error": 2, "timeout": 2}), "it answered 300 requests, 4 failed", True),
    ],
)
def test_one_failure_in_a_hundred_is_the_most(shown: Shown, says: str, against: bool) -> None:  # noqa: FBT001
    assert answered(shown) == says
    assert (withheld(shown) == f"{says}: at most 1% expected") is against
