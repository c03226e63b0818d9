"""A model that learns online in a world in memory: rows with their truth, and what the control plane does with them."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lockgate.boundary.acknowledgements import Acknowledgement, PackageState, Readiness
from lockgate.boundary.manifest import File, Golden, Lineage, Manifest, Signature, Tensor, encode
from lockgate.boundary.routes import LabelEvent, Route
from lockgate.domain.events import Action
from lockgate.domain.learning import Learning, LessonLog, LoggedLesson, Online
from lockgate.domain.models import ModelVersion, RegisteredModel, Stage
from lockgate.domain.people import Actor
from lockgate.domain.projects import Deployment, Environment, ProjectRecord
from lockgate.domain.rollouts import JudgePolicy, Phase, Plan, Rollout, Strategy
from lockgate.kernel.digest import digest_bytes
from lockgate.ports.state import LEARNINGS, LESSON_LOGS, LESSONS, MODELS, PROJECTS, ROLLOUTS, VERSIONS, WORKERS, Worker
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import VirtualClock
from lockgate.testing.learners import FILE, RUNTIME, MemoryLearners, weights
from lockgate.testing.state import MemoryState
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.begin_course import begin_courses
from lockgate.usecases.find_things import version_of
from lockgate.usecases.learn_lessons import learn_lessons
from lockgate.usecases.live_models import LiveModels
from lockgate.usecases.publish_routes import publish_routes, route_table
from lockgate.usecases.start_rollout import standing_in
from lockgate.usecases.world import World

ADA = Actor("ada")
EVERY = 200
JUDGE = JudgePolicy(metrics=("labels",), label_event=LabelEvent("wrong", 0.5), max_units=1500, beta=0.05)
ONLINE = Online(every=EVERY, at_most=0.35, run_length=1e6)
PLAN = Plan(Strategy.ONLINE, judge=JUDGE, online=ONLINE)
Rows = list[tuple[dict[str, Any], float]]


@dataclass
class Stream:
    """Rows of two inputs. old, new: what the truth hangs on; `drifted`: how much of the new it is. flipped: labels lie."""

    random: random.Random = field(default_factory=lambda: random.Random(3))
    drifted: bool = False
    flipped: bool = False
    wrong: float = 0.05

    def rows(self, count: int) -> Rows:
        return [self._row() for _ in range(count)]

    def _row(self) -> tuple[dict[str, Any], float]:
        row = {"old": self.random.uniform(-1, 1), "new": self.random.uniform(-1, 1)}
        truth = row["old"] + (2.0 * row["new"] if self.drifted else 0.0) > 0
        lies = (self.random.random() < self.wrong) != self.flipped
        return row, float(truth != lies)


@dataclass
class Service:
    """All that is around the learner. models: what it keeps in memory."""

    world: World
    models: LiveModels = field(default_factory=LiveModels)
    judges: Judges = field(default_factory=Judges)
    stream: Stream = field(default_factory=Stream)

    @property
    def learning(self) -> Learning:
        with self.world.state.read() as tx:
            found = tx.get(LEARNINGS, "m")
        assert found is not None
        return found

    @property
    def champion(self) -> ModelVersion:
        with self.world.state.read() as tx:
            found = standing_in(tx, "m", "production")
        assert found is not None
        return found

    @property
    def route(self) -> Route:
        with self.world.state.read() as tx:
            return route_table(tx).routes[0]

    @property
    def versions(self) -> list[ModelVersion]:
        with self.world.state.read() as tx:
            return tx.find(VERSIONS, model="m")

    @property
    def checkpoints(self) -> list[ModelVersion]:
        return [one for one in self.versions if one.learned is not None]

    @property
    def rollouts(self) -> list[Rollout]:
        with self.world.state.read() as tx:
            return tx.find(ROLLOUTS, model="m")

    def version(self, number: int) -> ModelVersion:
        with self.world.state.read() as tx:
            return version_of(tx, "m", number)

    def log(self, rows: Rows, size: int = 1) -> None:
        """As lessons of so many rows each."""
        with self.world.state.write() as tx:
            end = (tx.get(LESSON_LOGS, "m") or LessonLog("m")).rows
            for start in range(0, len(rows), size):
                some = rows[start : start + size]
                inputs = {name: [row[name] for row, _ in some] for name in some[0][0]}
                labels = tuple(label for _, label in some)
                tx.put(LESSONS, LoggedLesson("m", end, f"lesson {end}", 1, inputs, labels, 0.0))
                end += len(some)
            tx.put(LESSON_LOGS, LessonLog("m", end))

    def learn(self) -> None:
        """Until there is nothing to do."""
        for _ in range(1000):
            if not (begin_courses(self.world) | learn_lessons(self.world, self.models)):
                return
        raise AssertionError("the learner finds no end")

    def live(self, rows: Rows, portion: int = 50, size: int = 1) -> None:
        """The rows come in portions; learner and controller take their turns."""
        for start in range(0, len(rows), portion):
            self.log(rows[start : start + portion], size)
            self.turn()

    def turn(self) -> None:
        self.world.clock.advance(0.2)  # type: ignore[attr-defined]
        self.learn()
        self.acknowledge()
        advance_rollouts(self.world, self.judges)

    def acknowledge(self) -> None:
        """A worker that has loaded whatever the table asks for."""
        now = self.world.clock.now().timestamp()
        with self.world.state.write() as tx:
            table = route_table(tx)
            packages = {digest: PackageState(Readiness.READY) for digest in table.digests()}
            tx.put(WORKERS, Worker("w", now, Acknowledgement("0", "w", table.revision, now, packages)))


def package(world: World, content: bytes, runtime: str = RUNTIME, **options: Any) -> str:
    """The manifest's digest."""
    inputs = tuple(Tensor(name, "FP64", (-1, 1)) for name in ("new", "old"))
    outputs = (Tensor("probabilities", "FP64", (-1, 2)),)
    manifest = Manifest(
        model="m",
        runtime=runtime,
        files=(File(options.pop("file", FILE), world.artifacts.put(content), len(content)),),
        signature=Signature(inputs, outputs, "probabilities", 1),
        golden=Golden({"old": [0.5, -0.5], "new": [0.0, 1.0]}, [0.9, 0.1], 1e-5),
        lineage=Lineage("run-1", "abc", dirty=False, author="ada", data={"rows": "sha256:1"}, params={}),
        options=options,
    )
    return world.artifacts.put(encode(manifest))


