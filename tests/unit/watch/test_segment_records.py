"""Tailing segment files that grow, are torn, are damaged, come and go."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.records import HEADER, Record, frame
from lockgate.boundary.routes import Revision
from lockgate.integrations.local.records import LocalRecords
from lockgate.ports.records import Cursor


def record(number: int) -> Record:
    return Record((f"p{number}",), "m", 1, Revision(1, 1), float(number), {"x": [number]}, (0.5,))


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def numbers(records: tuple[Record, ...]) -> list[int]:
    return [int(one.answered_at) for one in records]


def test_an_empty_or_absent_folder_has_no_records(tmp_path: Path) -> None:
    assert LocalRecords(tmp_path).read({}) == ((), {})
    assert LocalRecords(tmp_path / "none").read({}) == ((), {})


def test_each_record_is_read_once_also_over_a_restart(tmp_path: Path) -> None:
    append(tmp_path / "a.seg", frame(record(1)) + frame(record(2)))
    first = LocalRecords(tmp_path).read({})
    append(tmp_path / "a.seg", frame(record(3)))
    append(tmp_path / "b.seg", frame(record(4)))
    second = LocalRecords(tmp_path).read(json.loads(json.dumps(first.cursor)))
    assert (numbers(first.records), numbers(second.records)) == ([1, 2], [3, 4])
    third = LocalRecords(tmp_path).read(second.cursor)
    assert third == ((), second.cursor)


def test_a_torn_tail_waits_for_the_rest(tmp_path: Path) -> None:
    whole = frame(record(2))
    append(tmp_path / "a.seg", frame(record(1)) + whole[:-3])
    first = LocalRecords(tmp_path).read({})
    append(tmp_path / "a.seg", whole[-3:])
    second = LocalRecords(tmp_path).read(first.cursor)
    assert (numbers(first.records), numbers(second.records)) == ([1], [2])


def test_the_torn_tail_of_a_worker_that_died_costs_no_more_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(tmp_path / "a.seg", frame(record(1)) + frame(record(2))[:-3])
    first = LocalRecords(tmp_path).read({})
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("the file was opened again"))
    assert LocalRecords(tmp_path).read(first.cursor) == ((), first.cursor)


@pytest.mark.parametrize("tail", [b"\0" * 64, frame(record(2))[:-1] + b"\xff" + frame(record(3))])
def test_a_damaged_frame_ends_its_file_and_is_told(tmp_path: Path, tail: bytes, caplog: pytest.LogCaptureFixture) -> None:
    append(tmp_path / "a.seg", frame(record(1)) + tail)
    append(tmp_path / "b.seg", frame(record(9)))
    with caplog.at_level(logging.WARNING):
        first = LocalRecords(tmp_path).read({})
    assert numbers(first.records) == [1, 9]
    assert "damaged" in caplog.text
    assert LocalRecords(tmp_path).read(first.cursor).records == ()


def test_a_read_is_bounded_and_fair_to_every_file(tmp_path: Path) -> None:
    for i in range(100):
        append(tmp_path / "a.seg", frame(record(i)))
        append(tmp_path / "b.seg", frame(record(1000 + i)))
    source, seen = LocalRecords(tmp_path, limit=30), []
    cursor: Cursor = {}
    while (batch := source.read(cursor)).records:
        assert len(batch.records) <= 30
        seen.append(numbers(batch.records))
        cursor = batch.cursor
    assert len([number for number in seen[0] if number >= 1000]) == 15
    assert sorted(number for numbers_ in seen for number in numbers_) == [*range(100), *range(1000, 1100)]


def test_a_record_larger_than_a_chunk_is_read_whole(tmp_path: Path) -> None:
    large = Record(("p",), "m", 1, Revision(1, 1), 1.0, {"x": ["x" * (9 << 20)]}, (0.5,))
    append(tmp_path / "a.seg", frame(large) + frame(record(2)))
    assert numbers(LocalRecords(tmp_path).read({}).records) == [1, 2]


def test_files_that_are_gone_leave_the_cursor(tmp_path: Path) -> None:
    append(tmp_path / "a.seg", frame(record(1)))
    first = LocalRecords(tmp_path).read({})
    (tmp_path / "a.seg").unlink()
    assert LocalRecords(tmp_path).read(first.cursor) == ((), {})


@pytest.mark.parametrize("moment", ["stat", "open"])
def test_a_file_that_vanishes_while_it_is_read_takes_no_other_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    append(tmp_path / "a.seg", frame(record(1)))
    append(tmp_path / "b.seg", frame(record(2)))
    look = getattr(Path, moment)

    def vanish(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == "a.seg":
            path.unlink(missing_ok=True)
        return look(path, *arguments, **options)

    monkeypatch.setattr(Path, moment, vanish)
    first = LocalRecords(tmp_path).read({})
    assert numbers(first.records) == [2]
    assert LocalRecords(tmp_path).read(first.cursor).records == ()


def test_records_of_before_are_read_beside_those_of_now(tmp_path: Path) -> None:
    """A record had eight fields."""
    payload = msgspec.msgpack.encode((("p1",), "m", 1, Revision(1, 1), 1.0, {"x": [1]}, (0.5,), None))
    append(tmp_path / "a.seg", HEADER.pack(len(payload), crc32(payload)) + payload)
    append(tmp_path / "a.seg", frame(Record((), "m", 2, Revision(1, 1), 2.0, {"x": None}, (0.5,), None, "p1", shadow=True)))
    before, now = LocalRecords(tmp_path).read({}).records
    assert before == record(1)
    assert (before.answered, before.pair, before.shadow) == (True, None, False)
    assert (now.answered, now.pair, now.inputs) == (False, "p1", {"x": None})


@given(st.lists(st.integers(1, 60), max_size=12), st.integers(1, 5))
def test_however_the_bytes_come_every_record_is_read_once(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], limit: int
) -> None:
    folder = tmp_path_factory.mktemp("records")
    content, seen = b"".join(frame(record(i)) for i in range(8)), []
    cursor: Cursor = {}
    for size in [*cuts, len(content)]:
        append(folder / "a.seg", content[:size])
        content = content[size:]
        while (batch := LocalRecords(folder, limit=limit).read(cursor)).records:
            seen += numbers(batch.records)
            cursor = batch.cursor
        cursor = batch.cursor
    assert seen == list(range(8))
