"""`python -m benchmarks.serving.switch`: from a person's word to the last answer of the version that it sends away, under load.

promote and back: blue-green's switch, and the roll-back after it. kill: a canary with half of the units. Each is said in both
ways, over REST and on the home's store as the command line does. Everything is as in `lockgate up`: the control plane over SQLite
in one process, the data plane with two workers in others, long polls between them. Not counted: the start of a command's process.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.serving import load
from benchmarks.serving.machine import cores, free_port
from benchmarks.serving.models import Served, served
from benchmarks.serving.packages import onnx_form, package
from benchmarks.serving.plane import UNIT, is_ready
from benchmarks.serving.processes import running
from benchmarks.serving.trouble import shots, wait
from lockgate.domain.models import ModelVersion, RegisteredModel, Stage
from lockgate.domain.people import Actor
from lockgate.domain.projects import Deployment, Environment, ProjectRecord
from lockgate.domain.rollouts import Phase, Plan, Rollout, Signal, Strategy
from lockgate.ports.state import MODELS, PROJECTS, VERSIONS
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.find_things import rollout_by, version_of
from lockgate.usecases.kill_rollout import followed, kill_rollout
from lockgate.usecases.publish_routes import publish_routes
from lockgate.usecases.roll_back import roll_back
from lockgate.usecases.start_rollout import open_rollout
from lockgate.usecases.steer_rollout import steer
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world

ANN = Actor("ann")
BLUE_GREEN = Plan(Strategy.BLUE_GREEN)
CANARY = Plan(Strategy.CANARY, (0.5,), UNIT)
CALLERS = 4
SETTLED = 0.3  # seconds after the last worker's word: any answer of the old version would have come by then
_TIMES = 20


@dataclass
class Site:
    world: World
    model: str
    control: int  # ports
    gateway: int
    answers: list[tuple[float, str]] = field(default_factory=list)  # when they came, by the clock of durations; their version

    def post(self, path: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.control, timeout=10)
        connection.request("POST", path, b"{}", {"Content-Type": "application/json", "x-lockgate-actor": ANN.name})
        answer = connection.getresponse()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {answer.read()!r}")
        connection.close()

    def begin(self, plan: Plan, phase: Phase) -> Rollout:
        """A rollout of version 2 that has come so far."""
        with self.world.state.write() as tx:
            rollout = open_rollout(tx, version_of(tx, self.model, 2), "production", ANN, self.world.clock.now(), plan=plan)
        wait(lambda: self._ticked(rollout).phase is phase)
        return rollout

    def _ticked(self, rollout: Rollout) -> Rollout:
        advance_rollouts(self.world, Judges())
        with self.world.state.read() as tx:
            return rollout_by(tx, rollout.id)

    def last_of(self, version: str, say: Callable[[], Rollout | None]) -> float:
        """Seconds from the word to the last answer of `version`."""
        wait(lambda: version in {one for _, one in self.answers[-40:]})
        begun = time.perf_counter()
        said = say()
        if said is not None and not list(followed(self.world, said, 10.0, time.sleep))[-1].complete:
            raise SystemExit("a worker did not follow")
        time.sleep(SETTLED)
        came = [at for at, one in list(self.answers) if one == version and at > begun]
        return max(came, default=begun) - begun


def measured(site: Site, times: int) -> dict[str, list[float]]:
    """Seconds, by what was said and how."""
    seconds: dict[str, list[float]] = {}
    for number in range(2 * times):
        rest = number % 2 == 0
        way = "REST" if rest else "command line"
        rollout = site.begin(BLUE_GREEN, Phase.PREVIEW)
        seconds.setdefault(f"promote, {way}", []).append(site.last_of("1", _promote(site, rollout.id, rest=rest)))
        seconds.setdefault(f"back, {way}", []).append(site.last_of("2", _back(site, rest=rest)))
        rollout = site.begin(CANARY, Phase.PROGRESSING)
        seconds.setdefault(f"kill, {way}", []).append(site.last_of("2", _kill(site, rollout.id, rest=rest)))
    return seconds


def _promote(site: Site, rollout: str, *, rest: bool) -> Callable[[], Rollout | None]:
    if rest:
        return lambda: site.post(f"/api/v1/rollouts/{rollout}/promote")
    return lambda: steer(site.world, rollout, Signal.PROMOTE, ANN)


def _back(site: Site, *, rest: bool) -> Callable[[], Rollout | None]:
    if rest:
        return lambda: site.post(f"/api/v1/models/{site.model}/rollback")
    return lambda: roll_back(site.world, site.model, ANN)


def _kill(site: Site, rollout: str, *, rest: bool) -> Callable[[], Rollout | None]:
    if rest:
        return lambda: site.post(f"/api/v1/rollouts/{rollout}/abort")
    return lambda: kill_rollout(site.world, rollout, ANN)


@contextmanager
def site_of(folder: Path, model: Served) -> Iterator[Site]:
    """Version 1 in Production, version 2 registered."""
    home = Home(folder / "home")
    world = open_world(home)
    now = world.clock.now()
    first = ModelVersion(
        model.name,
        1,
        package(home.artifacts, model, onnx_form(model), run="1"),
        "1",
        "eve",
        now,
        dirty=False,
        stage=Stage.PRODUCTION,
    )
    second = replace(first, version=2, digest=package(home.artifacts, model, onnx_form(model), run="2"), stage=Stage.NONE)
    with world.state.write() as tx:
        tx.put(PROJECTS, ProjectRecord(model.name, "/p", Deployment.MANUAL, {"production": Environment(BLUE_GREEN)}))
        tx.put(MODELS, RegisteredModel(model.name, now, 2))
        tx.put(VERSIONS, first)
        tx.put(VERSIONS, second)
        publish_routes(tx, model.name)
    control, gateway = free_port(), free_port()
    api = [sys.executable, "-m", "lockgate.entrypoints.api", "--home", home.folder, "--port", control]
    places = ["--home", home.data_plane, "--artifacts", home.artifacts, "--secrets", home.secrets, "--workers", 2]
    serving = [sys.executable, "-m", "lockgate.serving", "--port", gateway, "--control", f"http://127.0.0.1:{control}", *places]
    with ExitStack() as stack:
        for name, command, core, up in (
            ("api", api, cores().load, lambda: _answers(control)),
            ("serving", serving, cores().server, lambda: is_ready(gateway)),
        ):
            server = running(list(map(str, command)), folder=Path.cwd(), log=folder / f"{name}.log", core=core)
            stack.enter_context(server).wait(up, 60.0)
        yield Site(world, model.name, control, gateway)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        return False


@contextmanager
def calling(site: Site, sent: list[load.Shot], failed: list[int]) -> Iterator[None]:
    over = threading.Event()

    def call(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", site.gateway, timeout=30)
        asked = 0
        while not over.is_set():
            shot = sent[asked % len(sent)]
            headers = dict(shot.headers) | {"x-user-id": f"user-{number}-{asked % 50}"}
            connection.request("POST", shot.path, shot.body, headers)
            answer = connection.getresponse()
            version = answer.headers["x-lockgate-version"]
            content = json.loads(answer.read())
            site.answers.append((time.perf_counter(), version))
            if answer.status != 200 or content["model_version"] != version:
                failed.append(answer.status)
            asked += 1
        connection.close()

    threads = [threading.Thread(target=call, args=(number,)) for number in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def spread(seconds: list[float]) -> str:
    ordered = sorted(1e3 * one for one in seconds)
    lower, upper = ordered[len(ordered) // 10], ordered[-1 - len(ordered) // 10]
    middle = statistics.median(ordered)
    return f"median {middle:.0f} ms, 10 % to 90 % {lower:.0f} to {upper:.0f} ms, longest {ordered[-1]:.0f} ms, of {len(ordered)}"


def main() -> None:
    asked = argparse.ArgumentParser(prog="python -m benchmarks.serving.switch", description=__doc__)
    asked.add_argument("--times", type=int, default=_TIMES, help="each word in each way (default: %(default)s)")
    given = asked.parse_args()
    model = served("linear")
    failed: list[int] = []
    with tempfile.TemporaryDirectory() as folder, site_of(Path(folder), model) as site:
        begun = time.perf_counter()
        with calling(site, shots(model), failed):
            seconds = measured(site, given.times)
        rate = len(site.answers) / (time.perf_counter() - begun)
    for what, told in sorted(seconds.items()):
        print(f"  {what}: {spread(told)}")
    print(f"  answers: {len(site.answers)}, {rate:.0f}/s over {CALLERS} connections; failed: {len(failed)}")


if __name__ == "__main__":
    main()
