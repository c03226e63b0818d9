"""A sample home, played by the real use cases and the real judge on a virtual clock: what pages and routes are tested with.

Three weeks of `flight-delay`: version 1 is the first to serve; version 2 travels as a canary and is proven safe; version 3 misses
twice as many late flights and is sent home; then drift is found, a retraining makes version 4, and its rollout is under way at
the third of four steps. `taxi-out` has a version in Staging that waits to go to Production. `fares` was registered, no more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np

from lockgate.boundary import manifest as packages
from lockgate.boundary.acknowledgements import Acknowledgement, PackageState, Readiness
from lockgate.boundary.histogram import bucket
from lockgate.boundary.observations import FAILED, Block, Cell, Feedback, UnitOutcome
from lockgate.boundary.routes import LabelEvent, Role, Route, RouteTable
from lockgate.domain.events import Action, Happened
from lockgate.domain.findings import Finding, FindingKind, Trigger, TriggerDecision
from lockgate.domain.models import ModelVersion, Stage
from lockgate.domain.people import WATCH, Actor
from lockgate.domain.projects import ApprovalPolicy, Deployment, Environment, ProjectRecord
from lockgate.domain.rollouts import JudgePolicy, Margin, Phase, Plan, Rollout, Strategy
from lockgate.domain.runs import Run, RunStatus, StepRun, StepStatus
from lockgate.domain.verdicts import GateResult, GateVerdict
from lockgate.kernel.digest import digest_bytes
from lockgate.kernel.ids import new_id
from lockgate.ports.state import FINDINGS, INBOX, ROLLOUTS, ROUTES, RUNS, TRIGGERS, WORKERS, Received, Worker
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import VirtualClock
from lockgate.testing.state import MemoryState
from lockgate.usecases.add_comment import add_comment
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.decide_request import approve_request
from lockgate.usecases.register_version import register_version, remember_project
from lockgate.usecases.request_transition import request_transition
from lockgate.usecases.world import World

MODEL = "flight-delay"
ANN, BEN, CARLA = Actor("ann"), Actor("ben"), Actor("carla")
JUDGE = JudgePolicy(
    metrics=("errors", "latency", "labels"),
    margins={"errors": Margin(1.5, 0.02), "latency": Margin(1.6, 0.02), "labels": Margin(1.3, 0.02)},
    label_event=LabelEvent("missed", 0.25),
    latency_warm_up=400,
    requests_per_unit=1,
    max_units=20_000,
)
CANARY = Plan(Strategy.CANARY, (0.01, 0.05, 0.25, 0.5), "header:x-user-id", JUDGE)
_ENVIRONMENTS = {"staging": Environment(), "production": Environment(CANARY, ApprovalPolicy())}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a version answers in production: rates of failure and of a late flight missed, and the median latency in seconds."""

    failing: float = 0.004
    missing: float = 0.06
    latency: float = 0.0021