def registered(world: World, number: int, digest: str, stage: Stage = Stage.NONE) -> ModelVersion:
    now = world.clock.now()
    version = ModelVersion(
        "m", number, digest, f"run-{number}", "ada", now, dirty=False, stage=stage, reference="sha256:reference"
    )
    with world.state.write() as tx:
        tx.put(MODELS, RegisteredModel("m", now, number))
        tx.put(VERSIONS, version)
    return version


def set_plan(world: World, plan: Plan) -> None:
    with world.state.write() as tx:
        tx.put(PROJECTS, ProjectRecord("m", "/p", Deployment.MANUAL, {"production": Environment(plan)}))
        publish_routes(tx, "m")


def begin(plan: Plan = PLAN, content: bytes | None = None, runtime: str = RUNTIME, state: MemoryState | None = None) -> Service:
    """Version 1 in Production: it knows the old truth, and is to learn."""
    world = World(state or MemoryState(), MemoryArtifacts(), VirtualClock(), {RUNTIME: MemoryLearners()})
    set_plan(world, plan)
    registered(world, 1, package(world, content or weights(rate=0.3, old=6.0), runtime), Stage.PRODUCTION)
    with world.state.write() as tx:
        publish_routes(tx, "m")
    service = Service(world)
    service.turn()
    return service


def learned_alone(rows: Rows) -> list[str]:
    """The digests of the checkpoints' files that the model itself makes of the rows, with nothing around it."""
    learner, found = MemoryLearners().open(None, {FILE: weights(rate=0.3, old=6.0)}), []  # type: ignore[arg-type]
    for place, (row, label) in enumerate(rows, start=1):
        learner.learn(row, label)
        if place % EVERY == 0:
            files = learner.files()
            found.append(digest_bytes(files[FILE]))
            learner = MemoryLearners().open(None, files)  # type: ignore[arg-type]
    return found


def phases(rollouts: Iterable[Rollout]) -> list[tuple[int, Phase]]:
    return [(one.version, one.phase) for one in rollouts]


def drifting(portions: int = 4) -> Service:
    """A service whose stream has drifted, so that checkpoints are better than the base."""
    service = begin()
    service.stream.drifted = True
    for _ in range(portions):
        service.live(service.stream.rows(EVERY))
    return service


def actions(service: Service) -> list[Action]:
    with service.world.state.read() as tx:
        return [one.happened.action for one in tx.events()]
