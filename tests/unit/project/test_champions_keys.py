"""Segments that may have champions of their own, as the project file says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.domain.projects import Champions
from lockgate.kernel.errors import InvalidInput
from lockgate.project.load import load

HEAD = "model: tiny\npipeline: pipeline.py\ndata: {rows: {path: rows.csv}}\nenvironments:\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pipeline.py").write_text("")
    return tmp_path


def said(folder: Path, text: str, environment: str = "production") -> Champions | None:
    (folder / "lockgate.yaml").write_text(f"{HEAD}  {environment}: {{{text}}}\n")
    return load(folder).record().environments[environment].champions


def test_what_tells_them_apart_and_which_there_are(folder: Path) -> None:
    assert said(folder, 'champions: {by: "field:origin", segments: [JFK, LGA]}') == Champions("field:origin", ("JFK", "LGA"))
    assert said(folder, 'champions: {by: "header:x-tier", segments: [1, true]}') == Champions("header:x-tier", ("1", "true"))
    assert said(folder, "strategy: replace") is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("champions: {by: origin, segments: [JFK]}", "champions.by: header:NAME or field:NAME expected"),
        ("champions: {by: request, segments: [JFK]}", "champions.by: header:NAME or field:NAME expected"),
        ('champions: {by: "field:origin"}', "champions.segments: is missing"),
        ('champions: {by: "field:origin", segments: []}', "champions.segments: "),
        ('champions: {by: "field:origin", segments: [JFK, JFK]}', "champions.segments: each at most once expected"),
        ('champions: {by: "field:origin", segments: [1.5]}', "text, a whole number, true or false expected"),
        (f'champions: {{by: "field:origin", segments: {list(range(65))}}}', "champions.segments: "),
        (
            'champions: {by: "field:a", segments: [B]}, judge: {segments: {by: "field:a", values: [B]}}',
            "`champions` and `judge: segments` found, at most one of them expected",
        ),
        (
            (
                "strategy: online, online: {at_most: 35%}, judge: {labels: {event: wrong, threshold: 0.5}}, "
                'champions: {by: "field:a", segments: [B]}'
            ),
            "strategy online knows no champions",
        ),
    ],
)
def test_each_fault_says_what_was_expected(folder: Path, text: str, fault: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        said(folder, text)
    assert fault in str(caught.value)


def test_staging_knows_none(folder: Path) -> None:
    with pytest.raises(InvalidInput, match=r"staging\.champions"):
        said(folder, 'champions: {by: "field:origin", segments: [JFK]}', "staging")