@dataclass
class Story:
    """The world, with what is needed to go on telling."""

    world: World
    clock: VirtualClock
    home: Path | None
    judges: Judges
    random: np.random.Generator
    sequence: int = 0
    keys: int = 0

    def pass_time(self, **duration: float) -> None:
        self.clock.advance(timedelta(**duration).total_seconds())

    def rollout(self, version: int) -> Rollout:
        with self.world.state.read() as tx:
            return next(one for one in tx.find(ROLLOUTS, model=MODEL) if one.version == version)

    def table(self) -> RouteTable:
        with self.world.state.read() as tx:
            published = tx.get(ROUTES, "current")
        return published.table if published else RouteTable()

    def workers_report(self) -> None:
        """Two workers that follow the table in force and hold every package that it names."""
        table, now = self.table(), self.clock.now().timestamp()
        ready = {digest: PackageState(Readiness.READY) for digest in sorted(table.digests())}
        with self.world.state.write() as tx:
            for place in ("0", "1"):
                said = Acknowledgement(place, f"{place}-a", table.revision, now, ready, 182_000_000)
                tx.put(WORKERS, Worker(said.incarnation, now, said))

    def tick(self) -> None:
        self.workers_report()
        advance_rollouts(self.world, self.judges)

    def traffic(self, requests: int, behaviours: dict[int, Behaviour], seconds: float = 1.0) -> None:
        """Requests of so many users, spread over the arms as the table says, with labels for most; then one tick."""
        self.pass_time(seconds=seconds)
        route = self.table().route(MODEL)
        assert route is not None
        arms = [arm for arm in route.arms if arm.role in (Role.CANARY, Role.CHAMPION)]
        shares = self.random.multinomial(requests, [arm.weight for arm in arms])
        cells, feedback = [], []
        for arm, count in zip(arms, shares, strict=True):
            if count:
                cell, labels = self._answers(route, arm.role, arm.version, int(count), behaviours[arm.version])
                cells.append(cell)
                feedback.extend(labels)
        self.sequence += 1
        at = self.clock.now().timestamp()
        block = Block("0", "0-a", self.sequence, at - seconds, at, tuple(cells), tuple(feedback), records_logged=requests)
        with self.world.state.write() as tx:
            tx.add(INBOX, Received(block.worker, block.incarnation, block.sequence, block))
        self.tick()

    def _answers(self, route: Route, role: Role, version: int, count: int, behaviour: Behaviour) -> tuple[Cell, list[Feedback]]:
        revision, at = self.table().revision, self.clock.now().timestamp()
        latencies = behaviour.latency * self.random.lognormal(0.0, 0.35, count)
        failed = self.random.random(count) < behaviour.failing
        limits: tuple[float, ...] = ()
        if route.thresholds:
            limits = route.thresholds.canary if role is Role.CANARY else route.thresholds.champion
        over = np.array([latencies > limit for limit in limits], dtype=bool).reshape(len(limits), count)
        keys = range(self.keys, self.keys + count)
        self.keys += count
        bits = failed * FAILED + sum((over[i] * (2 << i) for i in range(len(limits))), np.zeros(count, dtype=int))
        counted: dict[int, int] = {}
        for latency in latencies:
            counted[bucket(float(latency))] = counted.get(bucket(float(latency)), 0) + 1
        cell = Cell(
            model=MODEL,
            version=version,
            revision=revision,
            completed=count,
            failures={"error": int(failed.sum())} if failed.any() else {},
            latency=counted,
            thresholds_id=route.thresholds.id if route.thresholds else 0,
            exceeded=tuple(int(row.sum()) for row in over),
            units=tuple(UnitOutcome(key, int(bit)) for key, bit in zip(keys, bits, strict=True)) if route.rollout else (),
            first_at=at - 1,
            last_at=at,
        )
        missed = self.random.random(count) < behaviour.missing
        labels = [
            Feedback(f"p-{key}", MODEL, version, revision, key, 0.1 if miss else 0.8, 1.0, at, at - 1)
            for key, miss in zip(keys, missed, strict=True)
            if key % 10
        ]
        return cell, labels


def begin(home: Path | None = None) -> Story:
    """An empty home."""
    clock = VirtualClock()
    world = World(MemoryState(), MemoryArtifacts(), clock)
    return Story(world, clock, home, Judges(), np.random.default_rng(7))


def tell(home: Path | None = None) -> Story:
    """The whole story, up to the rollout that is under way."""
    story = begin(home)
    first_version(story)
    story.pass_time(days=6)
    refused_run(story)
    story.pass_time(hours=3)
    proven_canary(story)
    story.pass_time(days=7)
    harmful_canary(story)
    story.pass_time(days=5, hours=2)
    other_models(story)
    drift_and_retraining(story)
    rollout_under_way(story)
    return story


def first_version(story: Story) -> None:
    register(story, auc=0.671, months=[1, 2], commit="3f1c9a7e2b60")
    story.pass_time(minutes=20)
    ask_and_approve(story, 1, "First version; staging looked right.")
    story.pass_time(seconds=2)
    story.tick()
    story.pass_time(seconds=1)
    story.tick()


def refused_run(story: Story) -> None:
    story.pass_time(minutes=1)
    made = story.clock.now()
    story.pass_time(seconds=41)
    run = Run(
        new_id("run"), MODEL, RunStatus.REFUSED, made, BEN.name, BEN.name, "person", commit="77ab01d4e9c2",
        params={"learning_rate": 0.9, "months": [1, 2]}, data=_data(), steps=_steps(story, made, reused=2),
        gates=(gate(0.6412, GateVerdict.FAIL),), metrics={"auc": 0.6412}, finished_at=story.clock.now(),
        error="gate quality: auc is 0.641, at least 0.65 is asked",
    )  # fmt: skip
    with story.world.state.write() as tx:
        tx.put(RUNS, run)
        details = {"run": run.id, "gates": ["auc >= 0.65"]}
        tx.record(Happened(Action.RUN_REFUSED, BEN.name, False, story.clock.now(), run.id, MODEL, 0, dict(details)))  # noqa: FBT003


def proven_canary(story: Story) -> None:
    register(story, auc=0.702, months=[1, 2, 3], commit="b5d2e0814c7f", champion=0.671)
    story.pass_time(minutes=4)
    add_comment(story.world, MODEL, 2, CARLA, "Gradient boosting instead of the linear model; half the calibration error.")
    ask_and_approve(story, 2, "Better learner, one more month.")
    answers = {1: Behaviour(), 2: Behaviour(failing=0.004, missing=0.05, latency=0.0016)}
    ramp_until(story, 2, answers, (Phase.PROMOTED, Phase.ABORTED))


