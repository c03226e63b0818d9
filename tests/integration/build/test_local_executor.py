"""The local executor by itself: side by side, in time, and gone when it is closed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockgate.integrations.local.executor import LocalExecutors
from lockgate.integrations.local.values import LocalValues
from lockgate.kernel.errors import Conflict
from lockgate.ports.executor import CallStep, Constant, Executor, RunCommand, Value

pytestmark = pytest.mark.integration

STEPS = """
import os, time

def nap(seconds):
    time.sleep(seconds)
    return os.getpid()

def total(values):
    values.append(1)
    return sum(values)

def listed(n):
    return list(range(n))
"""


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[Executor]:
    (tmp_path / "steps.py").write_text(STEPS)
    executors = LocalExecutors(tmp_path / "cache", workers=2)
    with executors.open(tmp_path, ["."], tmp_path, tmp_path / "workers.log") as executor:
        yield executor


def call(tmp_path: Path, key: str, function: str, timeout: float = 30.0, **arguments: Constant | Value) -> CallStep:
    log = str(tmp_path / f"{key}.log")
    return CallStep(key=key, log=log, timeout=timeout, module="steps", function=function, arguments=dict(arguments))


def test_workers_work_side_by_side(executor: Executor, tmp_path: Path) -> None:
    for key in ("warm-1", "warm-2"):
        executor.submit(call(tmp_path, key, "nap", seconds=Constant(0.2)))
    started = [executor.next().output, executor.next().output]
    assert len(set(started)) == 2

    begin = time.monotonic()
    for key in ("a", "b"):
        executor.submit(call(tmp_path, key, "nap", seconds=Constant(0.4)))
    keys = {executor.next().key, executor.next().key}

    assert keys == {"a", "b"}
    assert time.monotonic() - begin < 0.7


def test_each_reader_of_a_value_has_its_own(executor: Executor, tmp_path: Path) -> None:
    executor.submit(call(tmp_path, "list", "listed", n=Constant(3)))
    digest = executor.next().output
    assert digest is not None

    totals = []
    for key in ("first", "second"):
        executor.submit(call(tmp_path, key, "total", values=Value(digest)))
        totals.append(executor.next().output)

    assert totals[0] == totals[1]


def test_what_hangs_is_killed_in_time_and_the_rest_goes_on(executor: Executor, tmp_path: Path) -> None:
    executor.submit(call(tmp_path, "hangs", "nap", timeout=0.5, seconds=Constant(60)))
    executor.submit(call(tmp_path, "works", "nap", seconds=Constant(0.0)))
    executor.submit(RunCommand(key="sleeps", log=str(tmp_path / "sleeps.log"), timeout=0.5, words=("sleep", "60")))
    begin = time.monotonic()

    outcomes = {outcome.key: outcome for outcome in (executor.next() for _ in range(3))}

    assert time.monotonic() - begin < 5
    assert outcomes["works"].error is None
    assert outcomes["hangs"].error == outcomes["sleeps"].error == "took longer than 0.5s and was killed"
    executor.submit(call(tmp_path, "after", "nap", seconds=Constant(0.0)))
    assert executor.next().error is None


def test_a_value_that_was_altered_is_not_read(executor: Executor, tmp_path: Path) -> None:
    values = LocalValues(tmp_path / "cache")
    digest = values.put(b"something")
    path = tmp_path / "cache" / digest[7:9] / digest[9:]
    path.chmod(0o644)
    path.write_bytes(b"something else")

    executor.submit(call(tmp_path, "reads", "total", values=Value(digest)))

    assert "its bytes are" in (executor.next().error or "")
    assert not values.holds(digest)


def test_waiting_for_nothing_is_an_error(executor: Executor) -> None:
    with pytest.raises(Conflict, match="nothing was submitted"):
        executor.next()


def test_nothing_outlives_the_executor(tmp_path: Path) -> None:
    with LocalExecutors(tmp_path / "cache").open(tmp_path, ["."], tmp_path, tmp_path / "workers.log") as executor:
        words = ("python", "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)")
        executor.submit(RunCommand(key="long", log=str(tmp_path / "long.log"), timeout=60, words=words))
        executor.submit(RunCommand(key="short", log=str(tmp_path / "short.log"), timeout=60, words=("sleep", "0.5")))
        assert executor.next().key == "short"
        pid = int((tmp_path / "long.log").read_text())

    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").exists() and " Z " in Path(f"/proc/{pid}/stat").read_text():
            return
        time.sleep(0.02)
    pytest.fail("the command outlived its executor")
