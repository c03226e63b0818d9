"""A model that is asked about flights from several airports, some of which may have a champion of their own."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from msgspec import structs

from lockgate.boundary.acknowledgements import Acknowledgement, PackageState, Readiness
from lockgate.boundary.observations import Block, Cell, Feedback
from lockgate.boundary.routes import Route
from lockgate.boundary.selector import choose, unit_key
from lockgate.domain.models import ModelVersion, RegisteredModel, Stage
from lockgate.domain.people import Actor
from lockgate.domain.projects import Champions, Deployment, Environment, ProjectRecord
from lockgate.domain.rollouts import JudgePolicy, Phase, Plan, Rollout, Strategy
from lockgate.ports.state import INBOX, MODELS, PROJECTS, ROLLOUTS, VERSIONS, WORKERS, Received, Worker
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import VirtualClock
from lockgate.testing.state import MemoryState
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.decide_request import approve_request
from lockgate.usecases.find_things import rollout_by
from lockgate.usecases.publish_routes import publish_routes, route_table
from lockgate.usecases.register_version import remember_project
from lockgate.usecases.request_transition import request_transition
from lockgate.usecases.world import World

ADA, BEN = Actor("ada"), Actor("ben")
JFK, LGA, ELSEWHERE = "JFK", "LGA", "elsewhere"
TWO = Champions("field:origin", (JFK, LGA))
POLICY = JudgePolicy(metrics=("errors",), requests_per_unit=1)
CANARY = Plan(Strategy.CANARY, (0.2, 0.5), judge=POLICY)


def a_world(plan: Plan = CANARY, champions: Champions | None = TWO, versions: int = 6) -> World:
    """Version 1 in Production, the others registered."""
    world = World(MemoryState(), MemoryArtifacts(), VirtualClock())
    now = world.clock.now()
    with world.state.write() as tx:
        tx.put(MODELS, RegisteredModel("m", now, versions))
        for number in range(1, versions + 1):
            stage = Stage.PRODUCTION if number == 1 else Stage.NONE
            tx.put(VERSIONS, ModelVersion("m", number, f"sha256:{number}", "r", "ada", now, dirty=False, stage=stage))
    declare(world, plan, champions)
    with world.state.write() as tx:
        publish_routes(tx, "m")
    return world


def declare(world: World, plan: Plan = CANARY, champions: Champions | None = TWO) -> None:
    """What the project file says from now on."""
    record = ProjectRecord("m", "/p", Deployment.MANUAL, {"production": Environment(plan, champions=champions)})
    with world.state.write() as tx:
        remember_project(tx, record, ADA, world.clock.now())


def ask_for(world: World, version: int, segment: str = "", salt: str = "salt") -> Rollout:
    """The rollout that an approved request opens. Who meets a canary is no chance here."""
    asked = request_transition(world, "m", version, Stage.PRODUCTION, ADA, segment=segment)
    approve_request(world, asked.id, BEN)
    with world.state.write() as tx:
        opened = next(one for one in tx.find(ROLLOUTS) if one.request == asked.id)
        tx.put(ROLLOUTS, replace(opened, salt=salt))
        publish_routes(tx, "m")
    return look(world, opened)


def bring_in(world: World, version: int, segment: str = "") -> Rollout:
    """The version becomes champion there at once, whatever the project file's strategy is."""
    with world.state.read() as tx:
        record = tx.get(PROJECTS, "m")
    assert record is not None
    said = record.environments["production"]
    declare(world, Plan(), said.champions)
    opened = ask_for(world, version, segment)
    tick(world)
    declare(world, said.plan, said.champions)
    assert look(world, opened).phase is Phase.PROMOTED
    return look(world, opened)


def tick(world: World, judges: Judges | None = None) -> None:
    """Workers have loaded what the table names, and the controller looks."""
    now = world.clock.now().timestamp()
    with world.state.write() as tx:
        table = route_table(tx)
        packages = {digest: PackageState(Readiness.READY) for digest in table.digests()}
        tx.put(WORKERS, Worker("w", now, Acknowledgement("0", "w", table.revision, now, packages)))
    advance_rollouts(world, judges or Judges())


