"""Subscribers alone meet a canary, over HTTP, by request, by key or by host, and what they report decides: it is promoted if
harmless, else sent home.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from lockgate.boundary.acknowledgements import Acknowledgement, PackageState, Readiness
from lockgate.boundary.key_file import KEY_FILE, KeyFile
from lockgate.boundary.keys import KeyScope
from lockgate.client import Subscriber
from lockgate.client.reporting import Reporting
from lockgate.domain.models import ModelVersion, RegisteredModel, Stage
from lockgate.domain.people import Actor
from lockgate.domain.projects import Deployment, Environment, ProjectRecord
from lockgate.domain.rollouts import JudgePolicy, Margin, Phase, Plan, Rollout, Strategy
from lockgate.entrypoints.api.app import create_app
from lockgate.entrypoints.reading.subscribers import channel_clauses, following
from lockgate.integrations.local.channels import LocalChannels
from lockgate.integrations.local.records import LocalRecords
from lockgate.integrations.local.reported_records import LocalRecordSink
from lockgate.integrations.sql.state import SqlState
from lockgate.kernel.clock import SystemClock
from lockgate.kernel.errors import LockgateError
from lockgate.ports.state import MODELS, PROJECTS, ROLLOUTS, VERSIONS, WORKERS, Worker
from lockgate.testing.clock import VirtualClock
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.find_things import rollout_by
from lockgate.usecases.publish_channels import ChannelPublisher
from lockgate.usecases.publish_routes import publish_routes, route_table
from lockgate.usecases.start_rollout import open_rollout
from lockgate.usecases.world import World
from tests.samples.followed import MODEL, House
from tests.samples.server import served
from tests.unit.client.following import until
from tests.unit.serving.key_desk import KeyDesk

pytestmark = pytest.mark.integration
ADA = Actor("ada")
POLICY = JudgePolicy(metrics=("errors",), margins={"errors": Margin(1.5, 0.02)}, requests_per_unit=1)
STICKY = "header:x-user-id"
TOO_MUCH = 1e38  # nine times as much is no FP32 number: version 9 fails, and no other


class Site:
    """A home with version 1 in Production and a candidate on trial; its control plane and programs that follow it.

    unit: of the plan. keyed: whether programs say whose request it is. requests: of each program, between two looks.
    """

    def __init__(self, folder: Path, candidate: int, unit: str = STICKY, *, keyed: bool = True, requests: int = 100) -> None:
        self.unit, self.keyed, self.requests = unit, keyed, requests
        self.house = House(folder / "home")
        self.world = World(SqlState.open(_made(self.house.folder) / "state.db"), self.house.artifacts, SystemClock())
        self.publisher = ChannelPublisher(self.world, self.house.signer, LocalChannels(self.house.folder / "channels"))
        self.sink = LocalRecordSink(self.house.folder / "records")
        self.judges, self.candidate, self.asked = Judges(), candidate, 0
        self.rollout = self._begun(candidate)
        self.publisher.turn()
        keys = KeyDesk(folder, VirtualClock(SystemClock().now()))
        self.key = keys.add("tills", KeyScope.SUBSCRIBE, model=MODEL)
        self.app = create_app(
            self.world, home=self.house.folder, control_token="c", keys=KeyFile(folder / KEY_FILE), reported=self.sink
        )

    def program(self, address: str, host: str, folder: Path) -> Reporting:
        subscriber = Subscriber(self.house.channel, address, keys=self.house.key, folder=folder, token=self.key, host=host)
        return Reporting(subscriber, address, self.key, every=3600.0)

    def look(self) -> Rollout:
        with self.world.state.read() as tx:
            return rollout_by(tx, self.rollout)

    def turn(self, programs: list[Reporting]) -> Rollout:
        """Requests to each, and what follows of their reports."""
        for program in programs:
            for _ in range(self.requests):
                self.asked += 1
                row = {"x": TOO_MUCH if self.asked % 3 == 0 else 1.0}
                with suppress(LockgateError):
                    program.predict(row, f"user-{self.asked}" if self.keyed else None)
            assert program.reporter.flush()
        self._acknowledge()
        advance_rollouts(self.world, self.judges)
        self.publisher.turn()
        with self.world.state.read() as tx:
            revision = route_table(tx).revision
        until(lambda: all(program.subscriber.revision == revision for program in programs), "the new pointer")
        return self.look()

    def _begun(self, candidate: int) -> str:
        now = self.world.clock.now()
        plan = Plan(Strategy.CANARY, (0.2, 0.5), self.unit, POLICY)
        with self.world.state.write() as tx:
            tx.put(MODELS, RegisteredModel(MODEL, now, candidate))
            tx.put(PROJECTS, ProjectRecord(MODEL, "/p", Deployment.MANUAL, {"production": Environment(plan)}))
            tx.put(VERSIONS, replace(self._version(1), stage=Stage.PRODUCTION))
            tx.put(VERSIONS, self._version(candidate))
            rollout = open_rollout(tx, self._version(candidate), "production", ADA, now)
            tx.put(ROLLOUTS, rollout)
            publish_routes(tx, MODEL)
        self._acknowledge()
        advance_rollouts(self.world, self.judges)
        return rollout.id

    def _version(self, number: int) -> ModelVersion:
        release = self.house.releases.get(number) or self.house.release(number)
        made = ModelVersion(MODEL, number, release.digest, "run-1", "ada", self.world.clock.now(), dirty=False)
        return replace(made, provenance=release.provenance)

    def _acknowledge(self) -> None:
        """The home's own data plane, which gets no traffic here, can answer with everything."""
        now = self.world.clock.now().timestamp()
        with self.world.state.write() as tx:
            table = route_table(tx)
            packages = {digest: PackageState(Readiness.READY) for digest in table.digests()}
            tx.put(WORKERS, Worker("w", now, Acknowledgement("0", "w", table.revision, now, packages)))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def played(site: Site, folder: Path, hosts: int = 2) -> Generator[tuple[Rollout, list[Reporting]], None, None]:
    """The rollout after each turn, while the programs run."""
    with ExitStack() as stack:
        address = stack.enter_context(served(site.app))
        names = [f"till-{number}" for number in range(1, hosts + 1)]
        programs = [stack.enter_context(site.program(address, name, folder / name)) for name in names]
        while True:
            yield site.turn(programs), programs