def harmful_canary(story: Story) -> None:
    register(story, auc=0.709, months=[1, 2, 3, 4], commit="e07714aa93bd", champion=0.702)
    story.pass_time(minutes=9)
    ask_and_approve(story, 3, "Adds the distance in miles.")
    answers = {2: Behaviour(missing=0.05, latency=0.0016), 3: Behaviour(missing=0.16, latency=0.0016)}
    ramp_until(story, 3, answers, (Phase.PROMOTED, Phase.ABORTED))


def other_models(story: Story) -> None:
    register(story, model="taxi-out", auc=0.744, months=[2, 3], commit="90c2d8f3ab11")
    register(story, model="fares", auc=0.683, months=[3], commit="1b7d20aa4e55", dirty=True)
    asked = request_transition(story.world, "taxi-out", 1, Stage.STAGING, ANN, "Have a look in Staging.")
    approve_request(story.world, asked.id, BEN)
    for _ in range(2):
        story.pass_time(seconds=2)
        story.tick()
    story.pass_time(hours=20)
    request_transition(story.world, "taxi-out", 1, Stage.PRODUCTION, ANN, "A day in Staging without a finding.")


def drift_and_retraining(story: Story) -> None:
    now, version = story.clock.now(), 2
    measured = {"psi": 0.31, "p": 1.2e-9, "window": 41}
    drift = Finding(
        new_id("finding"), MODEL, version, FindingKind.DRIFT, now - timedelta(days=3),
        "dep_delay moved away from the training reference: PSI 0.31 over 3 windows of 2 000 rows", measured,
    )  # fmt: skip
    drop = Finding(
        new_id("finding"), MODEL, version, FindingKind.PERFORMANCE_DROP, now - timedelta(minutes=38),
        "missed: 412 of 4 870 labelled answers (8.5 %, 7.7 % to 9.3 %) against 5.1 % on held-out examples", {"rate": 0.085},
    )  # fmt: skip
    triggers = [
        Trigger(new_id("trigger"), MODEL, drift.id, "notify", TriggerDecision.FIRED, "recorded for people", drift.at),
        Trigger(new_id("trigger"), MODEL, drop.id, "retrain", TriggerDecision.FIRED, "5 214 new labels; no brake holds", drop.at,
                "job-5c1x9w2k7m"),
    ]  # fmt: skip
    with story.world.state.write() as tx:
        for finding in (drift, drop):
            tx.put(FINDINGS, finding)
            tx.record(_by_watch(Action.FINDING_RECORDED, finding, {"kind": finding.kind.value, "detail": finding.detail}))
        for trigger, finding in zip(triggers, (drift, drop), strict=True):
            tx.put(TRIGGERS, trigger)
            tx.record(_by_watch(Action.TRIGGER_FIRED, finding, {"action": trigger.action, "reason": trigger.reason}))
    cause = f"retrain: {drop.id}"
    register(story, auc=0.712, months=[1, 2, 3, 4, 5], commit="b5d2e0814c7f", champion=0.702, cause=cause)


def rollout_under_way(story: Story) -> None:
    story.pass_time(minutes=6)
    ask_and_approve(story, 4, "Retrained on five months.")
    answers = {2: Behaviour(missing=0.085, latency=0.0016), 4: Behaviour(missing=0.055, latency=0.0016)}
    ramp_until(story, 4, answers, (Phase.PROMOTED, Phase.ABORTED), step=2)
    for _ in range(4):
        story.traffic(40, answers)


def ramp_until(
    story: Story, version: int, answers: dict[int, Behaviour], phases: tuple[Phase, ...], step: int | None = None
) -> None:
    """Traffic until the rollout is in one of the phases, or at the step."""
    for _ in range(600):
        story.traffic(180, answers, seconds=1.3)
        rollout = story.rollout(version)
        if rollout.phase in phases or rollout.step == step:
            story.pass_time(seconds=0.3)
            story.tick()
            return
    raise AssertionError(f"rollout of version {version} still {rollout.phase.value} at step {rollout.step} after all the traffic")


def ask_and_approve(story: Story, version: int, comment: str) -> None:
    request = request_transition(story.world, MODEL, version, Stage.PRODUCTION, ANN, comment)
    story.pass_time(minutes=11)
    approve_request(story.world, request.id, BEN, "Gates are clean, go.")


