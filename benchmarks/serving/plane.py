"""A data plane with a control plane that only counts: for every benchmark that loads, swaps, breaks or weighs it."""

from __future__ import annotations

import secrets
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.control_plane import ControlPlane
from benchmarks.serving.machine import cores, free_port
from benchmarks.serving.processes import Server, running
from lockgate.boundary.routes import Arm, Revision, Role, Route, RouteTable, Thresholds

UNIT = "header:x-user-id"
_READY = 60.0  # seconds
_THRESHOLDS = Thresholds(1, (0.5, 0.95, 0.99), (0.001,) * 3, (0.003,) * 3)


@dataclass(frozen=True, slots=True)
class DataPlane:
    port: int
    control: ControlPlane
    server: Server


def rollout(model: str, champion: str, canary: str, weight: float = 0.1) -> Route:
    """Version 1 in use, version 2 on trial with `weight` of the users, judged by its latencies."""
    arms = Arm(2, canary, Role.CANARY, weight), Arm(1, champion, Role.CHAMPION, 1 - weight)
    return Route(model, arms, "salt", UNIT, "rollout", _THRESHOLDS)


def in_use(model: str, digest: str) -> Route:
    """Version 1 answers everybody."""
    return Route(model, (Arm(1, digest, Role.CHAMPION, 1.0),))


def table(*routes: Route, n: int = 1) -> RouteTable:
    return RouteTable(Revision(1, n), routes)


@contextmanager
def data_plane(
    folder: Path, artifacts: Path, routes: RouteTable, *, arguments: Sequence[str] = (), ready: float = _READY
) -> Iterator[DataPlane]:
    """One that is ready, on the server's core, with its home in `folder`; its log is there too.

    Raises:
        Absent: it ended or did not become ready; with the last lines that it wrote.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    with ControlPlane(routes).serving() as control:
        control_url = f"http://127.0.0.1:{control.server_port}"
        places = ["--home", folder / "home", "--artifacts", artifacts, "--secrets", _secrets(folder)]
        command = [sys.executable, "-m", "lockgate.serving", "--port", port, "--control", control_url, *places, *arguments]
        log = folder / "data-plane.log"
        with running(list(map(str, command)), folder=Path.cwd(), log=log, core=cores().server) as server:
            server.wait(lambda: is_ready(port), ready)
            yield DataPlane(port, control, server)


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        return False


def _secrets(folder: Path) -> Path:
    kept = folder / "secrets"
    kept.mkdir(exist_ok=True)
    (kept / "prediction.key").write_bytes(secrets.token_bytes(32))
    (kept / "control.token").write_text("token")
    return kept
