"""One recorded traffic, and three ways to answer it: the gateway's own code, a pair in a program, a subscriber of the channel.

What happens is a function of the request's number and the version alone, so whatever differs is the ways' doing.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, Protocol, cast

import msgspec
import numpy as np

from lockgate.boundary.acknowledgements import Acknowledgement, PackageState, Readiness
from lockgate.boundary.manifest import Golden, Lineage, Manifest, Signature, Tensor
from lockgate.boundary.observations import Feedback
from lockgate.boundary.pointers import Pointer
from lockgate.boundary.reports import Report
from lockgate.boundary.routes import LabelEvent, RouteTable
from lockgate.client.answering import Answering, Observed
from lockgate.client.reporting import Observing
from lockgate.domain.models import ModelVersion, RegisteredModel, Stage
from lockgate.domain.people import Actor
from lockgate.domain.projects import Deployment, Environment, ProjectRecord
from lockgate.domain.rollouts import JudgePolicy, Margin, Plan, Rollout, Strategy
from lockgate.embedded.model import Model
from lockgate.embedded.pair import Pair
from lockgate.embedded.reporter import SUBSCRIBER, Reporter
from lockgate.embedded.sending import Sent
from lockgate.kernel.errors import InvalidInput
from lockgate.ports.state import INBOX, JOURNAL, MODELS, PROJECTS, ROLLOUTS, VERSIONS, WORKERS, Received, Worker
from lockgate.runtimes.model import RuntimeFailure
from lockgate.serving.capture.figures import Figures
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.capture.records import RecordLog
from lockgate.serving.gateway.inference import Inference
from lockgate.serving.gateway.package import Engine, package_of
from lockgate.serving.gateway.plan import Packages, make_plan
from lockgate.serving.gateway.plan import Plan as GatewayPlan
from lockgate.serving.gateway.waking import Waking
from lockgate.serving.protocol import labels as gateway_labels
from lockgate.serving.protocol.problems import Answer
from lockgate.stages.deliver.journal import fold, report
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import VirtualClock
from lockgate.testing.records import MemoryRecords
from lockgate.testing.state import MemoryState
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.find_things import rollout_by
from lockgate.usecases.publish_routes import publish_routes, route_table
from lockgate.usecases.start_rollout import open_rollout
from lockgate.usecases.take_report import HOME, Teller, take_report
from lockgate.usecases.world import World

MODEL = "m"
ADA = Actor("ada")
SECRET = b"s" * 32
TOKEN = "the home's control token"
POLICY = JudgePolicy(
    metrics=("errors", "latency", "labels"),
    quantiles=(0.5, 0.95),
    latency_warm_up=300,
    requests_per_unit=3,
    label_event=LabelEvent("missed", 0.5),
    margins={"errors": Margin(2.0, 0.02), "latency": Margin(1.5, 0.02), "labels": Margin(2.5, 0.02)},
)
BATCH = 250  # requests between two turns of the controller
LATER = 2  # turns until their labels come
USERS = 4_000


class Happens(NamedTuple):
    """seconds: that the version takes. failed: it raises instead. late: the label."""

    seconds: float
    score: float
    failed: bool
    late: bool


@dataclass(frozen=True, slots=True)
class Traffic:
    """failing, slow, wrong: of version 2; what is of version 1 is the same in any traffic."""

    failing: float = 0.01
    slow: float = 1.0
    wrong: float = 0.1
    requests: int = 20_000

    def happens(self, index: int, version: int) -> Happens:
        dice = Random(index * 2 + 1)
        second = version == 2
        took = 0.001 * (1 + 4 * dice.random() ** 3)
        failed = dice.random() < (self.failing if second else 0.01)
        late = dice.random() < 0.4
        missed = dice.random() < (self.wrong if second else 0.1)
        score = round(dice.uniform(0.0, 0.45) if missed is late else dice.uniform(0.55, 1.0), 6)
        return Happens(took * (self.slow if second else 1.0), score, failed, late)

    def user(self, index: int) -> str:
        return f"user-{Random(-index).randrange(USERS)}"


class Met(NamedTuple):
    """Which version answered a request, and the id for its label; none if nobody answered."""

    version: int
    prediction_id: str


class Way(Protocol):
    """One way to answer: by the table in force, telling what came of it when it is asked to."""

    @abstractmethod
    def apply(self, table: RouteTable) -> None: ...
    @abstractmethod
    def ask(self, index: int, user: str) -> Met: ...
    @abstractmethod
    def label(self, prediction_id: str, label: float) -> None: ...
    @abstractmethod
    def tell(self) -> None: ...
    @abstractmethod
    def close(self) -> None: ...


@dataclass
class Scripted:
    """A version, as a program's model (`predict`) and as a runtime's (`run`)."""

    traffic: Traffic
    version: int
    clock: VirtualClock
    name: str = MODEL
    took: float = 0.0

    def predict(self, rows: Mapping[str, Any]) -> float:
        if rows["distance"] < 0:
            raise InvalidInput("the row", [])
        begun = self.clock.monotonic()
        happens = self.traffic.happens(rows["index"], self.version)
        self.clock.advance(happens.seconds)
        self.took = self.clock.monotonic() - begun
        if happens.failed:
            raise RuntimeFailure("it raised")
        return happens.score

    def run(self, feeds: Mapping[str, Any]) -> Sequence[Any]:
        return [np.array([self.predict({"index": int(feeds["index"][0]), "distance": 1.0})])]

    @property
    def signature(self) -> Signature:
        return SIGNATURE


SIGNATURE = Signature(
    (Tensor("index", "INT64", (-1,)), Tensor("distance", "FP64", (-1,))), (Tensor("late", "FP64", (-1,)),), "late"
)
_LINEAGE = Lineage("run-1", None, dirty=False, author="ada", data={}, params={})


class Gateway:
    """The data plane's own assignment, answering and capture."""

    def __init__(self, world: World, traffic: Traffic, clock: VirtualClock, folder: Path) -> None:
        self._world, self._clock, self._sequence = world, clock, 0
        self._ledger = Ledger("0", "w", Figures(), clock.unix())
        self._records = RecordLog(folder / "records", "w", self._ledger.book, clock=clock)
        self._large = ThreadPoolExecutor(1)
        self._inference = Inference(self._ledger, self._records, SECRET, clock, self._large, Waking())
        manifest = Manifest(MODEL, "onnx", (), SIGNATURE, Golden({}, [], 0.0), _LINEAGE)
        self._packages = {
            f"sha256:{version}": package_of(f"sha256:{version}", manifest, Engine(Scripted(traffic, version, clock)))
            for version in (1, 2)
        }
        self._plan = GatewayPlan()
        self._labels: list[Feedback] = []

    def apply(self, table: RouteTable) -> None:
        def tally(*arguments: Any, **options: Any) -> Any:
            return self._ledger.tally(table.revision, *arguments, **options)

        self._plan = make_plan(table, Packages(self._packages, {}), self._plan, tally)

    def ask(self, index: int, user: str) -> Met:
        body = msgspec.json.encode({"instances": [{"index": index, "distance": 1.0}]})
        headers = {"x-user-id": user}
        answer = self._inference.answer(self._plan.routes[MODEL], None, headers.get, body)
        assert isinstance(answer, Answer)
        if answer.status != 200:
            return Met(0, "")
        told = msgspec.json.decode(answer.body)
        return Met(int(told["model_version"]), told["parameters"]["prediction_id"])

    def label(self, prediction_id: str, label: float) -> None:
        body = msgspec.json.encode({"prediction_id": prediction_id, "label": label})
        self._labels += gateway_labels.parse(body, SECRET, MODEL, self._clock.unix())

    def tell(self) -> None:
        cut = self._ledger.cut(self._clock.unix(), owed=bool(self._labels))
        if cut is None:
            return
        closed = self._ledger.close(cut)
        self._ledger.settle(closed)
        self._records.write(self._records.take())
        block = msgspec.structs.replace(closed.block, feedback=tuple(self._labels))
        self._labels = []
        with self._world.state.write() as tx:
            tx.add(INBOX, Received(block.worker, block.incarnation, block.sequence, block))

    def close(self) -> None:
        self._records.close()
        self._large.shutdown()