def look(world: World, rollout: Rollout) -> Rollout:
    with world.state.read() as tx:
        return rollout_by(tx, rollout.id)


def route_of(world: World) -> Route:
    with world.state.read() as tx:
        found = route_table(tx).route("m")
    assert found is not None
    return found


def part(world: World, segment: str) -> Route | None:
    return next((one.route for one in route_of(world).parts if one.segment == segment), None)


def answering(world: World) -> dict[str, int]:
    """By airport, the version that answers all who are on no trial."""
    places = {JFK: part(world, JFK), LGA: part(world, LGA), ELSEWHERE: None}
    champions = {place: (found or route_of(world)).champion for place, found in places.items()}
    return {place: arm.version for place, arm in champions.items() if arm}


@dataclass
class Airports:
    """A data plane in the small, which answers each airport by its part of the table.

    failing, late: by airport and version, how often requests fail, and labels say that the judged event happened.
    """

    world: World
    failing: Mapping[tuple[str, int], float] = field(default_factory=dict)
    late: Mapping[tuple[str, int], float] = field(default_factory=dict)
    random: random.Random = field(default_factory=lambda: random.Random(11))
    sequence: int = 0
    asked: int = 0

    def run(self, rollout: Rollout, requests: Mapping[str, int], blocks: int, labels: Mapping[str, int] | None = None) -> Rollout:
        judges = Judges()
        for _ in range(blocks):
            self.world.clock.advance(20)  # type: ignore[attr-defined]
            self.send(requests, labels or {})
            tick(self.world, judges)
            if look(self.world, rollout).ended_at:
                break
        return look(self.world, rollout)

    def send(self, requests: Mapping[str, int], labels: Mapping[str, int]) -> None:
        with self.world.state.write() as tx:
            block = self._block(requests, labels)
            tx.add(INBOX, Received("0", "w", block.sequence, block))

    def _block(self, requests: Mapping[str, int], labels: Mapping[str, int]) -> Block:
        now = self.world.clock.now().timestamp()
        cells = tuple(cell for place, many in requests.items() for cell in self._cells(place, many, now))
        feedback = tuple(self._label(place) for place, many in labels.items() for _ in range(many))
        self.sequence += 1
        return Block("0", "w", self.sequence, now - 20, now, cells, feedback)

    def _cells(self, place: str, many: int, now: float) -> list[Cell]:
        completed, failed, shadow = Counter[int](), Counter[int](), Counter[int]()
        for _ in range(many):
            version, route, _ = self._met(place)
            completed[version] += 1
            failed[version] += self.random.random() < self.failing.get((place, version), 0.0)
            shadow.update(one.version for one in route.shadows if one.share)
        told = [self._cell(place, version, number, failed[version], now) for version, number in completed.items()]
        pairs = [self._cell(place, version, number, 0, now) for version, number in shadow.items()]
        return told + [structs.replace(one, shadow=True, agreed=one.completed) for one in pairs]

    def _cell(self, place: str, version: int, completed: int, failed: int, now: float) -> Cell:
        with self.world.state.read() as tx:
            revision = route_table(tx).revision
        failures = {"error": failed} if failed else {}
        return Cell("m", version, revision, completed, failures, {100: completed}, last_at=now, segment=self._segment(place))

    def _label(self, place: str) -> Feedback:
        version, route, key = self._met(place)
        with self.world.state.read() as tx:
            revision = route_table(tx).revision
        label = float(self.random.random() < self.late.get((place, version), 0.0))
        values = route.segments.values if route.segments else ()
        told = values.index(place) + 1 if place in values else 0
        return Feedback(f"p{self.asked}", "m", version, revision, key, 0.1, label, 0.0, 0.0, told)

    def _met(self, place: str) -> tuple[int, Route, int]:
        """The version that the next request from there meets."""
        self.asked += 1
        route = part(self.world, place) or route_of(self.world)
        key = unit_key(route.salt, str(self.asked))
        return route.arms[choose(key, [arm.weight for arm in route.arms])].version, route, key

    def _segment(self, place: str) -> str:
        segments = route_of(self.world).segments
        return place if segments and place in segments.values else ""
