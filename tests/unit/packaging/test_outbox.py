"""What lies in the outbox is whole, and nothing else does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from lockgate.integrations.local.outbox import LocalOutbox
from lockgate.kernel.errors import Unavailable

DRAFTS = """
import sys, time
from pathlib import Path
from lockgate.integrations.local.outbox import LocalOutbox
with LocalOutbox(Path(sys.argv[1])).draft() as draft:
    (draft / "half").write_bytes(b"half")
    print(draft, flush=True)
    time.sleep(60)
"""


def test_a_placed_file_is_all_that_is_left(tmp_path: Path) -> None:
    outbox = LocalOutbox(tmp_path / "dist" / "deep")
    with outbox.draft() as draft:
        (draft / "more").mkdir()
        (draft / "more" / "model.whl").write_bytes(b"new")
        (draft / "more" / "model.whl").chmod(0o444)
        assert outbox.place(draft / "more" / "model.whl") == tmp_path / "dist" / "deep" / "model.whl"
    assert [path.name for path in (tmp_path / "dist" / "deep").iterdir()] == ["model.whl"]


def test_a_draft_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with suppress(KeyError), LocalOutbox(tmp_path).draft() as draft:
        (draft / "half").write_bytes(b"half")
        raise KeyError
    assert not any(tmp_path.iterdir())


def test_drafts_do_not_disturb_each_other(tmp_path: Path) -> None:
    with LocalOutbox(tmp_path).draft() as one, LocalOutbox(tmp_path).draft() as other:
        assert one != other
        assert one.is_dir()


def test_the_draft_of_a_killed_process_is_gone_with_the_next(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", DRAFTS, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        with LocalOutbox(tmp_path).draft():
            assert left.is_dir()  # it is at work
        os.kill(process.pid, signal.SIGKILL)
    assert left.is_dir()
    with LocalOutbox(tmp_path).draft():
        assert not left.exists()


def test_a_place_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="nothing can be put into"), LocalOutbox(tmp_path / "file" / "dist").draft():
        pass
