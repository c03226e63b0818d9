"""The demo's hands: a project in git, the command line as a user types it, the server, the traffic."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from demo.report import Report, Unexpected

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "01-flights"
Found = TypeVar("Found")


@dataclass
class Stage:
    """Where the story plays: `.demo` with the project, the home, the logs and the report."""

    folder: Path
    report: Report
    port: int = 7070
    data_port: int = 7080
    server: subprocess.Popen[bytes] | None = None
    pids: dict[str, int] = field(default_factory=dict)

    @property
    def project(self) -> Path:
        return self.folder / "flights"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def set_up(self) -> None:
        """An empty folder with the example project under git."""
        for old in (self.project, self.home):
            shutil.rmtree(old, ignore_errors=True)
        shutil.copytree(EXAMPLE, self.project, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        (self.project / ".gitignore").write_text("data/\n__pycache__/\n.pytest_cache/\n.ruff_cache/\n")
        self._git("init", "--quiet", "--initial-branch", "main")

    def commit(self, author: str, message: str, *edits: tuple[str, str, str]) -> None:
        """Replace `before` by `after` in a file for each edit (file, before, after), and commit."""
        for name, before, after in edits:
            path = self.project / name
            text = path.read_text()
            if before not in text:
                raise Unexpected(f"{name} does not hold {before!r}")
            path.write_text(text.replace(before, after))
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", message, author=author)
        self.report.say(f"{author} commits: {message}")

    def _git(self, *arguments: str, author: str = "demo") -> None:
        identity = {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in _identity(author)}
        subprocess.run(["git", *arguments], cwd=self.project, env=os.environ | identity, check=True)

    def lockgate(self, *arguments: str, who: str | None = None, expect: int = 0) -> Any:
        """Run a verb as a user would and return its JSON answer."""
        words = [*arguments, *(["--as", who] if who else [])]
        self.report.ran("lockgate " + " ".join(words))
        command = [sys.executable, "-m", "lockgate.entrypoints.cli", *words, "--json", "--home", str(self.home)]
        with (self.folder / "commands.log").open("ab") as log:
            done = subprocess.run(command, cwd=self.project, capture_output=True, check=False)
            log.write(" ".join(words).encode() + b"\n" + done.stdout + done.stderr)
        if done.returncode != expect:
            said = done.stderr.decode().strip() or _error_in(done.stdout)
            raise Unexpected(f"`lockgate {words[0]}` ended with {done.returncode} instead of {expect}: {said}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def start_server(self) -> None:
        command = [sys.executable, "-m", "lockgate.entrypoints.cli", "up", "--home", str(self.home)]
        command += ["--port", str(self.port), "--data-port", str(self.data_port)]
        self.report.ran("lockgate up")
        with (self.folder / "server.log").open("wb") as log:
            self.server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        wait_until(self._server_answers, 60, "the server answers")
        self.pids = dict(json.loads((self.home / "up.json").read_text())["processes"])

    def _server_answers(self) -> bool:
        if self.server is not None and self.server.poll() is not None:
            said = (self.folder / "server.log").read_text().strip().splitlines()
            raise Unexpected(f"the server ended: {said[-1] if said else 'it said nothing'}")
        return (self.home / "up.json").exists() and self.get_or_none("/health/ready") is not None

    def get(self, path: str) -> Any:
        """What the control plane answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as response:
            content = response.read()
            return json.loads(content) if content.strip() else {}

    def get_or_none(self, path: str) -> Any:
        """None where nobody answers yet, or answers with an error."""
        try:
            return self.get(path)
        except OSError:
            return None

    def served_versions(self, model: str) -> list[str]:
        """The versions that the data plane answers with; none while it does not know the model yet."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.data_port}/v2/models/{model}", timeout=10) as response:
                return list(json.loads(response.read())["versions"])
        except OSError:
            return []

    def stop_server(self) -> None:
        if self.server is not None and self.server.poll() is None:
            self.server.send_signal(signal.SIGTERM)
            self.server.wait(30)


@dataclass
class Traffic:
    """The booking system's process, and what it last told."""

    stage: Stage
    process: subprocess.Popen[str]
    last: dict[str, Any]

    @classmethod
    def begin(cls, stage: Stage, *months: int, skip: int = 0, rate: float = 1500.0) -> Traffic:
        command = [
            sys.executable,
            "-m",
            "demo.traffic",
            str(stage.project),
            *map(str, months),
            "--skip",
            str(skip),
            "--rate",
            str(rate),
        ]
        command += ["--port", str(stage.data_port)]
        log = (stage.folder / "traffic.log").open("ab")
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1)
        traffic = cls(stage, process, {})
        traffic._line()  # it is ready
        traffic._tell("go")
        traffic.listen()
        return traffic

    def listen(self) -> dict[str, Any]:
        """The next line that it tells."""
        self.last = self._line()
        return self.last

    def until(self, done: Callable[[], Found | None], what: str) -> Found | None:
        """Go on until `done` finds something; None at the end of the months."""
        while True:
            line = self.listen()
            self.stage.report.moving(f"{line['sent']} flights asked, {line['labels']} labels reported, waiting: {what}")
            if (found := done()) is not None:
                return found
            if line["done"]:
                return None

    def more(self, flights: int) -> None:
        """Go on for so many further flights, or to the end of the months."""
        goal = self.last["sent"] + flights
        while self.last["sent"] < goal and not self.last["done"]:
            self.listen()

    def end(self) -> dict[str, Any]:
        """Stop asking, report the labels that are owed, and give the last account; every request must have been answered."""
        if not self.last.get("done"):
            self._tell("stop")
            while not self.last["done"]:
                self.listen()
        self.process.wait(30)
        if self.last["failed"]:
            raise Unexpected(f"{self.last['failed']} requests failed, the first: {self.last['first_failure']}")
        return self.last

    def _line(self) -> dict[str, Any]:
        assert self.process.stdout is not None  # noqa: S101 - it was opened as a pipe
        line = self.process.stdout.readline()
        if not line:
            raise Unexpected(f"the traffic ended unexpectedly; see {self.stage.folder / 'traffic.log'}")
        return dict(json.loads(line))

    def _tell(self, word: str) -> None:
        assert self.process.stdin is not None  # noqa: S101
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()


def wait_until(found: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first truthy answer.

    Raises:
        Unexpected: none came in time.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := found():
            return answer
        time.sleep(0.1)
    raise Unexpected(f"waited {seconds:.0f} s in vain until {what}")


def _error_in(answer: bytes) -> str:
    """The one line that says what went wrong, where a JSON answer has one."""
    try:
        return str(json.loads(answer).get("error"))
    except (json.JSONDecodeError, AttributeError):
        return answer.decode().strip()


def _identity(name: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("NAME", name), ("EMAIL", f"{name}@airline.example")
