"""Records of reports lie where the data plane's lie, are read as those are, and never fill the disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lockgate.boundary.records import Record
from lockgate.boundary.routes import Revision
from lockgate.integrations.local.records import LocalRecords
from lockgate.integrations.local.reported_records import LocalRecordSink


def record(number: int) -> Record:
    return Record((f"p{number}",), "m", 1, Revision(), 1.0, {"x": [number]}, (0.5,))


@pytest.fixture
def sinks(tmp_path: Path) -> Iterator[list[LocalRecordSink]]:
    """Of two processes."""
    made = [LocalRecordSink(tmp_path / "records", segment=400, limit=1200) for _ in range(2)]
    yield made
    for one in made:
        one.close()


def numbers(folder: Path) -> list[int]:
    return sorted(one.inputs["x"][0] for one in LocalRecords(folder).read({}).records if one.inputs["x"])


def test_what_several_processes_append_is_read_whole(tmp_path: Path, sinks: list[LocalRecordSink]) -> None:
    source = LocalRecords(tmp_path / "records")
    assert [sink.append([record(number)]) for number, sink in enumerate(sinks)] == [1, 1]
    batch = source.read({})
    assert len(batch.records) == 2
    sinks[0].append([record(2), record(3)])
    assert [one.inputs["x"] for one in source.read(batch.cursor).records] == [[2], [3]]
    assert sinks[0].append([]) == 0


def test_the_oldest_make_room_and_what_is_written_to_stays(tmp_path: Path, sinks: list[LocalRecordSink]) -> None:
    folder = tmp_path / "records"
    sinks[1].append([record(0)])
    for number in range(1, 200):
        sinks[0].append([record(number)])
    assert sum(path.stat().st_size for path in folder.glob("*.seg")) < 1700
    assert {0, 199} <= set(numbers(folder))  # the other process holds its file
    assert numbers(folder)[1] > 100


def test_a_file_that_was_taken_away_is_followed_by_another(tmp_path: Path, sinks: list[LocalRecordSink]) -> None:
    folder = tmp_path / "records"
    sinks[0].append([record(1)])
    for path in folder.glob("*.seg"):
        path.unlink()
    sinks[0].append([record(2)])
    assert numbers(folder) == [2]


def test_a_disk_that_refuses_drops_and_does_not_raise(tmp_path: Path) -> None:
    (tmp_path / "records").write_text("in the way")
    sink = LocalRecordSink(tmp_path / "records")
    assert sink.append([record(1)]) == 0
