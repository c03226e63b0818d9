"""The payload log: bounded, never in the way, and its sums are right: kept = logged + dropped (+ lost by a kill)."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lockgate.boundary.records import frames
from lockgate.boundary.routes import Revision
from lockgate.serving.capture import records as module
from lockgate.serving.capture.book import Book
from lockgate.serving.capture.files import append_whole
from lockgate.serving.capture.records import RecordLog, Written
from lockgate.serving.capture.spool import Spool
from lockgate.serving.capture.tally import Tally
from tests.unit.serving.capture import REVISION, Desk, die, records_in, tally


@dataclass
class Asked:
    rows: int
    values: dict[str, Any]


def keep(log: RecordLog, number: int = 0, one: Tally | None = None, **options: Any) -> None:
    log.keep(one or tally(), REVISION, (f"p{number}",), 1.0, Asked(1, {"x": [number]}), (0.5,), **options)


def write(log: RecordLog) -> Written:
    return log.write(log.take())


def test_a_record_says_what_was_asked_and_answered(tmp_path: Path) -> None:
    log = RecordLog(tmp_path, "i")
    asked = Asked(2, {"x": np.array([1.5, 2.0]), "c": ["AA", "UA"]})
    log.keep(tally(), REVISION, ("p1", "p2"), 7.0, asked, np.array([0.25, 0.5]))
    log.keep(tally(), Revision(), (), 8.0, None, (), "signature: it wants another column")
    log.keep(tally(version=2, shadow=True), REVISION, (), 9.0, asked, (0.25, 0.75), pair="p1")
    log.turn_away("m", 10.0, "no room", 2)
    assert write(log) == Written(5, 0, 0)
    log.close()
    answer, failure, shadow, shed, again = records_in(tmp_path)
    assert again == shed
    assert (answer.prediction_ids, answer.inputs, answer.scores) == (
        ("p1", "p2"),
        {"x": [1.5, 2.0], "c": ["AA", "UA"]},
        (0.25, 0.5),
    )
    assert (answer.model, answer.version, answer.revision, answer.answered_at) == ("m", 1, REVISION, 7.0)
    assert (failure.inputs, failure.scores, failure.failure) == ({}, (), "signature: it wants another column")
    assert (shadow.version, shadow.pair, shadow.shadow, shadow.scores) == (2, "p1", True, (0.25, 0.75))
    assert (shed.model, shed.version, shed.failure, shed.inputs) == ("m", 0, "shed: no room", {})
    assert [record.answered for record in (answer, failure, shadow, shed)] == [True, False, False, False]


def test_redacted_inputs_are_kept_by_name_only_and_reasons_that_may_quote_them_not_at_all(tmp_path: Path) -> None:
    log = RecordLog(tmp_path, "i")
    one, asked = tally(redacted=("passport",)), Asked(1, {"x": [1], "passport": ["C01X"]})
    log.keep(one, REVISION, ("p1",), 1.0, asked, (0.5,))
    log.keep(one, REVISION, (), 1.0, asked, (), "error: 'C01X' is no number")
    write(log)
    log.close()
    answer, failure = records_in(tmp_path)
    assert answer.inputs == failure.inputs == {"x": [1], "passport": None}
    assert failure.failure == "error"
    assert all(b"C01X" not in path.read_bytes() for path in tmp_path.iterdir())


def test_what_finds_no_room_in_memory_is_counted(tmp_path: Path) -> None:
    book = Book.in_memory(1)
    log = RecordLog(tmp_path, "i", book, buffer=1000)
    for number in range(20):
        keep(log, number, size=300)
    log.turn_away("m", 1.0, "no room", 3)
    assert book.unwritten == 23
    assert write(log) == Written(2, 21, 0)
    keep(log)
    assert write(log) == Written(1, 0, 0)
    log.close()
    assert len(records_in(tmp_path)) == 3


def test_a_record_that_cannot_be_encoded_costs_no_other(tmp_path: Path) -> None:
    log = RecordLog(tmp_path, "i")
    keep(log, 1)
    keep(log, 10**30)  # JSON spells it, a record does not
    keep(log, 2)
    assert write(log) == Written(2, 1, 0)
    log.close()
    assert [record.inputs["x"] for record in records_in(tmp_path)] == [[1], [2]]


def test_large_requests_fill_the_buffer_sooner(tmp_path: Path) -> None:
    log = RecordLog(tmp_path, "i", buffer=10_000)
    for _ in range(5):
        log.keep(tally(), REVISION, (), 1.0, Asked(500, {"x": [0.0] * 500}), [0.0] * 500)
    assert write(log) == Written(2, 3, 0)
    log.close()


def test_a_record_that_cannot_be_encoded_takes_no_other_with_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = RecordLog(tmp_path, "i")
    for value in (1, object(), "\ud800", 2):
        log.keep(tally(), REVISION, (), 1.0, Asked(1, {"x": [value]}), (0.5,))
    with caplog.at_level(logging.WARNING):
        assert write(log) == Written(2, 2, 0)
    log.close()
    assert [record.inputs for record in records_in(tmp_path)] == [{"x": [1]}, {"x": [2]}]
    assert len(caplog.records) == 1


def test_when_the_folder_is_full_the_oldest_segments_make_room(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = RecordLog(tmp_path, "i", segment=2000, limit=8000)
    written = removed = 0
    with caplog.at_level(logging.WARNING):
        for batch in range(60):
            for number in range(10):
                keep(log, 10 * batch + number)
            done = write(log)
            assert done.dropped == 0
            written, removed = written + done.logged, removed + done.removed
            assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 8000 + 1000
    log.close()
    assert written == 600
    assert removed > 5
    assert len([one for one in caplog.records if "full" in one.message]) == 1
    kept = sorted(int(record.prediction_ids[0][1:]) for record in records_in(tmp_path))
    assert kept == list(range(600 - len(kept), 600))


def test_the_segment_that_another_worker_writes_to_is_left_alone(tmp_path: Path) -> None:
    idle = RecordLog(tmp_path, "idle")
    keep(idle, 1)
    write(idle)
    os.utime(tmp_path / "idle-1.seg", (1.0, 1.0))
    (tmp_path / "dead-1.seg").write_bytes(b"x" * 500)
    os.utime(tmp_path / "dead-1.seg", (2.0, 2.0))
    busy = RecordLog(tmp_path, "busy", segment=200, limit=500)
    keep(busy, 2)
    assert write(busy).removed == 1
    keep(idle, 3)
    write(idle)
    idle.close()
    busy.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["busy-1.seg", "idle-1.seg"]
    assert [record.prediction_ids[0] for _, record in frames((tmp_path / "idle-1.seg").read_bytes())] == ["p1", "p3"]


def test_recording_goes_on_when_somebody_takes_the_open_segment_away(tmp_path: Path) -> None:
    log = RecordLog(tmp_path, "i")
    keep(log, 1)
    write(log)
    (tmp_path / "i-1.seg").unlink()
    keep(log, 2)
    assert write(log) == Written(1, 0, 0)
    log.close()
    assert [record.prediction_ids for record in records_in(tmp_path)] == [("p2",)]


class Full(FileIO):
    """A disk that takes only so many bytes at a time, and at some time no more. stuck: it cannot take anything back either."""

    left = 0
    stuck = False

    def write(self, content: Any, /) -> int:
        if not self.left:
            raise OSError(errno.ENOSPC, "no space left on device")
        taken = min(self.left, 7, len(content))
        self.left -= taken
        return super().write(bytes(content)[:taken])

    def truncate(self, size: int | None = None, /) -> int:
        if self.stuck:
            raise OSError(errno.EIO, "input/output error")
        return super().truncate(size)


def test_what_is_appended_stands_there_whole_or_not_at_all(tmp_path: Path) -> None:
    with Full(tmp_path / "file", "ab") as file:
        file.left = 100
        append_whole(file, b"x" * 30)
        file.left = 10
        with pytest.raises(OSError, match="no space"):
            append_whole(file, b"y" * 30)
        assert (tmp_path / "file").read_bytes() == b"x" * 30
        file.left, file.stuck = 10, True
        with pytest.raises(OSError, match="no space"):
            append_whole(file, b"z" * 30)
        assert file.closed


def test_what_a_full_disk_refuses_is_counted_and_the_rest_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Full, "left", 5000)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "FileIO", Full)
        log = RecordLog(tmp_path, "i")
        for number in range(200):
            keep(log, number)
        first = write(log)
    assert first.logged + first.dropped == 200
    assert first.logged % 32 == 0
    assert 0 < first.logged < 200
    log.close()
    keep(log, 999)
    assert write(log) == Written(1, 0, 0)
    log.close()
    assert len(records_in(tmp_path)) == first.logged + 1


def story_of_a_kill(home: Path, *, counted: bool) -> tuple[int, int]:
    """70 records are written, and then the worker is killed: before it counted them, or after; 5 more wait. Logged and lost."""
    desk = Desk(home)
    for number in range(3):
        keep(desk.records, number)
    asyncio.run(desk.flusher.flush())
    for number in range(70):
        keep(desk.records, number)
    written = write(desk.records)
    if counted:
        desk.ledger.count("records_logged", written.logged)
    for number in range(5):
        keep(desk.records, number)
    desk.records.close()
    die(desk.spool)
    (orphan,) = Spool.adopt(home / "spool")
    blocks = desk.blocks
    orphan.release()
    return sum(block.records_logged for block in blocks), sum(block.records_lost for block in blocks)


@pytest.mark.parametrize("counted", [False, True])
def test_what_a_killed_worker_takes_with_it_is_counted_to_the_last_record(tmp_path: Path, counted: bool) -> None:  # noqa: FBT001
    assert story_of_a_kill(tmp_path, counted=counted) == (73, 5)
    assert len(records_in(tmp_path / "records")) == 73


def test_a_worker_killed_in_the_middle_of_a_write_has_logged_what_can_be_read(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for number in range(10):
        keep(desk.records, number)
    write(desk.records)
    desk.records.close()
    (segment,) = (tmp_path / "records").iterdir()
    segment.write_bytes(segment.read_bytes()[:-1])
    die(desk.spool)
    (orphan,) = Spool.adopt(tmp_path / "spool")
    (block,) = desk.blocks
    orphan.release()
    assert (block.records_logged, block.records_lost) == (9, 1)


def test_a_disk_that_hangs_delays_no_answer_and_what_it_cost_is_counted(tmp_path: Path) -> None:
    """Were any of this to wait for the disk, the test would wait for ever: the disk goes on only after the last answer."""
    goes_on = threading.Event()
    kept = 70_000

    async def story() -> Desk:
        writer = ThreadPoolExecutor(1)
        desk, one = Desk(tmp_path, writer=writer), tally(keyed=False)
        writer.submit(goes_on.wait)  # all that is to be written comes after it
        flushing = asyncio.ensure_future(desk.flusher.flush())
        await asyncio.sleep(0)
        for number in range(kept):
            desk.serve(one, number)
            keep(desk.records, number, one, size=1000)
        assert not flushing.done()
        goes_on.set()
        await flushing
        await desk.flusher.finish()
        desk.records.close()
        die(desk.spool)
        return desk

    desk = asyncio.run(story())
    completed = sum(cell.completed for block in desk.blocks for cell in block.cells)
    lost = sum(block.requests_lost for block in desk.blocks)
    logged = sum(block.records_logged for block in desk.blocks)
    dropped = sum(block.records_dropped for block in desk.blocks)
    assert completed + lost == kept
    assert lost == kept - 65_536
    assert logged + dropped == kept
    assert logged == len(records_in(tmp_path / "records"))
    assert dropped > 10_000
