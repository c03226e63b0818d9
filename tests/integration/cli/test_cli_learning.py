"""`learning` on a home whose model learns online, and what `status` and `versions` say of it; the template of such a project."""

from __future__ import annotations

import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lockgate.boundary.observations import Lesson
from lockgate.domain.learning import LearningState
from lockgate.domain.models import Stage
from lockgate.integrations.local.artifacts import LocalArtifacts
from lockgate.ports.state import MODELS, VERSIONS
from lockgate.testing import builders as a
from lockgate.usecases.begin_course import begin_courses
from lockgate.usecases.find_things import version_of
from lockgate.usecases.learn_lessons import learn_lessons
from lockgate.usecases.live_models import LiveModels
from lockgate.usecases.log_lessons import log_lessons
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world
from tests.integration.cli.command import CommandLine
from tests.samples.learned import TOLLS, learns


@pytest.fixture
def world(elsewhere: CommandLine) -> World:
    opened = open_world(Home(elsewhere.home))
    learns(opened)
    return opened


@pytest.mark.usefixtures("world")
def test_status_says_how_far_it_learned_and_what_is_judged(elsewhere: CommandLine) -> None:
    said = elsewhere("learning", "status", TOLLS)
    assert said.code == 0
    for told in (
        "tolls: Version 7 answers while its successor learns: 9600 rows judged and learned since version 1, 40 wait",
        "9600 rows, 40 wait in the log",
        "version 10, at row 9000; the next after 400 more rows",
        "version 10, progressing (rollout-10)",
        "21.9% of 9600 rows by the champion's scores, believed up to 35.0%",
        "21% of the evidence that it takes",
    ):
        assert told in said.out, told
    for line in (("6", "5", "4000–4999", "22.0%", "harm"), ("3", "2", "1000–1999", "24.0%", "not judged")):
        assert any(all(part in row for part in line) for row in said.out.splitlines()), line
    told_json = elsewhere("learning", "status", TOLLS, "--json").json
    assert (told_json["waiting"], told_json["checkpoints"][0]["learned"]["parent"]) == (40, 9)


@pytest.mark.usefixtures("world")
def test_all_models_that_learn_are_one_table(elsewhere: CommandLine) -> None:
    said = elsewhere("learning", "status")
    assert said.code == 0
    row = next(line for line in said.out.splitlines() if TOLLS in line)
    assert row.split() == [TOLLS, "open", "7", "9600", "40", "400", "21.9%", "21%"]


def test_a_home_without_online_learning_says_so(elsewhere: CommandLine) -> None:
    with open_world(Home(elsewhere.home)).state.write() as tx:
        tx.put(MODELS, a.registered_model(name=TOLLS))
    assert "no model does: strategy online" in elsewhere("learning", "status").out
    missing = elsewhere("learning", "status", TOLLS)
    assert (missing.code, f"{TOLLS} does not learn online" in missing.err) == (1, True)
    assert "Say `strategy: online` in lockgate.yaml" in missing.err
    assert elsewhere("learning", "status", "nobody").code == 1
    assert elsewhere("learning", "stop", TOLLS).code == 1


@pytest.mark.usefixtures("world")
def test_a_person_stops_it_and_lets_it_go_on(elsewhere: CommandLine) -> None:
    stopped = elsewhere("learning", "stop", TOLLS, "--reason", "a bad batch", "--as", "ben")
    assert stopped.code == 0
    assert "tolls learns no more; version 7 goes on answering" in stopped.out
    told = elsewhere("learning", "status", TOLLS)
    assert told.code == 3
    assert "by ben: a bad batch" in told.out
    assert f"lockgate learning resume {TOLLS}" in told.out
    assert elsewhere("rollout", "status", "rollout-10", "--json").json["phase"] == "aborted"
    again = elsewhere("learning", "stop", TOLLS)
    assert (again.code, "stopped" in again.err, "ben" in again.err, "a bad batch" in again.err) == (1, True, True, True)
    resumed = elsewhere("learning", "resume", TOLLS)
    assert (resumed.code, "tolls learns again, from version 7 on" in resumed.out) == (0, True)
    assert elsewhere("learning", "status", TOLLS, "--json").json["learning"]["began"] == 9_640
    assert elsewhere("learning", "resume", TOLLS).code == 1


@pytest.mark.usefixtures("world")
def test_versions_status_and_rollouts_know_a_checkpoint(elsewhere: CommandLine) -> None:
    assert "checkpoint of version 6, rows 5000 to 5999" in elsewhere("versions", TOLLS).out
    assert "version 7 is a checkpoint of version 6, rows 5000 to 5999; it learns online, 40 rows wait" in elsewhere("status").out
    assert "version 10 is judged as a checkpoint (rollout-10)" in elsewhere("status").out
    judged = elsewhere("rollout", "status", "rollout-10").out
    for told in (
        "by online, progressing, judge says WAIT",
        "checkpoint 24, champion 48",
        "18 % (108 of 600)",
        "22 % (132 of 600)",
    ):
        assert told in judged, told
    assert "latency" not in judged


