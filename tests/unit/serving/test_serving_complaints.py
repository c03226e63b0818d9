"""A disk that refuses is no reason to fill the log, and perhaps the same disk with it."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from lockgate.boundary.routes import Revision
from lockgate.serving.capture.access import Access, AccessLog
from lockgate.serving.capture.complaints import Complaints
from lockgate.serving.capture.records import RecordLog
from lockgate.testing.clock import VirtualClock
from tests.unit.serving.capture import tally

FULL = OSError(errno.ENOSPC, "No space left on device", "i-1.seg")


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, int, int]]:
    """(reason, times, dropped)."""
    return [(one.__dict__["reason"], one.__dict__["times"], one.__dict__["dropped"]) for one in caplog.records]


def test_a_reason_is_told_at_once_and_then_once_a_minute_with_what_it_cost(caplog: pytest.LogCaptureFixture) -> None:
    clock = VirtualClock()
    complaints = Complaints("records not written", clock)
    for _ in range(32 * 90):
        complaints.add(FULL, 3)
        clock.advance(1 / 32)
    reason = "No space left on device"
    assert told(caplog) == [(reason, 1, 3), (reason, 1920, 5760)]
    assert {one.__dict__["file"] for one in caplog.records} == {"i-1.seg"}


def test_another_reason_is_told_at_once_but_two_that_take_turns_are_not(caplog: pytest.LogCaptureFixture) -> None:
    """Nor is another file another reason: a segment that cannot be begun has a new name each time."""
    clock = VirtualClock()
    complaints = Complaints("records not written", clock)
    for number in range(100):
        complaints.add(OSError(errno.ENOSPC, "No space left on device", f"i-{number}.seg"), 1)
        complaints.add(OSError(errno.EIO, "Input/output error"), 1)
    assert told(caplog) == [("No space left on device", 1, 1), ("Input/output error", 1, 1)]


def test_records_and_the_access_log_complain_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = VirtualClock()
    records, access = RecordLog(tmp_path / "records", "i", clock=clock), AccessLog(tmp_path / "logs" / "a", clock=clock)
    for folder in ("records", "logs"):
        shutil.rmtree(tmp_path / folder)
    for number in range(50):
        records.keep(tally(), Revision(1, 1), (f"p{number}",), 1.0, None, (0.5,))
        assert records.write(records.take()).dropped == 1
        access.add(Access(1.0, "GET", "/", 200, 0.1))
        assert access.write(access.take()) == 1
    assert [one.message for one in caplog.records] == ["records not written", "access log not written"]
    clock.advance(60)
    access.add(Access(1.0, "GET", "/", 200, 0.1))
    access.write(access.take())
    assert told(caplog)[-1][1:] == (50, 50)
