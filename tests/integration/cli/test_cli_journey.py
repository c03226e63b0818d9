"""The verbs in the order of the journey, on a project that `init` made: answers, JSON, exit codes, and what stops a run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import yaml

from lockgate.domain.rollouts import Phase
from lockgate.ports.state import ROLLOUTS
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world
from tests.integration.cli.command import CommandLine, change


def test_from_a_plan_to_a_rollout_and_back(lockgate: CommandLine) -> None:
    lockgate.home = lockgate.folder / ".lockgate"
    assert {one["intent"] for one in lockgate("plan", "--json").json} == {"run"}

    ran = lockgate("run")
    assert ran.code == 0
    assert "Next: lockgate request tumour 1 --to Production" in ran.out
    assert lockgate("why", "model", "--json").json["intent"] == "reuse"
    [run] = lockgate("runs", "--json").json
    assert run["status"] == "registered"
    assert "tumour version 1 is registered" in lockgate("runs", "show", run["id"]).out
    assert [one["version"] for one in lockgate("versions", "tumour", "--json").json] == [1]

    asked = lockgate("request", "tumour", "1", "--to", "production", "--json").json
    assert asked["id"] in lockgate("status").out
    assert lockgate("request", "tumour", "1", "--to", "production").code == 1  # it is asked for already
    approved = lockgate("approve", asked["id"])
    assert approved.code == 0
    assert "Next: lockgate status" in approved.out

    [rollout] = lockgate("rollout", "status", "--json").json
    assert rollout["phase"] == "preparing"
    assert rollout["id"] in lockgate("rollout", "status").out  # whole: names are for copying
    assert lockgate("rollback", "tumour", "--reason", "a second thought").code == 0
    assert lockgate("rollout", "status", rollout["id"]).code == 3
    assert lockgate("rollout", "replay", rollout["id"]).code == 0

    assert lockgate("comment", "tumour", "1", "It was good.").code == 0
    actions = [one["happened"]["action"] for one in lockgate("audit", "log", "--json").json]
    assert actions[0] == "run:pipeline:started"
    assert lockgate("audit", "verify", "--json").json["events"] == len(actions)
    assert lockgate("audit", "at", datetime.now(UTC).isoformat()).code == 0  # noqa: TID251
    for words in (["models"], ["status"], ["watch", "tumour"], ["runs", "show", run["id"]]):
        assert lockgate(*words, "--json").json
    assert lockgate("models").out.count("tumour") == 1


def test_the_end_of_a_held_rollout_is_4(lockgate: CommandLine) -> None:
    lockgate.home = lockgate.folder / ".lockgate"
    lockgate("run")
    opened = lockgate("rollout", "start", "tumour", "1", "--json").json
    world = open_world(Home(lockgate.home))
    with world.state.write() as tx:
        one = tx.get(ROLLOUTS, opened["id"])
        assert one is not None
        tx.put(ROLLOUTS, replace(one, phase=Phase.HOLDING))
    assert lockgate("rollout", "status", opened["id"]).code == 4


def test_the_rules_say_no_with_3(lockgate: CommandLine) -> None:
    lockgate("run")
    said = lockgate("rollout", "start", "tumour", "1", "--to", "production")
    assert said.code == 3
    assert "lockgate request tumour 1 --to Production" in said.err


def test_options_may_stand_before_the_verb(lockgate: CommandLine) -> None:
    lockgate("run")
    assert lockgate("--json", "--as", "ada", "models").json


@pytest.mark.parametrize(
    ("file", "before", "after", "code", "said"),
    [
        ("lockgate.yaml", "auc >= 0.9,", "auc >= 0.999,", 3, "at least 0.999 is asked"),
        ("lockgate.yaml", "echo looked", "ls no-such-file", 3, "cannot access 'no-such-file'"),
        ("lockgate.yaml", "echo looked", "no-such-program", 1, "'no-such-program' is no program that is found here"),
        ("contracts/cells.yaml", "radius: {type: float, min: 0,", "radius: {type: float, min: 10,", 3, "breaks its contract"),
        ("pipeline.py", "return RandomForestClassifier", 'raise ValueError("ill"); RandomForestClassifier', 1, "ValueError: ill"),
        ("pipeline.py", "return RandomForestClassifier", "import os; os._exit(7); RandomForestClassifier", 1, "exit code 7"),
        ("pipeline.py", "cells[LABEL], test", "(cells.radius // 8).clip(0, 2).astype(int), test", 1, "3 classes"),
    ],
)
def test_what_stops_a_run_is_told_and_nothing_is_registered(
    lockgate: CommandLine, file: str, before: str, after: str, code: int, said: str
) -> None:
    change(lockgate.folder / file, before, after)
    change(lockgate.folder / "lockgate.yaml", "model: tumour", "model: stopped")
    told = lockgate("run")
    assert told.code == code
    assert said in told.err + told.out
    assert "Traceback" not in told.out
    assert "stopped" not in [one["name"] for one in lockgate("models", "--json").json]
    latest = lockgate("runs", "--model", "stopped", "--json").json[0]
    assert latest["status"] == ("refused" if code == 3 else "failed")
    assert latest["version"] is None


def test_all_faults_of_a_project_file_at_once(lockgate: CommandLine) -> None:
    for before, after in (
        ("model: tumour", "modle: tumour"),
        ("strategy: canary", "strategy: canari"),
        ("alpha: 0.01, beta", "alpha: 7, beta"),
        ("deployment: manual", "deployment: auto"),
    ):
        change(lockgate.folder / "lockgate.yaml", before, after)
    said = lockgate("run")
    assert said.code == 1
    for fault in ("did you mean 'model'?", "'canari' found", "7 found", "'auto' found"):
        assert fault in said.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["request", "nope", "1", "--to", "staging"], "there is no model 'nope'"),
        (["request", "tumour", "9999", "--to", "staging"], "tumour has no version 9999"),
        (["approve", "request-x"], "there is no request 'request-x'"),
        (["rollout", "status", "rollout-x"], "there is no rollout 'rollout-x'"),
        (["rollout", "pause", "rollout-x"], "there is no rollout 'rollout-x'"),
        (["rollout", "replay", "rollout-x"], "there is no rollout 'rollout-x'"),
        (["runs", "show", "run-x"], "there is no run 'run-x'"),
        (["versions", "nope"], "there is no model 'nope'"),
        (["watch", "nope"], "there is no model 'nope'"),
        (["rollback", "nope"], "there is no model 'nope'"),
        (["why", "nope"], "the pipeline has no step 'nope'"),
        (["run", "--commit", "nope"], "has no commit 'nope'"),
        (["run", "--param", "tres=3"], "did you mean 'trees'?"),
        (["audit", "at", "yesterday"], "ISO 8601 expected"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_not_there_is_named_with_1(lockgate: CommandLine, words: list[str], said: str) -> None:
    lockgate("run")
    told = lockgate(*words)
    assert told.code == 1
    assert said in told.err


def test_a_contract_is_learned_from_data(lockgate: CommandLine) -> None:
    printed = yaml.safe_load(lockgate("contract", "learn", "data/cells.csv").out)
    assert printed["columns"]["radius"]["type"] == "float"
    assert lockgate("contract", "learn", "data/cells.csv", "--json").json == printed
    assert lockgate("contract", "learn", "data/cells.csv", "--to", "contracts/cells.yaml").code == 0
    assert lockgate("run").code == 0