def register(
    story: Story,
    *,
    auc: float,
    months: list[int],
    commit: str,
    model: str = MODEL,
    champion: float | None = None,
    cause: str = "person",
    dirty: bool = False,
) -> ModelVersion:
    made = story.clock.now()
    story.pass_time(seconds=38)
    gates = [gate(auc, GateVerdict.PASS)]
    if champion is not None:
        gates.append(champion_gate(auc, champion))
    run = Run(
        new_id("run"), model, RunStatus.RUNNING, made, "watch" if "retrain" in cause else CARLA.name, CARLA.name, cause,
        commit=commit, dirty=dirty, params={"learning_rate": 0.1, "months": months}, data=_data(),
        gates=tuple(gates), metrics={"auc": auc, "log_loss": 0.9 - auc / 1.6, "brier": 0.246 - auc / 8, "n": 21_408.0},
    )  # fmt: skip
    run = replace(run, steps=_steps(story, made, reused=1 if champion else 0, run=run.id))
    project = ProjectRecord(model, "projects/flights", Deployment.MANUAL, _ENVIRONMENTS)
    with story.world.state.write() as tx:
        remember_project(tx, project, CARLA, made)
        tx.record(Happened(Action.RUN_STARTED, run.actor, False, made, run.id, model, 0, {"cause": cause, "commit": commit}))  # noqa: FBT003
    digest = story.world.artifacts.put(_package(model, run))
    reference = digest_bytes(b"reference")
    return register_version(
        story.world, run, CARLA, digest=digest, evaluation=digest_bytes(b"evaluation"), reference=reference, project=project,
    )  # fmt: skip


def gate(auc: float, verdict: GateVerdict) -> GateResult:
    measured = {"point": auc - 0.007, "low": auc - 0.018, "high": auc + 0.001, "limit": 0.65, "n": 21_408}
    detail = (
        f"auc is {measured['point']:.4g}, 95% interval [{measured['low']:.4g}, {measured['high']:.4g}]; at least 0.65 is asked"
    )
    return GateResult("quality", "auc >= 0.65", verdict, detail, measured)


def champion_gate(auc: float, champion: float) -> GateResult:
    better = auc - champion
    low, high = better - 0.006, better + 0.006
    verdict = GateVerdict.PASS if low >= -0.005 else GateVerdict.INCONCLUSIVE
    detail = f"auc is {better:.4g} better than the champion's, 95% interval [{low:.4g}, {high:.4g}]; 0.005 worse is allowed"
    measured = {"point": better, "low": low, "high": high, "margin": 0.005, "candidate": auc, "champion": champion, "n": 21_408}
    return GateResult("quality", "auc not worse than champion by 0.005", verdict, f"{detail}. Compared in pairs", measured)


def _by_watch(action: Action, finding: Finding, details: dict[str, object]) -> Happened:
    return Happened(action, WATCH.name, True, finding.at, finding.id, finding.model, finding.version, dict(details))  # noqa: FBT003


def _data() -> dict[str, str]:
    return {"flights": digest_bytes(b"flights-2013"), "weather": digest_bytes(b"weather-2013")}


_PLAN = (
    ("lint", "check", 0.8), ("tests", "check", 4.1), ("flights", "data", 1.9), ("examples", "step", 5.6),
    ("split", "step", 1.2), ("model", "step", 17.3), ("evaluation", "step", 2.2), ("package", "package", 3.4),
)  # fmt: skip


def _steps(story: Story, at: object, *, reused: int, run: str | None = None) -> tuple[StepRun, ...]:
    return tuple(_step(story, index, reused, run) for index in range(len(_PLAN)))


def _step(story: Story, index: int, reused: int, run: str | None) -> StepRun:
    name, kind, seconds = _PLAN[index]
    fresh = not (kind == "step" and reused and index in (3, 4)[:reused])
    log = None
    if story.home is not None and run is not None and fresh:
        log = f"runs/{run}/{name}.log"
        path = story.home / log
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{name}: line {line} of what the step printed\n" for line in range(1, 13)))
    return StepRun(
        name=name,
        kind=kind,
        status=StepStatus.DONE if fresh else StepStatus.REUSED,
        fingerprint=digest_bytes(f"{name}{run if fresh else ''}".encode()),
        output=digest_bytes(name.encode()),
        started_at=story.clock.now(),
        seconds=seconds if fresh else None,
        log=log,
    )


def _package(model: str, run: Run) -> bytes:
    inputs = (
        packages.Tensor("carrier", "BYTES", (-1, 1)),
        packages.Tensor("distance", "FP32", (-1, 1)),
        packages.Tensor("dep_delay", "FP32", (-1, 1)),
    )
    outputs = (packages.Tensor("probabilities", "FP32", (-1, 2)),)
    return packages.encode(
        packages.Manifest(
            model=model,
            runtime="onnx",
            files=(packages.File("model.onnx", digest_bytes(run.id.encode()), 412_688),),
            signature=packages.Signature(inputs, outputs, "probabilities", 1),
            golden=packages.Golden({"distance": [1.0, 2.0]}, [0.2, 0.7], 1e-5),
            lineage=packages.Lineage(run.id, run.commit, run.dirty, run.author, run.data, run.params),
            environment={"scikit-learn": "1.9.1", "onnxruntime": "1.31.0"},
        )
    )
