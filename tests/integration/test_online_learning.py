"""Online learning by the processes of `lockgate up`: taught over HTTP a checkpoint comes in, poisoned it stops and goes back."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from lockgate.domain.learning import Learning, LearningState
from lockgate.domain.models import ModelVersion, Stage
from lockgate.domain.people import Actor
from lockgate.entrypoints.cli import main
from lockgate.ports.state import LEARNINGS, LESSON_LOGS
from lockgate.usecases.decide_request import approve_request
from lockgate.usecases.find_things import version_of
from lockgate.usecases.request_transition import request_transition
from lockgate.usecases.resume_learning import resume_learning
from lockgate.usecases.start_rollout import standing_in
from tests.integration.cli.command import IDENTITY, git_knows
from tests.integration.installation import Installation

MODEL = "parcels"
ROWS = 20  # of one lesson
ADA, BEN = Actor("ada"), Actor("ben")

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(400)]


@dataclass
class School:
    """The installation with the template's project, and how far its stream was sent."""

    here: Installation
    stream: dict[str, Any]
    number: int = 2_000

    def call(self, verb: str, body: dict[str, Any]) -> tuple[int, Any]:
        connection = HTTPConnection("127.0.0.1", self.here.data_port, timeout=30)
        connection.request("POST", f"/v2/models/{MODEL}/{verb}", json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        content = json.loads(response.read())
        connection.close()
        return response.status, content

    def teach(self, *, poison: bool = False) -> tuple[int, Any]:
        told = [self.stream["parcel"](self.number + place) for place in range(ROWS)]
        labels = [1 - late if poison else late for _, late in told]
        answer = self.call("learn", {"id": f"from {self.number}", "instances": [row for row, _ in told], "labels": labels})
        self.number += ROWS if answer[0] == 202 else 0
        return answer

    def ask(self) -> tuple[int, Any]:
        return self.call("infer", {"instances": [self.stream["parcel"](7)[0]]})

    def learning(self) -> Learning | None:
        with self.here.world.state.read() as tx:
            return tx.get(LEARNINGS, MODEL)

    def champion(self) -> ModelVersion | None:
        with self.here.world.state.read() as tx:
            return standing_in(tx, MODEL, "production")

    def log_rows(self) -> int:
        with self.here.world.state.read() as tx:
            log = tx.get(LESSON_LOGS, MODEL)
        return log.rows if log else 0

    def bring_in(self, number: int) -> None:
        """By a request that another person approves."""
        asked = request_transition(self.here.world, MODEL, number, Stage.PRODUCTION, ADA, "")
        approve_request(self.here.world, asked.id, BEN, "")
        self.here.wait(partial(self._stands, number), 60, f"version {number} is in Production")

    def _stands(self, number: int) -> bool:
        champion = self.champion()
        return champion is not None and champion.version == number


@pytest.fixture
def school(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[School]:
    git_knows(monkeypatch, IDENTITY)
    here, project = Installation(tmp_path), tmp_path / MODEL
    assert main(["init", str(project), "--template", "online", "--home", str(here.home.folder)]) == 0
    monkeypatch.chdir(project)
    assert main(["run", "--home", str(here.home.folder)]) == 0
    here.up()
    yield School(here, runpy.run_path(str(project / "stream.py")))
    here.down()


def test_what_is_taught_comes_in_by_evidence_and_poison_goes_out_by_itself(school: School) -> None:
    school.bring_in(1)
    school.here.wait(lambda: school.teach()[0] == 202, 30, "lessons are taken in")

    def taught_and_promoted() -> bool:
        assert school.teach()[0] == 202
        assert school.ask()[0] == 200
        time.sleep(0.1)
        champion = school.champion()
        return champion is not None and champion.learned is not None

    school.here.wait(taught_and_promoted, 150, "a checkpoint is promoted")
    promoted = school.champion()
    assert promoted is not None
    assert promoted.learned is not None
    sent = school.number - 2_000
    school.here.wait(lambda: school.log_rows() == sent, 30, "every row that was taken in stands in the log, once")
    assert promoted.learned.end <= sent
    status, answered = school.ask()
    assert (status, answered["model_version"]) == (200, str(promoted.version))
    assert replayed(school, promoted.version) == 0

    refused: list[Any] = []

    def poisoned_and_refused() -> bool:
        status, said = school.teach(poison=True)
        if status == 409:
            refused.append(said)
        assert status in (202, 409)
        time.sleep(0.05)
        return status == 409

    school.here.wait(poisoned_and_refused, 60, "lessons are refused")
    learning, champion = school.learning(), school.champion()
    assert learning is not None
    assert champion is not None
    assert learning.state is LearningState.STOPPED
    assert "are not believed any more" in learning.reason
    assert abs(learning.clean - sent) <= 40
    assert champion.learned is None or champion.learned.end <= learning.clean
    assert "is stopped" in refused[0]["detail"]
    assert school.ask()[0] == 200

    resume_learning(school.here.world, MODEL, ADA)
    school.here.wait(lambda: school.teach()[0] == 202, 30, "lessons are taken in again")
    after = school.learning()
    assert after is not None
    with school.here.world.state.read() as tx:
        assert version_of(tx, MODEL, after.base) == champion


def replayed(school: School, version: int) -> int:
    words = ["learning", "replay", MODEL, str(version), "--home", str(school.here.home.folder)]
    return subprocess.run([sys.executable, "-m", "lockgate.entrypoints.cli", *words], check=False).returncode
