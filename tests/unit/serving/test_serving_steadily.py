"""What a worker does again and again, and what it says of itself: neither a fault nor a full disk ends it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from lockgate.serving.server import gauge
from lockgate.serving.server.gauge import Gauge, Load
from lockgate.serving.server.steadily import steadily


class Work:
    """Done as often as there are outcomes; an error among them is raised. Then it cancels whoever does it."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self.outcomes = list(outcomes)

    def __call__(self) -> None:
        if not self.outcomes:
            raise asyncio.CancelledError
        outcome = self.outcomes.pop(0)
        if outcome is not None:
            raise outcome


def test_a_fault_is_told_once_in_a_row_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    work = Work(None, OSError("no space"), ValueError("a fault of ours"), None, OSError("no space"), None)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(steadily(work, 0.0, "housekeeping failed"))
    assert work.outcomes == []
    assert [(one.message, one.exc_info is not None) for one in caplog.records] == [("housekeeping failed", True)] * 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is needed: /dev/full")
def test_a_worker_whose_load_finds_no_room_on_the_disk_goes_on(tmp_path: Path) -> None:
    (tmp_path / "w.load").symlink_to("/dev/full")
    told = Gauge(tmp_path, "w")
    told.write(Load(os.getpid(), 1.0, 0.0, 0.5))
    told.close()
    assert gauge.read(tmp_path, "v") is None
    other = Gauge(tmp_path, "v")
    other.write(Load(7, 1.0, 0.0, 0.5))
    other.close()
    assert gauge.read(tmp_path, "v") == Load(7, 1.0, 0.0, 0.5)
