"""Data fixed by content, without reading unchanged files again."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lockgate.integrations.local.datasets import LocalDatasets
from lockgate.testing.clock import VirtualClock


@pytest.fixture
def datasets(tmp_path: Path) -> LocalDatasets:
    """In a world a day after the files were written."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.csv").write_text("1")
    (folder / "b.csv").write_text("2")
    written = datetime.fromtimestamp((folder / "b.csv").stat().st_mtime, UTC)
    return LocalDatasets(tmp_path / "index.json", VirtualClock(written + timedelta(days=1)))


def digest(datasets: LocalDatasets) -> str:
    version = datasets.version(datasets.index.parent, "rows", "data/*.csv")
    assert version is not None
    return version.digest


def test_a_version_names_its_files_in_order(datasets: LocalDatasets) -> None:
    version = datasets.version(datasets.index.parent, "rows", "data/*.csv")

    assert version is not None
    assert (version.files, version.size) == (("data/a.csv", "data/b.csv"), 2)
    assert datasets.version(datasets.index.parent, "rows", "data/*.parquet") is None


def test_names_and_contents_count_and_times_do_not(datasets: LocalDatasets) -> None:
    before = digest(datasets)
    os.utime(datasets.index.parent / "data" / "a.csv", (1, 1))
    assert digest(datasets) == before

    (datasets.index.parent / "data" / "a.csv").rename(datasets.index.parent / "data" / "c.csv")
    renamed = digest(datasets)
    (datasets.index.parent / "data" / "c.csv").write_text("3")

    assert len({before, renamed, digest(datasets)}) == 3


def test_a_file_that_lies_still_is_read_once(datasets: LocalDatasets) -> None:
    before = digest(datasets)
    index = json.loads(datasets.index.read_text())
    assert len(index) == 2

    datasets.index.write_text(json.dumps(dict.fromkeys(index, "sha256:remembered")))

    assert digest(datasets) != before  # what was remembered is taken without looking at the content


def test_a_file_that_has_just_changed_is_not_trusted_to_lie_still(datasets: LocalDatasets) -> None:
    written = (datasets.index.parent / "data" / "a.csv").stat().st_mtime
    early = LocalDatasets(datasets.index, VirtualClock(datetime.fromtimestamp(written, UTC) + timedelta(seconds=1)))

    digest(early)

    assert not datasets.index.exists()


@pytest.mark.parametrize("content", ["", "[]", "{broken"])
def test_an_index_that_cannot_be_read_is_made_anew(datasets: LocalDatasets, content: str) -> None:
    before = digest(datasets)
    datasets.index.write_text(content)

    assert digest(datasets) == before
    assert len(json.loads(datasets.index.read_text())) == 2
