"""A user's hands for the tests of the command line: a verb, its exit code, what it said."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lockgate.entrypoints.cli import main


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class CommandLine:
    """Runs verbs in this process, in `folder`; `home` is a home that nobody else uses."""

    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    folder: Path
    home: Path

    def __call__(self, *words: str) -> Said:
        self.monkeypatch.chdir(self.folder)
        self.capsys.readouterr()
        code = main([*words, "--home", str(self.home)])
        return Said(code, *self.capsys.readouterr())


IDENTITY = {"user.name": "Ada", "user.email": "ada@example.org"}


def git_knows(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    """Git's settings are these, whatever the machine's are."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(settings)))
    for index, (key, value) in enumerate(settings.items()):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{index}", key)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{index}", value)


def change(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))
