"""A package's files in a folder: nothing leaves it, and nothing stays behind, however a process ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lockgate.boundary.folder import Folder, check_names
from lockgate.kernel.errors import Invalid

FILES: dict[str, bytes | memoryview] = {"model.py": b"code", "data/a/b.bin": memoryview(b"\x00")}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_files_lie_under_their_names_as_long_as_the_folder_is_held(place: Path) -> None:
    folder = Folder(FILES)
    assert (folder.path / "data/a/b.bin").read_bytes() == b"\x00"
    other = Folder(FILES)
    assert folder.path.exists(), "a second folder leaves the first alone"
    del folder
    assert list(place.iterdir()) == [other.path]


def test_what_a_killed_process_left_behind_is_removed_by_the_next(place: Path) -> None:
    code = "import os; from lockgate.boundary.folder import Folder; kept = Folder({'a': b'1'}); os._exit(0)"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(place)}, check=True, timeout=20)
    (left,) = place.iterdir()
    folder = Folder(FILES)
    assert not left.exists()
    assert folder.path.exists()


def test_the_folder_of_a_process_that_lives_is_left_alone(place: Path) -> None:
    code = "from lockgate.boundary.folder import Folder; kept = Folder({'a': b'1'}); print(kept.path, flush=True); input()"
    environment, pipe = {**os.environ, "TMPDIR": str(place)}, subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], env=environment, text=True, stdin=pipe, stdout=pipe) as other:
        assert other.stdout is not None
        path = Path(other.stdout.readline().strip())
        Folder(FILES)
        assert (path / "a").read_bytes() == b"1"
        other.communicate("\n", timeout=20)
    assert not path.exists()


def test_what_a_process_forked_leaves_the_folder_to_it(place: Path) -> None:
    """As a worker of a server that loaded the model before it forked."""
    code = (
        "import os, sys; from lockgate.boundary.folder import Folder, Scratch; kept = Folder({'a': b'1'}), Scratch('s-')\n"
        "if os.fork() == 0: kept[1].close(); sys.exit(0)\n"
        "os.wait(); print(all(one.path.exists() for one in kept))"
    )
    environment = {**os.environ, "TMPDIR": str(place)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=20, capture_output=True, text=True)
    assert done.stdout == "True\n"
    assert list(place.iterdir()) == [], "it removes them itself"


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../up", "a/../../up", "a//b", "a/./b", "a\\b", "a\0b", "a/", "x" * 501])
def test_a_name_that_would_leave_the_folder_is_refused(name: str, place: Path) -> None:
    with pytest.raises(Invalid, match="a plain path below its folder expected"):
        Folder({name: b""})
    assert list(place.iterdir()) == []


def test_a_name_is_a_file_or_a_folder() -> None:
    with pytest.raises(Invalid, match="'a' is the name of a file and of a folder"):
        check_names(["a", "a/b"])
