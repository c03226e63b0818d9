"""What a project says of its answers, in force: state, control channel, data plane and judge, each as it really is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lockgate.boundary.records import Record
from lockgate.boundary.routes import OnFailure
from lockgate.domain.models import ModelVersion, RegisteredModel, Stage
from lockgate.domain.people import Actor
from lockgate.domain.projects import Answers, Deployment, Environment, ProjectRecord, TrafficRule
from lockgate.domain.rollouts import JudgePolicy, Phase, Plan, Rollout, Strategy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.entrypoints.api.app import create_app
from lockgate.integrations.local.records import LocalRecords
from lockgate.integrations.sql.state import SqlState
from lockgate.kernel.clock import SystemClock
from lockgate.ports.state import INBOX, MODELS, VERSIONS
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.find_things import rollout_by
from lockgate.usecases.publish_routes import publish_routes
from lockgate.usecases.register_version import remember_project
from lockgate.usecases.start_rollout import open_rollout
from lockgate.usecases.world import World
from tests.integration.serving.data_plane import (
    CARRIER,
    DISTANCE,
    MODEL,
    TOKEN,
    DataPlane,
    Folder,
    Reply,
    columns,
    picky_model,
    wait_for,
)
from tests.samples.server import served

pytestmark = pytest.mark.integration

ADA = Actor("ada")
PLAN = Plan(Strategy.CANARY, (0.5,), "header:x-user-id", JudgePolicy(metrics=("errors",), requests_per_unit=1))
TWO_ROWS = columns((1.0, "AA"), (4.0, "UA"))  # the canary can answer one


@dataclass
class Site:
    world: World
    plane: DataPlane
    rollout: Rollout
    judges: Judges

    def tick(self) -> Rollout:
        advance_rollouts(self.world, self.judges)
        with self.world.state.read() as tx:
            return rollout_by(tx, self.rollout.id)

    def ask(self, user: str, **headers: str) -> Reply:
        return self.plane.infer(TWO_ROWS, None, x_user_id=user, **headers)

    def counted(self) -> set[int]:
        """The versions of which there is evidence that was not judged yet."""
        with self.world.state.read() as tx:
            return {cell.version for one in tx.find(INBOX) for cell in one.block.cells}

    def records(self) -> list[Record]:
        return list(LocalRecords(self.plane.home / "data-plane" / "records").read({}).records)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Version 1 in Production, version 3 in Staging, version 2 on trial, which raises when it is asked about two rows."""
    world = World(SqlState.open(tmp_path / "state.db"), MemoryArtifacts(), SystemClock())
    folder = Folder(tmp_path / "artifacts")
    rules = (TrafficRule(("yes",), "staging", header="x-preview"),)
    answers = Answers(OnFailure.ERROR, 5.0, (CARRIER,), rules)
    broken = folder.package(picky_model(), [1.0], rows={DISTANCE: [1.0], CARRIER: ["AA"]})
    now = world.clock.now()
    with world.state.write() as tx:
        remember_project(
            tx, ProjectRecord(MODEL, "/p", Deployment.MANUAL, {"production": Environment(PLAN, answers=answers)}), ADA, now
        )
        tx.put(MODELS, RegisteredModel(MODEL, now, 3))
        second = ModelVersion(MODEL, 2, broken, "run-2", "ada", now, dirty=False)
        tx.put(VERSIONS, ModelVersion(MODEL, 1, folder.linear(0.0), "run-1", "ada", now, dirty=False, stage=Stage.PRODUCTION))
        tx.put(VERSIONS, second)
        tx.put(VERSIONS, ModelVersion(MODEL, 3, folder.linear(50.0), "run-3", "ada", now, dirty=False, stage=Stage.STAGING))
        publish_routes(tx, MODEL)
        rollout = open_rollout(tx, second, "production", ADA, now)
    with served(create_app(world, home=None, control_token=TOKEN)) as address:
        plane = DataPlane(tmp_path / "home", folder, address, ("--grace", "0"))
        plane.start()
        made = Site(world, plane, rollout, Judges())
        wait_for(lambda: made.tick().phase is Phase.PROGRESSING, "the canary has its share")
        wait_for(lambda: plane.ready() and "500" in statuses(made, 20), "the worker routes by it")
        yield made
        plane.stop()


def statuses(site: Site, users: int) -> set[str]:
    return {str(site.ask(f"early-{user}").status) for user in range(users)}


def test_a_failing_canary_is_shown_to_its_callers_and_goes_home_for_it(site: Site) -> None:
    ended = None
    for round_ in range(40):
        replies = [site.ask(f"user-{round_}-{user}") for user in range(10)]
        assert {reply.status for reply in replies} <= {200, 500}
        assert all(reply.version == "1" for reply in replies if reply.status == 200), "nobody stands in for the canary"
        if (now := site.tick()).ended_at:
            ended = now
            break
    assert ended is not None
    assert (ended.phase, ended.verdict) == (Phase.ABORTED, JudgeVerdict.HARM)
    wait_for(lambda: {site.ask(f"late-{user}").status for user in range(20)} == {200}, "everybody is with the champion")


def test_a_rule_leads_into_staging_and_is_no_evidence_and_records_keep_no_redacted_input(site: Site) -> None:
    wait_for(lambda: site.ask("early-0", x_preview="yes").version == "3", "the version in Staging is loaded")
    replies = [site.ask(f"early-{user}", x_preview="yes") for user in range(20)]
    assert {(reply.status, reply.version) for reply in replies} == {(200, "3")}
    wait_for(lambda: sum(record.version == 3 for record in site.records()) > 20, "what the rule sent is recorded")
    assert all(record.inputs[CARRIER] is None and record.inputs[DISTANCE] for record in site.records())
    wait_for(lambda: {1, 2} <= site.counted(), "what the hash sent is counted")
    assert 3 not in site.counted()
