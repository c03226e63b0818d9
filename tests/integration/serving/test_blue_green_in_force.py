"""Blue-green against a gateway in its own process: who meets green, and what a switch and a switch back cost callers: nothing."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lockgate.domain.models import ModelVersion, RegisteredModel, Stage
from lockgate.domain.people import Actor
from lockgate.domain.projects import Deployment, Environment, ProjectRecord
from lockgate.domain.rollouts import Phase, Plan, Rollout, Shown, Signal, Strategy
from lockgate.entrypoints.api.app import create_app
from lockgate.integrations.sql.state import SqlState
from lockgate.kernel.clock import SystemClock
from lockgate.ports.state import MODELS, PROJECTS, VERSIONS, WORKERS
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.find_things import rollout_by
from lockgate.usecases.kill_rollout import followed, kill_rollout
from lockgate.usecases.publish_routes import publish_routes
from lockgate.usecases.roll_back import roll_back
from lockgate.usecases.start_rollout import open_rollout
from lockgate.usecases.steer_rollout import steer
from lockgate.usecases.world import World
from tests.integration.serving.data_plane import MODEL, TOKEN, DataPlane, Folder, answer_of, columns, picky_model, wait_for
from tests.samples.server import served

pytestmark = pytest.mark.integration

ADA = Actor("ada")
GREEN = {"x-lockgate-preview": "green"}
BLUE_BIAS, GREEN_BIAS = 0.0, 100.0


@dataclass
class Site:
    world: World
    plane: DataPlane
    rollout: Rollout
    met: int = 0  # requests that asked for green by its header, and got it

    def tick(self) -> Rollout:
        advance_rollouts(self.world, Judges())
        with self.world.state.read() as tx:
            return rollout_by(tx, self.rollout.id)

    @property
    def heard(self) -> int:
        """How many workers have said that they are there."""
        with self.world.state.read() as tx:
            return tx.count(WORKERS)

    def version(self, headers: dict[str, str] | None = None) -> str:
        named = {name.replace("-", "_"): value for name, value in (headers or {}).items()}
        version = self.plane.infer(columns((1.0, "AA")), None, **named).version
        self.met += headers is GREEN and version != "1"
        return version


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Version 1 in Production, version 2 in its preview, which nobody ends but a person; two workers."""
    world = World(SqlState.open(tmp_path / "state.db"), MemoryArtifacts(), SystemClock())
    folder = Folder(tmp_path / "artifacts")
    now = world.clock.now()
    plan = Plan(Strategy.BLUE_GREEN)
    with world.state.write() as tx:
        tx.put(PROJECTS, ProjectRecord(MODEL, "/p", Deployment.MANUAL, {"production": Environment(plan)}))
        tx.put(MODELS, RegisteredModel(MODEL, now, 2))
        blue = ModelVersion(MODEL, 1, folder.linear(BLUE_BIAS), "run-1", "ada", now, dirty=False, stage=Stage.PRODUCTION)
        green = ModelVersion(MODEL, 2, folder.linear(GREEN_BIAS), "run-2", "ada", now, dirty=False)
        tx.put(VERSIONS, blue)
        tx.put(VERSIONS, green)
        publish_routes(tx, MODEL)
        rollout = open_rollout(tx, green, "production", ADA, now)
    with served(create_app(world, home=None, control_token=TOKEN)) as address:
        plane = DataPlane(tmp_path / "home", folder, address, ("--grace", "0", "--workers", "2"))
        plane.start()
        made = Site(world, plane, rollout)
        try:
            wait_for(lambda: made.heard == 2, "both workers have said that they are there", 60)
            wait_for(lambda: made.tick().phase is Phase.PREVIEW, "green is warm in every worker")
            wait_for(lambda: {made.version(GREEN) for _ in range(20)} == {"2"}, "the workers know the preview")
            yield made
        finally:
            plane.stop()


@dataclass
class Callers:
    """Everyday callers and one who asks for green, all of whom keep their connections."""

    versions: list[str] = field(default_factory=list)
    preview: list[str] = field(default_factory=list)
    wrong: list[object] = field(default_factory=list)