class _Reporting:
    """What a pair and a subscriber have in common: they report."""

    def __init__(self, world: World, clock: VirtualClock, kind: str) -> None:
        self.records = MemoryRecords()
        self.reports: list[Report] = []
        self._world = world
        self._reporter = Reporter(
            "https://lockgate.example", TOKEN, MODEL, kind=kind, host="host-1", every=3600.0, clock=clock, send=self._take
        )

    def _take(self, body: bytes, _patience: float) -> Sent:
        found = msgspec.json.decode(body, type=Report)
        take_report(self._world, self.records, Teller(HOME, lambda _model: True), found)
        self.reports.append(found)
        return Sent.TAKEN

    def label(self, prediction_id: str, label: float) -> None:
        self._reporter.label(prediction_id, label)

    def tell(self) -> None:
        assert self._reporter.flush()

    def close(self) -> None:
        self._reporter.close()


class PairWay(_Reporting):
    """Two versions in one program."""

    def __init__(self, world: World, traffic: Traffic, clock: VirtualClock, _folder: Path) -> None:
        super().__init__(world, clock, "embedded")
        self._models = [Scripted(traffic, version, clock) for version in (1, 2)]
        self._timer = clock.monotonic
        self._pair: Pair | None = None

    def apply(self, table: RouteTable) -> None:
        route = table.route(MODEL)
        assert route is not None
        told = msgspec.json.decode(msgspec.json.encode(route))  # as a program gets it that has no library for it
        revision = (table.revision.epoch, table.revision.n)
        if self._pair is None:
            self._pair = Pair(self._models, told, revision, self._reporter, timer=self._timer)
        self._pair.follow(told, revision)

    def ask(self, index: int, user: str) -> Met:
        assert self._pair is not None
        try:
            answer = self._pair.answer({"index": index, "distance": 1.0}, headers={"X-User-Id": user})
        except RuntimeFailure:
            return Met(0, "")
        return Met(answer.version, answer.prediction_ids[0])


