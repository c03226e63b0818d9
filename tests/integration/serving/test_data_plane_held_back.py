"""A version that is held back, in force: nobody goes back at the promotion, late labels send the promoted version home."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.holds import Hold, HoldEnd, HoldState
from lockgate.domain.models import ModelVersion, RegisteredModel, Stage
from lockgate.domain.people import Actor
from lockgate.domain.projects import Deployment, Environment, ProjectRecord
from lockgate.domain.rollouts import JudgePolicy, Phase, Plan, Signal, Strategy
from lockgate.entrypoints.api.app import create_app
from lockgate.integrations.sql.state import SqlState
from lockgate.kernel.clock import SystemClock
from lockgate.ports.state import MODELS, PROJECTS, VERSIONS
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.usecases.advance_rollouts import Judges
from lockgate.usecases.find_holds import hold_by
from lockgate.usecases.publish_routes import publish_routes
from lockgate.usecases.release_hold import release_hold
from lockgate.usecases.replay_hold import replay_hold
from lockgate.usecases.start_rollout import open_rollout
from lockgate.usecases.steer_rollout import steer
from lockgate.usecases.world import World
from tests.integration.serving.data_plane import MODEL, TOKEN, DataPlane, Folder, Reply, columns, wait_for
from tests.integration.serving.sites import RolloutSite
from tests.samples.server import served

pytestmark = pytest.mark.integration

ADA = Actor("ada")
SHARE = 0.2
JUDGE = JudgePolicy(alpha=0.1, metrics=("labels",), label_event=LabelEvent("wrong", 10.0), requests_per_unit=1)
PLAN = Plan(Strategy.CANARY, (0.5,), "header:x-user-id", JUDGE, hold_back=SHARE)
USERS = 400


class Site(RolloutSite):
    @property
    def hold(self) -> Hold:
        with self.world.state.read() as tx:
            return hold_by(tx, self.rollout.id)

    def met(self, users: int = USERS) -> dict[int, str]:
        """The version that each user meets."""
        return {user: self.ask(user).version for user in range(users)}

    def promote(self) -> None:
        steer(self.world, self.rollout.id, Signal.PROMOTE, ADA)
        wait_for(self.follows, "the worker routes by the promotion")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Version 1 in Production, version 2 with half of the users."""
    world = World(SqlState.open(tmp_path / "state.db"), MemoryArtifacts(), SystemClock())
    folder = Folder(tmp_path / "artifacts")
    now = world.clock.now()
    with world.state.write() as tx:
        tx.put(PROJECTS, ProjectRecord(MODEL, "/p", Deployment.MANUAL, {"production": Environment(PLAN)}))
        tx.put(MODELS, RegisteredModel(MODEL, now, 2))
        second = ModelVersion(MODEL, 2, folder.linear(50.0), "run-2", "ada", now, dirty=False)
        tx.put(VERSIONS, ModelVersion(MODEL, 1, folder.linear(0.0), "run-1", "ada", now, dirty=False, stage=Stage.PRODUCTION))
        tx.put(VERSIONS, second)
        publish_routes(tx, MODEL)
        rollout = open_rollout(tx, second, "production", ADA, now)
    with served(create_app(world, home=None, control_token=TOKEN)) as address:
        plane = DataPlane(tmp_path / "home", folder, address, ("--grace", "0"))
        plane.start()
        made = Site(world, plane, rollout)
        wait_for(lambda: made.tick().phase is Phase.PROGRESSING, "the canary has its share")
        wait_for(lambda: plane.ready() and made.follows(), "the worker routes by it")
        yield made
        plane.stop()


def test_nobody_goes_back_at_the_promotion_nor_after_a_restart_nor_at_the_end(site: Site) -> None:
    on_trial = site.met()
    assert {"1", "2"} == set(on_trial.values())
    site.promote()
    held = site.met()
    kept = {user for user, version in held.items() if version == "1"}
    assert 40 < len(kept) < 130, "about a fifth of 400"
    assert kept < {user for user, version in on_trial.items() if version == "1"}, "who met the canary goes on meeting it"
    site.plane.kill_worker()
    wait_for(lambda: site.plane.serving > 1 and site.plane.ready() and site.follows(), "another worker is there")
    wait_for(lambda: site.met(40) == {user: held[user] for user in range(40)}, "everybody is where they were")
    assert site.met() == held
    release_hold(site.world, site.rollout.id, ADA)
    wait_for(site.follows, "the worker routes by the end")
    assert set(site.met().values()) == {"2"}


def test_labels_that_come_after_the_promotion_send_the_promoted_version_home(site: Site) -> None:
    """By feedback over HTTP, for answers that were given on trial and afterwards; a second controller takes over in between."""
    early = [site.ask(user) for user in range(USERS, 2 * USERS)]
    site.promote()
    late = [site.ask(user) for user in range(2 * USERS, 3 * USERS)]
    for number, reply in enumerate([*early, *late]):
        assert site.plane.feedback(_truth(reply, number)).status in (200, 202)
        if number == USERS:
            wait_for(lambda: site.tick() and site.hold.rows > 0, "the first labels are judged")
            site.judges = Judges()
    wait_for(lambda: site.tick() and site.hold.state is HoldState.ENDED, "harm is found")
    assert site.hold.end is HoldEnd.HARM
    assert "labels" in site.hold.detail
    assert replay_hold(site.world, site.rollout.id).same
    wait_for(site.follows, "the worker routes by the roll-back")
    assert set(site.met(40).values()) == {"1"}
    with site.world.state.read() as tx:
        stages = {one.version: one.stage for one in tx.find(VERSIONS)}
    assert stages == {1: Stage.PRODUCTION, 2: Stage.ARCHIVED}


def _truth(reply: Reply, number: int) -> dict[str, Any]:
    """The answers of version 2 turn out to be wrong every second time, those of version 1 every twentieth time."""
    wrong = number % 2 == 0 if reply.version == "2" else number % 20 == 0
    told = reply.version == "2"  # its scores are above the threshold of 10, version 1's below
    return {"prediction_id": reply.json["parameters"]["prediction_id"], "label": int(told != wrong)}


def test_units_without_a_name_meet_the_promoted_version_and_are_no_evidence(site: Site) -> None:
    site.promote()
    replies = {site.plane.infer(columns((1.0, "AA")), None).version for _ in range(30)}
    assert replies == {"2"}
    assert replace(site.hold, rows=0) == site.hold