@contextmanager
def calling(port: int) -> Iterator[Callers]:
    seen, over = Callers(), threading.Event()

    def call(headers: dict[str, str], versions: list[str]) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            while not over.is_set():
                connection.request("POST", f"/v2/models/{MODEL}/infer", columns((3.0, "UA")), headers)
                answer = connection.getresponse()
                content = json.loads(answer.read())
                version = answer.headers["x-lockgate-version"]
                versions.append(version)
                expected = answer_of(GREEN_BIAS if version == "2" else BLUE_BIAS, 3.0, "UA")
                if answer.status != 200 or content["outputs"][0]["data"] != [expected]:
                    seen.wrong.append((answer.status, content))

    threads = [threading.Thread(target=call, args=({}, seen.versions)) for _ in range(3)]
    threads.append(threading.Thread(target=call, args=(GREEN, seen.preview)))
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()


def switched(seen: Callers, version: str) -> None:
    """Every caller's answers are of the version from now on."""
    wait_for(lambda: set(seen.versions[-60:]) == {version}, f"version {version} answers everybody")


def test_only_who_asks_meets_green_and_switch_and_switch_back_fail_nobody(site: Site) -> None:
    assert site.plane.infer(columns((1.0, "AA")), version=2).version == "2"
    with calling(site.plane.port) as seen:
        wait_for(lambda: len(seen.versions) > 300 and len(seen.preview) > 50, "there is load")
        assert (set(seen.versions), set(seen.preview)) == ({"1"}, {"2"})
        assert site.version({"x-lockgate-preview": "blue"}) == "1"

        assert steer(site.world, site.rollout.id, Signal.PROMOTE, ADA).phase is Phase.PROMOTED
        switched(seen, "2")
        roll_back(site.world, MODEL, ADA)
        switched(seen, "1")
        wait_for(lambda: set(seen.preview[-20:]) == {"1"}, "there is no preview any more")
    assert seen.wrong == []
    loaded = [event for event in site.plane.events if event["event"] == "package ready"]
    assert len(loaded) == 2 * 2, "each worker loaded each version once"


def test_what_green_did_in_its_preview_is_kept_for_people_and_is_no_verdict(site: Site) -> None:
    for _ in range(5):
        site.version(GREEN)
    for _ in range(7):
        site.version()
    assert site.met >= 25
    wait_for(lambda: site.tick().shown.requests == site.met, "every request that met green is told of, and no other")
    told = site.tick()
    assert (told.shown.failures, told.rows, told.phase) == ({}, 0, Phase.PREVIEW)


def test_what_green_fails_in_its_preview_is_told_by_its_kind(site: Site) -> None:
    """Another green, which raises when it is asked about two rows; the champion answers in its place."""
    steer(site.world, site.rollout.id, Signal.ABORT, ADA)
    picky = site.plane.artifacts.package(picky_model(), [1.0], rows={"distance": [1.0], "carrier": ["AA"]})
    now = site.world.clock.now()
    with site.world.state.write() as tx:
        third = ModelVersion(MODEL, 3, picky, "run-3", "ada", now, dirty=False)
        tx.put(VERSIONS, third)
        site.rollout = open_rollout(tx, third, "production", ADA, now)
    wait_for(lambda: site.tick().phase is Phase.PREVIEW, "the other green is warm")
    wait_for(lambda: {site.version(GREEN) for _ in range(20)} == {"3"}, "the workers know the preview")
    reply = site.plane.infer(columns((1.0, "AA"), (2.0, "UA")), x_lockgate_preview="green")
    assert (reply.status, reply.version) == (200, "1")
    wait_for(lambda: site.tick().shown.failures == {"error": 1}, "the failure is told of")
    assert site.tick().shown != Shown()


def test_a_kill_is_known_to_be_enforced_when_both_workers_have_said_so(site: Site) -> None:
    killed = kill_rollout(site.world, site.rollout.id, ADA)
    seen = list(followed(site.world, killed, 10.0, time.sleep))[-1]
    assert (seen.complete, seen.workers, seen.missing) == (True, 2, ())
    assert killed.ended_at is not None
    assert seen.at is not None
    assert seen.at >= killed.ended_at
    assert {site.version(GREEN) for _ in range(40)} == {"1"}, "no worker answers with it after that"
    assert site.plane.infer(columns((1.0, "AA")), version=2).status == 404