class SubscriberWay(_Reporting):
    """What a subscriber answers by, and tells of."""

    def __init__(self, world: World, traffic: Traffic, clock: VirtualClock, _folder: Path) -> None:
        super().__init__(world, clock, SUBSCRIBER)
        self._scripted = {version: Scripted(traffic, version, clock) for version in (1, 2)}
        self._observer = Observing(self._reporter)
        self._clock = clock
        self._answering: Answering | None = None

    def apply(self, table: RouteTable) -> None:
        route = table.route(MODEL)
        assert route is not None
        pointer = Pointer(f"{MODEL}@production", table.revision, route, (), self._clock.unix())
        models = cast("dict[int, Model]", self._scripted)
        self._answering = Answering(pointer, models, "host-1", self._observe)

    def ask(self, index: int, user: str) -> Met:
        assert self._answering is not None
        try:
            version = self._answering.predict({"index": index, "distance": 1.0}, user, {}).version
        except RuntimeFailure:
            return Met(0, "")
        return Met(version, self._observer.ids[0])

    def _observe(self, one: Observed) -> None:
        self._observer(replace(one, seconds=self._scripted[one.version].took))  # by the clock of the test


class Told(NamedTuple):
    """What came of it. met: by request, the version that answered. evidence: log e-values by name, the judge's last."""

    rollout: Rollout
    met: list[int]
    evidence: dict[str, float]
    rows: int


def answered(way: Any, traffic: Traffic, folder: Path, policy: JudgePolicy = POLICY) -> Told:
    """The whole traffic, or as much of it as the rollout takes. way: a class of the above."""
    clock = VirtualClock()
    world = World(MemoryState(), MemoryArtifacts(), clock)
    rollout, judges = begun(world, policy), Judges()
    using: Way = way(world, traffic, clock, folder)
    met: list[int] = []
    waiting: list[list[tuple[str, float]]] = []
    for begin in range(0, traffic.requests, BATCH):
        acknowledge(world)
        advance_rollouts(world, judges)
        with world.state.read() as tx:
            rollout = rollout_by(tx, rollout.id)
            using.apply(route_table(tx))
        if rollout.ended_at:
            break
        waiting.append([])
        for index in range(begin, begin + BATCH):
            clock.advance(0.01)
            found = using.ask(index, traffic.user(index))
            met.append(found.version)
            if found.prediction_id:
                waiting[-1].append((found.prediction_id, float(traffic.happens(index, found.version).late)))
        for prediction_id, label in waiting[-LATER] if len(waiting) >= LATER else ():
            using.label(prediction_id, label)
        using.tell()
    using.close()
    with world.state.read() as tx:
        rows = tx.find(JOURNAL, rollout=rollout.id)
    said = report(fold(rollout, rows), rollout.step, extensions=rollout.extensions)
    return Told(rollout, met, said.evidence, len(rows))


def begun(world: World, policy: JudgePolicy = POLICY, unit: str = "header:x-user-id") -> Rollout:
    """Version 1 in Production, version 2 as a canary that prepares."""
    now = world.clock.now()
    plan = Plan(Strategy.CANARY, (0.2, 0.5), unit, policy)
    with world.state.write() as tx:
        tx.put(MODELS, RegisteredModel(MODEL, now, 2))
        tx.put(PROJECTS, ProjectRecord(MODEL, "/p", Deployment.MANUAL, {"production": Environment(plan)}))
        first = ModelVersion(MODEL, 1, "sha256:1", "run-1", "ada", now, dirty=False, stage=Stage.PRODUCTION)
        second = ModelVersion(MODEL, 2, "sha256:2", "run-2", "ada", now, dirty=False)
        for version in (first, second):
            tx.put(VERSIONS, version)
        rollout = replace(open_rollout(tx, second, "production", ADA, now), salt="salt")  # who meets the canary is no chance here
        tx.put(ROLLOUTS, rollout)
        publish_routes(tx, MODEL)
    return rollout


def acknowledge(world: World) -> None:
    """The home's own data plane can answer with everything."""
    now = world.clock.now().timestamp()
    with world.state.write() as tx:
        table = route_table(tx)
        packages = {digest: PackageState(Readiness.READY) for digest in table.digests()}
        tx.put(WORKERS, Worker("w", now, Acknowledgement("0", "w", table.revision, now, packages)))
