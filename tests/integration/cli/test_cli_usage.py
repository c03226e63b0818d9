"""The command line before anything is there: help, usage, wrong places, what `init` writes and what it leaves alone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lockgate.entrypoints.cli import VERBS, main
from lockgate.entrypoints.supervisor.up import only_one
from lockgate.wiring.home import Home
from tests.integration.cli.command import CommandLine, git_knows

LOOKING = [
    ["status"],
    ["models"],
    ["versions", "tumour"],
    ["runs"],
    ["runs", "show", "run-x"],
    ["watch", "tumour"],
    ["rollout", "status"],
    ["audit", "log"],
    ["audit", "verify"],
    ["approve", "request-x"],
    ["rollback", "tumour"],
]


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    assert f"Usage: lockgate {verb}" in capsys.readouterr().out


def test_help_shows_every_verb_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"\n  {verb} " in said for verb in VERBS)
    assert "3 a gate or verdict said no" in " ".join(said.split())


def test_a_group_says_its_commands_in_full_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    main(["rollout", "--help"])
    said = capsys.readouterr().out
    assert "..." not in said.partition("Commands:")[2]
    assert "compare it with what was said." in " ".join(said.split())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "Usage: lockgate"),
        (["statu"], "Did you mean 'status'?"),
        (["status", "--nope"], "--nope"),
        (["request", "tumour", "1"], "--to"),
        (["request", "tumour", "one", "--to", "Production"], "'one' is not a valid integer"),
        (["run", "--param", "trees"], "NAME=VALUE expected"),
        (["up", "--port", "99999"], "1<=x<=65535"),
        (["up", "--port", "7000", "--data-port", "7000"], "another port expected"),
        (["status", "--as", "controller"], "only Lockgate itself acts"),
        (["status", "--as", " "], "1 to 100 printable characters"),
    ],
)
def test_wrong_usage_is_2_and_says_what_is_wrong(
    words: list[str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert expected in "".join(capsys.readouterr())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_looking_where_nothing_is_says_so_and_makes_nothing(elsewhere: CommandLine, words: list[str]) -> None:
    said = elsewhere(*words)
    assert said.code == 1
    assert f"there is no home at {elsewhere.home}" in said.err
    assert "next: " in said.err
    assert list(elsewhere.folder.iterdir()) == []


@pytest.mark.parametrize("words", [["run"], ["plan"], ["why", "model"]], ids=" ".join)
def test_a_folder_that_is_no_project_stays_as_it_was(elsewhere: CommandLine, words: list[str]) -> None:
    said = elsewhere(*words)
    assert said.code == 1
    assert "there is no lockgate.yaml in" in said.err
    assert "lockgate init" in said.err
    assert list(elsewhere.folder.iterdir()) == []


def test_a_home_that_cannot_be_made_is_an_error_without_a_traceback(lockgate: CommandLine) -> None:
    lockgate.home = lockgate.folder / "lockgate.yaml" / "home"
    said = lockgate("plan")
    assert said.code == 1
    assert "Traceback" not in said.err
    assert "lockgate.yaml" in said.err
    assert "next: " in said.err
    assert "Traceback" in lockgate("plan", "-v").err


def test_init_makes_a_project_under_git(elsewhere: CommandLine) -> None:
    said = elsewhere("init", "mine", "--json")
    assert said.code == 0
    assert said.json["notes"] == []
    mine = elsewhere.folder / "mine"
    assert (mine / "lockgate.yaml").exists()
    assert (mine / "data" / "cells.csv").exists()
    assert subprocess.run(["git", "-C", mine, "status", "--porcelain"], capture_output=True, check=True).stdout == b""


def test_init_writes_over_nothing(elsewhere: CommandLine) -> None:
    (elsewhere.folder / "pipeline.py").write_text("mine = 1\n")
    said = elsewhere("init")
    assert said.code == 1
    assert "pipeline.py" in said.err
    assert [one.name for one in elsewhere.folder.iterdir()] == ["pipeline.py"]
    assert (elsewhere.folder / "pipeline.py").read_text() == "mine = 1\n"


def test_init_where_git_does_not_know_its_user_says_how_to_go_on(elsewhere: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    git_knows(monkeypatch, {"user.useConfigOnly": "true"})
    said = elsewhere("init", "mine")
    assert said.code == 0
    assert "git config --global user.name" in said.err
    assert "Next: cd mine && lockgate run" in said.out


def test_init_leaves_a_repository_to_its_owner(elsewhere: CommandLine) -> None:
    subprocess.run(["git", "init", "--quiet", elsewhere.folder], check=True)
    said = elsewhere("init", "mine")
    assert said.code == 0
    assert "commit the new files" in said.err
    assert not (elsewhere.folder / "mine" / ".git").exists()


def test_a_port_that_is_taken(elsewhere: CommandLine) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = elsewhere("up", "--port", str(port))
    assert said.code == 1
    assert f"port {port} on 127.0.0.1 is taken" in said.err
    assert "--port" in said.err


def test_a_second_server_on_a_home(elsewhere: CommandLine) -> None:
    home = Home(elsewhere.home)
    home.prepare()
    with only_one(home):
        said = elsewhere("up")
    assert said.code == 1
    assert f"a server (process {os.getpid()}) already lives on" in said.err


def test_as_a_program_it_ends_with_the_same_codes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lockgate.entrypoints.cli"]
    for words, code in ((["--version"], 0), (["nope"], 2), (["status"], 1)):
        assert subprocess.run([*command, *words], cwd=tmp_path, capture_output=True, check=False).returncode == code
