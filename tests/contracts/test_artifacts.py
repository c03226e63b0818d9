"""Memory and a folder keep one contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lockgate.integrations.local.artifacts import LocalArtifacts
from lockgate.kernel.errors import Corrupt
from lockgate.ports.artifacts import ArtifactStore
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.checks.artifacts import ARTIFACT_CHECKS


@pytest.mark.parametrize("check", ARTIFACT_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("where", ["memory", "folder"])
def test_contract(check: Callable[[ArtifactStore], None], where: str, tmp_path: Path) -> None:
    check(MemoryArtifacts() if where == "memory" else LocalArtifacts(tmp_path / "artifacts"))


@pytest.mark.parametrize("elsewhere", [False, True], ids=["same file system", "another"])
def test_a_damaged_artifact_is_not_copied(tmp_path: Path, *, elsewhere: bool) -> None:
    store = LocalArtifacts(tmp_path / "artifacts")
    digest = store.put(b"model")
    with TemporaryDirectory(dir="/dev/shm" if elsewhere else tmp_path) as folder:
        path = Path(folder) / "model.onnx"
        store.copy(digest, path)
        assert (path.read_bytes(), path.stat().st_nlink) == (b"model", 1 if elsewhere else 2)
        path.unlink()
        store.path(digest).chmod(0o600)
        store.path(digest).write_bytes(b"mode1")
        with pytest.raises(Corrupt, match=f"artifact {digest}"):
            store.copy(digest, path)
        assert not path.exists()
