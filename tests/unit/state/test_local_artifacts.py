"""Artifacts in a folder: whole or not there, also when the process is killed; damage is found, and mended by keeping again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lockgate.integrations.local.artifacts import UNFINISHED, LocalArtifacts
from lockgate.kernel.digest import digest_bytes
from lockgate.kernel.errors import Corrupt, Unavailable
from lockgate.testing.artifacts import MemoryArtifacts

# Keeps a file, piece by piece, that never ends.
_KEEP_WITHOUT_END = """
import os, sys
from pathlib import Path
from lockgate.integrations.local.artifacts import LocalArtifacts
LocalArtifacts(Path(sys.argv[1])).put_file(Path("/dev/stdin"))
"""


@pytest.fixture
def store(tmp_path: Path) -> LocalArtifacts:
    return LocalArtifacts(tmp_path / "artifacts")


def test_an_artifact_lies_where_its_digest_says(store: LocalArtifacts, tmp_path: Path) -> None:
    digest = store.put(b"model")
    digits = digest.removeprefix("sha256:")
    assert store.path(digest) == tmp_path / "artifacts" / digits[:2] / digits[2:]
    assert store.path(digest).read_bytes() == b"model"
    assert _files(tmp_path) == [store.path(digest)]


def test_an_artifact_is_not_to_be_written_to(store: LocalArtifacts) -> None:
    assert store.path(store.put(b"model")).stat().st_mode & 0o777 == 0o444


@pytest.mark.parametrize("damaged", [b"modem", b"", b"model."])
def test_damage_is_found_and_mended_by_keeping_again(store: LocalArtifacts, damaged: bytes) -> None:
    digest = store.put(b"model")
    store.path(digest).chmod(0o644)
    store.path(digest).write_bytes(damaged)
    with pytest.raises(Corrupt, match=digest_bytes(damaged)):
        store.get(digest)
    assert store.put(b"model") == digest
    assert store.get(digest) == b"model"


def test_damage_is_found_in_memory_too() -> None:
    store = MemoryArtifacts()
    digest = store.put(b"model")
    store.damage(digest, b"modem")
    with pytest.raises(Corrupt, match=digest_bytes(b"modem")):
        store.get(digest)


def test_what_a_killed_process_was_writing_is_not_seen(store: LocalArtifacts, tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    command = [sys.executable, "-c", _KEEP_WITHOUT_END, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(b"x" * (3 << 20))
        process.stdin.flush()
        while not any(file.stat().st_size for file in _files(folder)):
            assert process.poll() is None
        process.kill()
    assert [file.name.startswith(UNFINISHED) for file in _files(folder)] == [True]
    assert not store.has(digest_bytes(b"x" * (3 << 20)))
    assert store.get(store.put(b"model")) == b"model"


def test_a_failure_on_the_way_leaves_nothing(store: LocalArtifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable, match="No space left"):
        store.put(b"model")
    assert _files(tmp_path) == []


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
