"""A data plane of its own for one package: a folder that is thrown away, a port that is free, a table that names one version."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import msgspec

from lockgate.boundary.manifest import Manifest, encode
from lockgate.boundary.routes import Arm, Revision, Role, Route, RouteTable
from lockgate.boundary.trusted_types import TrustedTypes, lay_down
from lockgate.domain.packages import Cost
from lockgate.integrations.local.artifacts import LocalArtifacts
from lockgate.integrations.local.environment import own_environment
from lockgate.integrations.local.family import memory_of
from lockgate.kernel.errors import Invalid

_NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody is to hear of it
_LOOK = 0.005  # seconds between two looks whether it answers
_WARM = 50  # requests that are not counted
_LONGEST = 30.0  # seconds of asking, for those that count and for those that do not
_OK = 200
_LAST_LINES = 300  # characters of what a server that died had to say


class LocalPackageServer:
    """A ports.package_server.PackageServer. patience: seconds until the first answer, and for each further one.

    trusted: asked each time, what the policy trusts then.
    """

    def __init__(self, patience: float = 120.0, trusted: Callable[[], TrustedTypes] = TrustedTypes) -> None:
        self._patience = patience
        self._trusted = trusted

    def cost(self, manifest: Manifest, files: Mapping[str, bytes], columns: Mapping[str, Sequence[Any]], requests: int) -> Cost:
        bodies = _bodies(columns)
        with TemporaryDirectory(prefix="lockgate-cost-") as name, _served(Path(name), manifest, files, self._trusted()) as server:
            with closing(_Caller(server, manifest.model, self._patience)) as caller:
                cold = caller.first(bodies[0])
                for _ in caller.asked(bodies, min(_WARM, requests)):
                    pass
                latencies = tuple(caller.asked(bodies, requests))
            memory = memory_of(server.process.pid)
        return Cost(cold, latencies, memory, sum(file.size for file in manifest.files))


class _Server:
    """begun: monotonic seconds."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log
        self.begun = time.monotonic()

    def port(self) -> int | None:
        """Where it listens; None while it does not yet."""
        for line in self.log.read_bytes().splitlines():
            with suppress(ValueError, KeyError, TypeError):
                event = json.loads(line)
                if event["event"] == "listening":
                    return int(event["port"])
        return None

    def last_words(self) -> str:
        return self.log.read_text(errors="replace").strip()[-_LAST_LINES:]


class _Caller:
    """One connection that is kept, as a service that asks often has it."""

    def __init__(self, server: _Server, model: str, patience: float) -> None:
        self._server = server
        self._path = f"/v2/models/{quote(model, safe='')}/infer"
        self._patience = patience
        self._connection: http.client.HTTPConnection | None = None

    def first(self, body: bytes) -> float:
        """Ask until there is an answer. Seconds since the server's start."""
        end = self._server.begun + self._patience
        while time.monotonic() < end:
            if self._server.process.poll() is not None:
                raise Invalid(f"the server ended before it answered: {self._server.last_words()}")
            if self._connected() is not None and self._status(body) == _OK:
                return time.monotonic() - self._server.begun
            time.sleep(_LOOK)
        raise Invalid(f"no answer within {self._patience:g} seconds: {self._server.last_words()}")

    def ask(self, body: bytes) -> float:
        """Seconds until the whole answer was there."""
        begun = time.perf_counter()
        status = self._status(body)
        seconds = time.perf_counter() - begun
        if status != _OK:
            raise Invalid(f"the packaged model answers a held-out row with status {status}")
        return seconds

    def asked(self, bodies: Sequence[bytes], requests: int) -> Iterator[float]:
        """Seconds of each request; fewer of them where that would take too long, as with a model that is far too slow."""
        end = time.monotonic() + _LONGEST
        for number in range(requests):
            if time.monotonic() > end:
                return
            yield self.ask(bodies[number % len(bodies)])

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _connected(self) -> http.client.HTTPConnection | None:
        if self._connection is None and (port := self._server.port()) is not None:
            self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=self._patience)
        return self._connection

    def _status(self, body: bytes) -> int:
        connection = self._connection
        if connection is None:
            return 0
        try:
            connection.request("POST", self._path, body, {"content-type": "application/json"})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return 0
        return answer.status


def _bodies(columns: Mapping[str, Sequence[Any]]) -> list[bytes]:
    rows = zip(*columns.values(), strict=True)
    bodies = [json.dumps({"instances": [dict(zip(columns, row, strict=True))]}).encode() for row in rows]
    if not bodies:
        raise Invalid("there are no rows that the package could be asked about")
    return bodies


@contextmanager
def _served(folder: Path, manifest: Manifest, files: Mapping[str, bytes], trusted: TrustedTypes) -> Iterator[_Server]:
    store = LocalArtifacts(folder / "artifacts")
    for content in files.values():
        store.put(content)
    arm = Arm(1, store.put(encode(manifest)), Role.CHAMPION, 1.0)
    _lay_down(folder, RouteTable(Revision(1, 1), (Route(manifest.model, (arm,)),)))
    lay_down(folder / "plane", trusted)
    words = [sys.executable, "-P", "-m", "lockgate.serving", "--port", "0", "--control", _NOWHERE, "--watch-stdin"]
    words += ["--home", str(folder / "plane"), "--artifacts", str(folder / "artifacts"), "--secrets", str(folder / "secrets")]
    log = folder / "log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=said, stderr=said, cwd=folder, env=own_environment(), start_new_session=True
        )
    try:
        yield _Server(process, log)
    finally:  # it, and all that it started; also when we are interrupted
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _lay_down(folder: Path, table: RouteTable) -> None:
    """What a data plane finds when it starts while its control plane is away."""
    for name in ("plane", "secrets"):
        (folder / name).mkdir(mode=0o700)
    (folder / "plane" / "routes.json").write_bytes(msgspec.json.encode(table))
    (folder / "secrets" / "prediction.key").write_bytes(secrets.token_bytes(32))
    (folder / "secrets" / "control.token").write_text(secrets.token_urlsafe(32))
