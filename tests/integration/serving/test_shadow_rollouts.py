"""Shadows from their start to their end: state, control channel, data plane, records and judge, each as it really is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.models import ModelVersion, RegisteredModel, Stage
from lockgate.domain.people import Actor
from lockgate.domain.projects import Deployment, Environment, ProjectRecord
from lockgate.domain.rollouts import Agreement, JudgePolicy, Margin, Phase, Plan, Rollout, Strategy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.entrypoints.api.app import create_app
from lockgate.integrations.local.records import LocalRecords
from lockgate.integrations.sql.state import SqlState
from lockgate.kernel.clock import SystemClock
from lockgate.ports.state import JOURNAL, MODELS, VERSIONS
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.find_things import rollout_by, version_of
from lockgate.usecases.pair_labels import pair_labels
from lockgate.usecases.publish_routes import publish_routes
from lockgate.usecases.register_version import remember_project
from lockgate.usecases.replay_rollout import replay_rollout
from lockgate.usecases.start_rollout import open_rollout
from lockgate.usecases.world import World
from tests.integration.serving.data_plane import MODEL, TOKEN, DataPlane, Folder, columns, wait_for
from tests.samples.server import served

pytestmark = pytest.mark.integration

ADA = Actor("ada")
THRESHOLD = 10.0  # of the score, which is twice the distance and a little more
POLICY = JudgePolicy(  # wide, so that some hundreds of requests decide
    alpha=0.05,
    beta=0.2,
    metrics=("agreement", "errors", "labels"),
    agreement=Agreement(0.9, threshold=THRESHOLD),
    label_event=LabelEvent("wrong", THRESHOLD),
    margins={"errors": Margin(1.5, 0.2), "labels": Margin(2.0, 0.2)},
    requests_per_unit=1,
    min_units=150,  # by then the worse one is gone
)
PLAN = Plan(Strategy.SHADOW, (), "header:x-user-id", POLICY)


@dataclass
class Site:
    world: World
    plane: DataPlane
    judges: Judges = field(default_factory=Judges)
    users: int = 0
    answered_by: set[str] = field(default_factory=set)

    def shadow(self, version: int) -> Rollout:
        with self.world.state.write() as tx:
            return open_rollout(tx, version_of(tx, MODEL, version), "production", ADA, self.world.clock.now())

    def look(self, rollout: Rollout) -> Rollout:
        with self.world.state.read() as tx:
            return rollout_by(tx, rollout.id)

    def tick(self) -> None:
        advance_rollouts(self.world, self.judges)
        pair_labels(self.world, LocalRecords(self.plane.home / "data-plane" / "records"))

    def ask(self, requests: int) -> None:
        """Users who come once each, half of them on either side of the threshold; the champion's answer turns out to be right."""
        for _ in range(requests):
            self.users += 1
            reply = self.plane.infer(columns((float(self.users % 10), "XX")), None, x_user_id=f"user-{self.users}")
            assert reply.status == 200
            self.answered_by.add(reply.version)
            truth = float(reply.json["outputs"][0]["data"][0] >= THRESHOLD)
            label = {"prediction_id": reply.json["parameters"]["prediction_id"], "label": truth}
            assert self.plane.feedback(label).status == 202

    def follow(self, *rollouts: Rollout, ended: int) -> list[Rollout]:
        def over() -> bool:
            self.ask(10)
            self.tick()
            return sum(self.look(one).ended_at is not None for one in rollouts) >= ended

        wait_for(over, f"{ended} of the rollouts have ended", 90)
        return [self.look(one) for one in rollouts]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Version 1 in Production. Version 2 scores 6 more: it differs where the distance is 2, 3 or 4. Version 3 scores the same."""
    world = World(SqlState.open(tmp_path / "state.db"), MemoryArtifacts(), SystemClock())
    folder, now = Folder(tmp_path / "artifacts"), world.clock.now()
    with world.state.write() as tx:
        remember_project(tx, ProjectRecord(MODEL, "/p", Deployment.MANUAL, {"production": Environment(PLAN)}), ADA, now)
        tx.put(MODELS, RegisteredModel(MODEL, now, 3))
        for number, bias in ((1, 0.0), (2, 6.0), (3, 1e-9)):
            stage = Stage.PRODUCTION if number == 1 else Stage.NONE
            digest = folder.linear(bias)
            tx.put(VERSIONS, ModelVersion(MODEL, number, digest, f"run-{number}", "ada", now, dirty=False, stage=stage))
        publish_routes(tx, MODEL)
    with served(create_app(world, home=None, control_token=TOKEN)) as address:
        plane = DataPlane(tmp_path / "home", folder, address, ("--grace", "0"))
        plane.start()
        wait_for(plane.ready, "the champion answers")
        yield Site(world, plane)
        plane.stop()


def test_of_two_shadows_the_worse_goes_home_and_the_one_as_good_is_promoted(site: Site) -> None:
    worse, good = site.shadow(2), site.shadow(3)

    def both_asked() -> bool:
        site.tick()
        return {site.look(one).phase for one in (worse, good)} == {Phase.PROGRESSING}

    wait_for(both_asked, "both are loaded as shadows and in the worker", 60)
    gone, _ = site.follow(worse, good, ended=1)
    assert (gone.phase, gone.verdict) == (Phase.ABORTED, JudgeVerdict.HARM)
    assert site.answered_by == {"1"}  # nobody met either of them
    _, promoted = site.follow(worse, good, ended=2)
    assert promoted.outcome is not None
    assert (promoted.phase, promoted.outcome.metrics) == (Phase.PROMOTED, ("agreement", "errors", "labels"))
    wait_for(lambda: site.plane.infer(columns((1.0, "XX"))).version == "3", "the promoted version answers")
    for one in (worse, good):
        assert replay_rollout(site.world, one.id).same
        with site.world.state.read() as tx:
            rows = tx.find(JOURNAL, rollout=one.id)
        seen = [observation for row in rows for observation in row.observations]
        keys = [key for observation in seen for key, _ in observation.canary.labels]
        assert site.users >= len(keys) == len(set(keys)) > 0  # a label for each user, at most once
    assert sum(observation.pairs.agreed for observation in seen) >= 15
    assert sum(observation.pairs.disagreed for observation in seen) == 0


def test_a_version_that_cannot_run_as_a_shadow_ends_its_rollout_with_the_reason(site: Site) -> None:
    folder = site.plane.artifacts
    with site.world.state.write() as tx:
        junk = folder.package(b"no model at all", [1.0, 2.0])
        tx.put(VERSIONS, ModelVersion(MODEL, 4, junk, "run-4", "ada", site.world.clock.now(), dirty=False))
    rollout = site.shadow(4)

    def ended() -> bool:
        site.tick()
        return site.look(rollout).ended_at is not None

    wait_for(ended, "the rollout has ended", 60)
    outcome = site.look(rollout).outcome
    assert outcome is not None
    assert "cannot" in outcome.detail
    assert site.plane.infer(columns((1.0, "XX"))).version == "1"
