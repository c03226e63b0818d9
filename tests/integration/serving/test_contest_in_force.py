"""A contest of three versions in force: every user keeps an arm, labels over HTTP find the winner, and it enters Production."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.contests import Contest, Goal
from lockgate.domain.events import Action, Happened
from lockgate.domain.models import ModelVersion, RegisteredModel, Stage
from lockgate.domain.people import Actor
from lockgate.domain.projects import Deployment, Environment, ProjectRecord
from lockgate.domain.rollouts import JudgePolicy, Phase, Plan, Strategy
from lockgate.entrypoints.api.app import create_app
from lockgate.integrations.sql.state import SqlState
from lockgate.kernel.clock import SystemClock
from lockgate.ports.state import MODELS, PROJECTS, VERSIONS
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.usecases.advance_rollouts import Judges
from lockgate.usecases.publish_routes import publish_routes
from lockgate.usecases.replay_rollout import replay_rollout
from lockgate.usecases.start_rollout import open_rollout
from lockgate.usecases.world import World
from tests.integration.serving.data_plane import MODEL, TOKEN, DataPlane, Folder, wait_for
from tests.integration.serving.sites import RolloutSite
from tests.samples.server import served

pytestmark = pytest.mark.integration

ADA = Actor("ada")
CONTEST = Contest((3,), (0.4, 0.3, 0.3), Goal(LabelEvent("true", 0.0), most=True))
PLAN = Plan(Strategy.AB, unit="header:x-user-id", judge=JudgePolicy(alpha=0.1, metrics=("errors",)), contest=CONTEST)
USERS = 300


@pytest.fixture
def site(tmp_path: Path) -> Iterator[RolloutSite]:
    """Version 1 in Production, version 3 was there before it, version 2 is requested."""
    world = World(SqlState.open(tmp_path / "state.db"), MemoryArtifacts(), SystemClock())
    folder = Folder(tmp_path / "artifacts")
    now = world.clock.now()
    stages = {1: Stage.PRODUCTION, 2: Stage.NONE, 3: Stage.ARCHIVED}
    with world.state.write() as tx:
        tx.put(PROJECTS, ProjectRecord(MODEL, "/p", Deployment.MANUAL, {"production": Environment(PLAN)}))
        tx.put(MODELS, RegisteredModel(MODEL, now, 3))
        versions = [
            ModelVersion(MODEL, number, folder.linear(10.0 * number), "run", "ada", now, dirty=False, stage=stage)
            for number, stage in stages.items()
        ]
        for version in versions:
            tx.put(VERSIONS, version)
        before = {"from": "Staging", "to": Stage.PRODUCTION.value}
        tx.record(Happened(Action.STAGE_APPLIED, "ada", True, now, f"{MODEL}/3", MODEL, 3, before))  # noqa: FBT003
        publish_routes(tx, MODEL)
        rollout = open_rollout(tx, versions[1], "production", ADA, now)
    with served(create_app(world, home=None, control_token=TOKEN)) as address:
        plane = DataPlane(tmp_path / "home", folder, address, ("--grace", "0"))
        plane.start()
        made = RolloutSite(world, plane, rollout)
        wait_for(lambda: made.tick().phase is Phase.PROGRESSING, "all versions are loaded")
        wait_for(lambda: plane.ready() and made.follows(), "the worker routes by the split")
        yield made
        plane.stop()


def test_three_versions_answer_until_labels_name_the_one_that_sells(site: RolloutSite) -> None:
    replies = [site.ask(user) for user in range(USERS)]
    met = Counter(reply.version for reply in replies)
    assert set(met) == {"1", "2", "3"}
    assert min(met.values()) > USERS / 5
    assert [site.ask(user).version for user in range(60)] == [reply.version for reply in replies[:60]], "everybody keeps an arm"
    wait_for(lambda: site.tick().rows > 0, "what they met is judged")
    for number, reply in enumerate(replies):
        sold = number % 10 == 0 if reply.version != "3" else number % 10 != 0
        told = {"prediction_id": reply.json["parameters"]["prediction_id"], "label": int(sold)}
        assert site.plane.feedback(told).status in (200, 202)
        if number == USERS // 6:
            wait_for(lambda: site.tick().rows > 1, "the first labels are judged")
            site.judges = Judges()  # a second controller takes over
    wait_for(lambda: site.tick().phase is Phase.PROMOTED, "the winner is found")
    ended = site.tick()
    assert (ended.winner, ended.contestants[2].figures.best > 0.99) == (3, True)
    assert replay_rollout(site.world, site.rollout.id).same
    wait_for(site.follows, "the worker routes by the promotion")
    assert {site.ask(user).version for user in range(40)} == {"3"}
    with site.world.state.read() as tx:
        assert {one.version: one.stage for one in tx.find(VERSIONS)} == {
            1: Stage.ARCHIVED,
            2: Stage.NONE,
            3: Stage.PRODUCTION,
        }
