"""A project as `lockgate init` makes it, copied for each test; the home is shared, so that what was built once is reused."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lockgate.entrypoints.cli import main
from tests.integration.cli.command import IDENTITY, CommandLine, change, git_knows


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCKGATE_HOME", raising=False)
    monkeypatch.delenv("LOCKGATE_DATABASE", raising=False)
    monkeypatch.delenv("LOCKGATE_TOKEN", raising=False)
    git_knows(monkeypatch, IDENTITY)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `project`, whose check is a quick one; the first test that runs it leaves `home` beside it."""
    folder = tmp_path_factory.mktemp("cli")
    with pytest.MonkeyPatch.context() as monkeypatch:
        git_knows(monkeypatch, IDENTITY)
        assert main(["init", str(folder / "project")]) == 0
        change(folder / "project" / "lockgate.yaml", "pytest -q tests", "echo looked")
        subprocess.run(["git", "-C", folder / "project", "commit", "-qam", "A quick check"], check=True)
    return folder


@pytest.fixture
def lockgate(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """In a copy of the project. Tests count on nothing that another left in the home, but for the speed."""
    shutil.copytree(made / "project", tmp_path / "project")
    return CommandLine(capsys, monkeypatch, tmp_path / "project", made / "home")


@pytest.fixture
def elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """In an empty folder, with a home that is not there."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return CommandLine(capsys, monkeypatch, folder, folder / ".lockgate")
