"""Tests of building share one tiny project."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.build.tiny_project import Place, new_place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return new_place(tmp_path)
