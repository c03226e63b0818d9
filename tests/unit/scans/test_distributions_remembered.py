"""What is installed is looked up once for a process, and again when anything is installed or removed."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import packages_distributions
from pathlib import Path
from shutil import rmtree

import pytest

from lockgate.integrations.local.distributions import LocalDistributions
from lockgate.kernel.errors import MissingExtra

NAME = "lockgate_probe"


def install(folder: Path, version: str) -> Path:
    """As pip does it: the module first, the list of files last."""
    (folder / NAME).mkdir(parents=True, exist_ok=True)
    (folder / NAME / "__init__.py").touch()
    listed = folder / f"{NAME}-{version}.dist-info"
    listed.mkdir()
    (listed / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {version}\n")
    (listed / "RECORD").write_text(f"{NAME}/__init__.py,,\n")
    return listed


def versions() -> list[str]:
    return [one.version for one in LocalDistributions().needed_by([NAME])]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Python looks too."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    return tmp_path


def test_an_installation_an_update_and_a_removal_are_noticed(folder: Path) -> None:
    with pytest.raises(MissingExtra, match=NAME):
        versions()
    listed = install(folder, "1.0")
    assert versions() == ["1.0"]
    rmtree(listed)
    listed = install(folder, "2.0")
    assert versions() == ["2.0"]
    rmtree(listed)
    with pytest.raises(MissingExtra, match=NAME):
        versions()


def test_one_that_is_still_being_written_is_looked_at_again(folder: Path) -> None:
    listed = install(folder, "1.0")
    (listed / "RECORD").unlink()
    with pytest.raises(MissingExtra, match=NAME):
        versions()
    (listed / "RECORD").write_text(f"{NAME}/__init__.py,,\n")
    assert versions() == ["1.0"]


def test_while_nothing_changes_nobody_looks_twice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    def counted() -> Mapping[str, Sequence[str]]:
        nonlocal looks
        looks += 1
        return packages_distributions()

    monkeypatch.setattr("lockgate.integrations.local.distributions.packages_distributions", counted)
    install(folder, "1.0")
    assert versions() == versions() == ["1.0"]
    LocalDistributions().needed_by(["numpy"])
    assert looks == 1
