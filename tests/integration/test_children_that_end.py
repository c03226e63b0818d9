"""What `lockgate up` starts ends with it, and what comes after it is left alone."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from lockgate.domain.findings import JobState
from lockgate.ports.state import JOBS, RUNS
from lockgate.usecases.hold_lease import hold_lease
from tests.integration.installation import PROJECT, Installation

pytestmark = pytest.mark.integration

CLEAR = """
import json, os, sys
from pathlib import Path
from lockgate.entrypoints.supervisor.leftovers import clear_leftovers
from lockgate.wiring.home import Home

home = Home(Path(sys.argv[1]))
home.server.write_text(json.dumps({"processes": {"runner": os.getpid()}}))
clear_leftovers(home)
"""


def test_a_runner_ends_with_its_supervisor_in_the_midst_of_a_run(tmp_path: Path) -> None:
    here = Installation(tmp_path)
    (here.project / "lockgate.yaml").write_text(PROJECT + "checks: {endless: sleep 60}\n")
    here.ask_for(1)
    words = [sys.executable, "-m", "lockgate.entrypoints.runner", "--home", str(here.home.folder), "--watch-stdin"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True) as runner:
        while not _begun(here):
            assert runner.poll() is None
            time.sleep(0.05)
        assert runner.stdin is not None
        runner.stdin.close()
        while runner.poll() is None:
            taken = hold_lease(here.world, "runner", "the next one", 3.0)
            assert not taken or runner.wait(0.5) != 0, "the next runner would find the run's folder occupied"
            time.sleep(0.02)
        assert runner.wait(20) != 0
    with here.world.state.read() as tx:
        assert tx.find(JOBS)[0].state is JobState.RUNNING, "to be taken up again"


def test_a_supervisor_does_not_take_itself_for_what_another_left_behind(tmp_path: Path) -> None:
    """In a container process ids begin anew with every start."""
    subprocess.run([sys.executable, "-c", CLEAR, str(tmp_path)], check=True, timeout=30)
    assert not (tmp_path / "up.json").exists()


def _begun(here: Installation) -> bool:
    with here.world.state.read() as tx:
        return tx.count(RUNS) > 0
