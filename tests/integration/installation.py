"""A whole installation for tests: the processes of `lockgate up` on free ports, a small project, traffic, a hand that kills."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Self

from lockgate.domain.findings import Job, JobState
from lockgate.ports.state import ALIASES, JOBS
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world

PROJECT = """
model: tiny
pipeline: pipeline.py
data: {points: {path: data.csv}}
params: {strength: 1.0}
gates: {quality: [auc >= 0.6]}
environments:
  production:
    strategy: canary
    steps: [20%, 50%]
    judge: {metrics: [errors], margins: {errors: {ratio: 1.5, floor: 5%}}}
deployment: automatic
watch: {drift: {window: 1000000}}
"""
PIPELINE = """
import pandas as pd
from lockgate import Split
from sklearn.linear_model import LogisticRegression


def split(points: pd.DataFrame) -> Split:
    held_out = points.index % 3 == 0
    train, test = points[~held_out], points[held_out]
    return Split(train[["x", "y"]], train["label"], test[["x", "y"]], test["label"])


def model(split: Split, strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength).fit(split.x_train, split.y_train)


def evaluation(model: LogisticRegression, split: Split) -> pd.DataFrame:
    return pd.DataFrame({"prediction": model.predict_proba(split.x_test)[:, 1], "label": split.y_test})
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Installation:
    """`up` may be called again whenever the supervisor is gone."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        self.home = Home((folder / "home").resolve())
        self.port, self.data_port = free_port(), free_port()
        self.supervisor: subprocess.Popen[bytes] | None = None
        self._log = folder / "up.log"
        _write_project(self.project)
        self.world = open_world(self.home)

    def up(self, patience: float = 60.0) -> None:
        command = [sys.executable, "-m", "lockgate.entrypoints.cli", "up", "--home", str(self.home.folder)]
        command += ["--port", str(self.port), "--data-port", str(self.data_port)]
        with self._log.open("ab") as log:
            self.supervisor = subprocess.Popen(command, stdout=log, stderr=log)
        self.wait(lambda: len(self.pids()) == 7, patience, "all processes run")

    def down(self) -> None:
        if self.supervisor is not None and self.supervisor.poll() is None:
            self.supervisor.send_signal(signal.SIGTERM)
            self.supervisor.wait(30)

    def pids(self) -> dict[str, int]:
        """Of the supervisor, its six children, and the gateway's worker; those that run now."""
        if self.supervisor is None or self.supervisor.poll() is not None:
            return {}
        try:
            told = json.loads(self.home.server.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        found = {"supervisor": int(told["pid"]), **told["processes"]}
        workers = _children(found.get("gateway", 0))
        if workers:
            found["worker"] = workers[0]
        return {name: pid for name, pid in found.items() if Path(f"/proc/{pid}").exists()}

    def kill(self, name: str) -> bool:
        """Kill with signal 9; a supervisor is started again, as its user would."""
        pid = self.pids().get(name)
        if pid is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        if name == "supervisor" and self.supervisor is not None:
            self.supervisor.wait()
            self.up()
        return True

    def ask_for(self, number: int) -> None:
        """Ask for a run of the pipeline, as a trigger would; each number gives another model."""
        job = Job(f"job-{number}", "tiny", str(self.project), "test", JobState.QUEUED, self.world.clock.now())
        with self.world.state.write() as tx:
            tx.add(JOBS, Job(**{**_fields(job), "params": {"strength": 1.0 + number / 10}}))

    def champion(self) -> int | None:
        with self.world.state.read() as tx:
            alias = tx.get(ALIASES, "tiny", "champion")
        return alias.version if alias else None

    def wait(self, until: Callable[[], object], seconds: float, what: str) -> None:
        end = time.monotonic() + seconds
        while not until():
            with self.world.state.read() as tx:
                broken = [job.error for job in tx.find(JOBS, state=JobState.FAILED.value)]
            if broken:
                raise AssertionError(f"a job failed: {broken}")
            if time.monotonic() > end:
                raise AssertionError(f"waited {seconds} s in vain until {what}; see {self._log} and {self.home.logs}")
            time.sleep(0.05)


class Traffic:
    """Requests one after the other, from a thread. A connection that breaks because its server was killed is opened again."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.answered = 0
        self.failed: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=10)
        body = json.dumps({"instances": [{"x": 0.5, "y": -1.0}]})
        while not self._stop.is_set():
            try:
                connection.request("POST", "/v2/models/tiny/infer", body, {"content-type": "application/json"})
                response = connection.getresponse()
                content = response.read()
            except (OSError, HTTPException):
                connection.close()
                time.sleep(0.05)
                continue
            if response.status == 200:
                self.answered += 1
            elif response.status not in (404, 503):  # nothing is served yet, or not yet again
                self.failed.append(f"{response.status} {content[:200]!r}")
            time.sleep(0.002)
        connection.close()


def _fields(job: Job) -> dict[str, Any]:
    return {name: getattr(job, name) for name in Job.__dataclass_fields__}


def _children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _write_project(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "lockgate.yaml").write_text(PROJECT)
    (folder / "pipeline.py").write_text(PIPELINE)
    (folder / ".gitignore").write_text("__pycache__/\n")
    lines = ["x,y,label"]
    state = 1
    for _ in range(900):
        state = state * 48271 % 2147483647
        x = state % 1000 / 250 - 2
        state = state * 48271 % 2147483647
        y = state % 1000 / 250 - 2
        state = state * 48271 % 2147483647
        lines.append(f"{x:.3f},{y:.3f},{int(x - y + (state % 1000 / 500 - 1) > 0)}")
    (folder / "data.csv").write_text("\n".join(lines) + "\n")
    identity = {f"GIT_{who}_{what}": "test@lockgate.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    identity |= {
        "GIT_AUTHOR_DATE": "2026-01-05T09:00:00Z",
        "GIT_COMMITTER_DATE": "2026-01-05T09:00:00Z",
    }  # the same commit always
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "A tiny project"]):
        subprocess.run(["git", *words], cwd=folder, check=True, env=os.environ | identity)
