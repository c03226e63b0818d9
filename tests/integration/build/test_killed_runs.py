"""Kill -9 of the process that runs a pipeline: its workers end with it, and the next run goes on where it stood."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lockgate.domain.runs import RunStatus
from lockgate.ports.state import OUTPUTS, RUNS
from lockgate.usecases.mark_interrupted import mark_interrupted
from tests.integration.build.tiny_project import Place, open_place

pytestmark = pytest.mark.integration

SLOWLY = """
import os, pathlib, time

def ran(step):
    place = pathlib.Path(__file__).parent.parent
    (place / "draft.txt").write_text(str(os.getpid()))
    (place / "draft.txt").replace(place / "pid.txt")
    with (place / "ran.txt").open("a") as file:
        file.write(step + chr(10))
    time.sleep(0.1)
"""


def start(place: Place) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "tests.integration.build.run_tiny", str(place.folder.parent)]
    return subprocess.Popen(words, cwd=Path(__file__).parents[3])


def finished_steps(place: Place) -> set[str]:
    with place.world.state.read() as tx:
        return {output.step.rpartition("/")[2] for output in tx.find(OUTPUTS)}


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split(")")[-1].split()[0] == "Z":
            return
        time.sleep(0.02)
    pytest.fail(f"worker {pid} outlived the process that started it")


def kill_after(process: subprocess.Popen[bytes], place: Place, finished: int, delay: float) -> None:
    """When so many steps have finished, and a little later."""
    deadline = time.monotonic() + 20
    while len(finished_steps(place)) < finished and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(delay)
    process.kill()
    process.wait()


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_repeats_no_finished_step(place: Place) -> None:
    chance = random.Random(7)
    place.write("counting.py", SLOWLY)
    repeated: list[str] = []
    for finished in range(6):
        before = finished_steps(place)
        process = start(place)
        kill_after(process, place, finished, chance.uniform(0, 0.2) + (0.5 if finished == 0 else 0))
        repeated += [step for step in place.ran() if step in before]
        if (pid := place.folder.parent / "pid.txt").exists():
            wait_until_gone(int(pid.read_text()))

    before = finished_steps(place)
    last = place.run()

    assert repeated == []
    assert before >= {"rows", "examples", "split"}
    assert set(place.ran()).isdisjoint(before)
    assert last.status is RunStatus.REGISTERED
    with open_place(place.folder.parent).world.state.read() as tx:
        ended = [run.status for run in tx.find(RUNS)]
    assert RunStatus.RUNNING not in ended
    assert RunStatus.INTERRUPTED in ended


def test_a_killed_run_shows_as_interrupted_when_it_is_looked_at(place: Place) -> None:
    place.edit("counting.py", "def ran(step):", "def ran(step):\n    import time; time.sleep(60)")
    process = start(place)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with place.world.state.read() as tx:
            if any(run.steps for run in tx.find(RUNS, status=RunStatus.RUNNING.value)):
                break
        time.sleep(0.05)
    assert mark_interrupted(place.world, place.build.folders) == []

    process.send_signal(signal.SIGKILL)
    process.wait()

    (run,) = mark_interrupted(place.world, place.build.folders)
    assert run.status is RunStatus.INTERRUPTED
    assert run.error == "its process went away; run again, and what was finished is reused"