@pytest.mark.parametrize("unit", [STICKY, "request"])
def test_a_harmless_candidate_is_promoted_on_their_word(tmp_path: Path, unit: str) -> None:
    site = Site(tmp_path, candidate=2, unit=unit)
    turns = played(site, tmp_path)
    rollout, programs = next((one, these) for one, these in turns if one.ended_at)
    assert rollout.phase is Phase.PROMOTED
    assert [step.weight for step in rollout.ramp] == [0.0, 0.2, 0.5, 1.0]
    assert [program.subscriber.version for program in programs] == [2, 2]
    answer = programs[0].answer({"x": 1.0}, "anybody")
    assert (answer.version, answer.scores, len(answer.prediction_ids)) == (2, 2.0, 1)
    for program in programs:
        program.reporter.flush()
    with site.world.state.read() as tx:
        assert channel_clauses(following(tx, site.world.clock.now())) == [f"{MODEL}@production: 2 follow: version 2 on 2"]
    records = LocalRecords(site.house.folder / "records").read({}).records
    assert {record.version for record in records} == {1, 2}
    turns.close()
    site.sink.close()


@pytest.mark.parametrize(
    ("unit", "keyed", "hosts", "requests"),
    [(STICKY, True, 2, 100), ("request", False, 2, 100), (STICKY, False, 60, 6)],
    ids=["by key", "by request", "by host"],
)
def test_a_harmful_one_is_sent_home_and_all_go_back(tmp_path: Path, unit: str, keyed: bool, hosts: int, requests: int) -> None:  # noqa: FBT001
    site = Site(tmp_path, candidate=9, unit=unit, keyed=keyed, requests=requests)
    turns = played(site, tmp_path, hosts)
    rollout, programs = next((one, these) for one, these in turns if one.ended_at)
    assert rollout.phase is Phase.ABORTED
    assert rollout.outcome is not None
    assert rollout.outcome.metrics == ("errors",)
    assert {program.answer({"x": 1.0}, f"user-{key}").version for program in programs for key in range(100)} == {1}
    turns.close()
    site.sink.close()