def test_status_tells_of_a_stop(elsewhere: CommandLine) -> None:
    learns(open_world(Home(elsewhere.home)), state=LearningState.STOPPED, reason="too many wrong", by="learner")
    assert "online learning is stopped: too many wrong" in elsewhere("status").out


def test_versions_without_checkpoints_have_no_column_for_them(elsewhere: CommandLine) -> None:
    with open_world(Home(elsewhere.home)).state.write() as tx:
        tx.put(MODELS, a.registered_model(name=TOLLS, latest_version=1))
        tx.put(VERSIONS, a.version(1, model=TOLLS))
    assert "learned online" not in elsewhere("versions", TOLLS).out


def test_templates_are_listed_and_an_unknown_one_names_its_neighbour(elsewhere: CommandLine) -> None:
    listed = elsewhere("init", "--templates", "--json")
    assert sorted(listed.json) == ["online", "tabular-classification"]
    wrong = elsewhere("init", "mine", "--template", "onlin")
    assert wrong.code == 1
    assert "there is no template 'onlin'" in wrong.err
    assert "Did you mean 'online'?" in wrong.err
    assert not (elsewhere.folder / "mine").exists()


def test_the_online_template_runs_at_once_and_its_checkpoints_can_be_made_again(elsewhere: CommandLine) -> None:
    made = elsewhere("init", "mine", "--template", "online", "--json")
    assert (made.code, made.json["notes"]) == (0, [])
    project: Path = elsewhere.folder / "mine"
    assert (project / "data" / "parcels.csv").read_text().count("\n") == 2001
    elsewhere.folder = project
    ran = elsewhere("run")
    assert ran.code == 0, ran.err
    version = elsewhere("versions", "parcels", "--json").json[0]
    assert (version["dirty"], version["learned"]) == (False, None)
    none = elsewhere("learning", "replay", "parcels", "1")
    assert none.code == 1

    home = Home(elsewhere.home)
    teach(open_world(home), project, 1_100)
    again = elsewhere("learning", "replay", "parcels", "3")
    assert again.code == 0, again.out
    assert "version 2 after 1, 500 rows: " in again.out
    assert "version 3 after 2, 500 rows: " in again.out
    assert "2 checkpoints are the same, bit for bit" in again.out
    told = elsewhere("learning", "replay", "parcels", "2", "--json").json
    assert told[0]["found"] == told[0]["expected"]

    lessons = elsewhere("versions", "parcels", "--json").json[0]["learned"]["lessons"]
    file = LocalArtifacts(home.artifacts).path(lessons)
    file.chmod(0o644)
    file.write_bytes(file.read_bytes().replace(b'"labels":[1', b'"labels":[0', 1))
    altered = elsewhere("learning", "replay", "parcels", "3")
    assert (altered.code, "not the same: 3" in altered.out) == (3, True)


def teach(world: World, project: Path, rows: int) -> None:
    """The stream's first rows, through the log and the learner's turns, with the run's version in Production."""
    parcel = runpy.run_path(str(project / "stream.py"))["parcel"]
    with world.state.write() as tx:
        tx.put(VERSIONS, replace(version_of(tx, "parcels", 1), stage=Stage.PRODUCTION))
    begin_courses(world)
    for number in range(2_000, 2_000 + rows, 50):
        told = [parcel(number + place) for place in range(50)]
        inputs = {name: [row[name] for row, _ in told] for name in told[0][0]}
        labels = tuple(float(late) for _, late in told)
        with world.state.write() as tx:
            log_lessons(tx, "parcels", [Lesson(f"from {number}", "parcels", 1, inputs, labels, 0.0)])
    models = LiveModels()
    while learn_lessons(world, models):
        pass


def test_the_teacher_without_a_server_says_what_to_start(elsewhere: CommandLine) -> None:
    assert elsewhere("init", "mine", "--template", "online").code == 0
    words = [
        sys.executable,
        "-I",
        "-c",
        "import sys, runpy; sys.path.insert(0, '.'); sys.argv[1:] = ['--url', 'http://127.0.0.1:9'];",
    ]
    words[-1] += " runpy.run_path('teach.py', run_name='__main__')"
    done = subprocess.run(words, cwd=elsewhere.folder / "mine", capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "nobody answers at http://127.0.0.1:9" in done.stderr
    assert "lockgate up" in done.stderr
