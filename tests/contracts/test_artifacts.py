"""Memory and a folder keep one contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lockgate.integrations.local.artifacts import LocalArtifacts
from lockgate.ports.artifacts import ArtifactStore
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.checks.artifacts import ARTIFACT_CHECKS


@pytest.mark.parametrize("check", ARTIFACT_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("where", ["memory", "folder"])
def test_contract(check: Callable[[ArtifactStore], None], where: str, tmp_path: Path) -> None:
    check(MemoryArtifacts() if where == "memory" else LocalArtifacts(tmp_path / "artifacts"))
