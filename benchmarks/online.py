"""Online learning in figures: false alarms, how soon flipped labels are found, what poison comes in, how fast it learns.

Run as `python -m benchmarks.online`, a few minutes. Seeds are fixed. The limit is 35 % of the judged event, as in the docs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from math import log
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import forest, linear_model, preprocessing, tree

from lockgate.boundary.acknowledgements import Acknowledgement, PackageState, Readiness
from lockgate.boundary.manifest import File, Golden, Lineage, Manifest, Signature, Tensor, decode, encode
from lockgate.boundary.objects.river import RIVER
from lockgate.boundary.objects.writing import encode as written
from lockgate.boundary.routes import LabelEvent
from lockgate.domain.learning import LearningState, LessonLog, LoggedLesson, Online
from lockgate.domain.models import ModelVersion, RegisteredModel, Stage
from lockgate.domain.projects import Deployment, Environment, ProjectRecord
from lockgate.domain.rollouts import JudgePolicy, Phase, Plan, Strategy
from lockgate.integrations.local.artifacts import LocalArtifacts
from lockgate.integrations.river.learner import RiverLearners
from lockgate.integrations.sql.state import SqlState
from lockgate.kernel.clock import SystemClock
from lockgate.ports.state import LEARNINGS, LESSON_LOGS, LESSONS, MODELS, PROJECTS, ROLLOUTS, VERSIONS, WORKERS, Worker
from lockgate.stats.combine import log_mean
from lockgate.stats.detector import begin, cusum, shiryaev_roberts
from lockgate.stats.odds import HIGHER, log_growth
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import VirtualClock
from lockgate.testing.state import MemoryState
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.begin_course import begin_courses
from lockgate.usecases.learn_lessons import learn_lessons
from lockgate.usecases.live_models import LiveModels
from lockgate.usecases.publish_routes import publish_routes, route_table
from lockgate.usecases.world import World

AT_MOST, FEATURES = 0.35, 10
NEVER = np.iinfo(np.int64).max
JUDGE = JudgePolicy(metrics=("labels",), label_event=LabelEvent("wrong", 0.5))

Integers = NDArray[np.int64]
Rows = list[tuple[dict[str, float], float]]


def alarms(rate: float, rows: int, runs: int, run_length: float, seed: int, *, good: float = 0.0, before: int = 0) -> Integers:
    """Rows until the alarm and the estimate of its beginning, both counted from when the rate is `rate`; shape (2, runs).

    before: so many rows come at the rate `good` first.
    """
    dice, growths = np.random.default_rng(seed), log_growth([AT_MOST] * 2, [1, 1], [0, 1])
    logs, sums = np.tile(begin(len(HIGHER)), (runs, 1)), np.tile(begin(len(HIGHER)), (runs, 1))
    found = np.full((2, runs), NEVER)
    starts = np.where(sums <= 0, -before, 0)
    bar = log(run_length)
    for place in range(-before, rows):
        growth = growths[(dice.random(runs) < (good if place < 0 else rate)).astype(int)]
        starts[sums <= 0] = place
        logs, sums = shiryaev_roberts(logs, growth), cusum(sums, growth)
        near = np.flatnonzero((logs.max(axis=1) >= bar) & (found[0] == NEVER))
        new = near[log_mean(logs[near]) >= bar]
        best = sums[new].argmax(axis=1)
        found[:, new] = np.stack([np.full(len(new), place + 1), starts[new, best]])
        if (found[0] != NEVER).all():
            break
    return found


def false_alarms(runs: int = 5000, rows: int = 10_000, run_length: float = 5e3) -> None:
    print(f"\nFalse alarms, {runs} runs of {rows:,} rows, run length of at least {run_length:,.0f} rows asked")
    for rate in (AT_MOST, 0.3):
        found = alarms(rate, rows, runs, run_length, 1)[0]
        told = np.minimum(found, rows)
        # An alarm that does not come by then counts as one at the end: the true mean is longer.
        print(f"  rate {rate:4.0%}   alarmed {np.mean(found < NEVER):7.2%}   rows until it, at least {told.mean():10,.0f}")


def delays(runs: int = 2000, run_length: float = 1e7) -> None:
    print(f"\nRows from the flip to the alarm, and to where it is said to have begun; run length {run_length:.0e}, {runs} runs")
    for good, rate in ((0.15, 0.85), (0.15, 0.5), (0.25, 0.75), (0.05, 0.95)):
        found, began = alarms(rate, 3000, runs, run_length, 2, good=good, before=500)
        rows = np.sort(found)
        early = np.mean(found <= 0)
        print(
            f"  {good:.0%} to {rate:.0%}   median {rows[len(rows) // 2]:4}, p90 {rows[len(rows) * 9 // 10]:4}, most {rows[-1]:4}"
            f"   begun: median {np.median(began):4.0f}, p1 {np.percentile(began, 1):5.0f}, p99 {np.percentile(began, 99):5.0f}"
            f"   before the flip {early:.2%}"
        )


MODELS_OF_RIVER: dict[str, Callable[[], Any]] = {
    "logistic regression": lambda: preprocessing.StandardScaler() | linear_model.LogisticRegression(),
    "Hoeffding tree": tree.HoeffdingTreeClassifier,
    "adaptive forest of 10": lambda: forest.ARFClassifier(n_models=10, seed=4),
}


def stream(seed: int, noise: float = 0.1) -> Iterator[tuple[dict[str, float], float]]:
    dice = random.Random(seed)
    while True:
        row = {f"x{i}": dice.gauss(0, 1) for i in range(FEATURES)}
        truth = row["x0"] + 2 * row["x1"] - row["x2"] > 0
        yield row, float(truth != (dice.random() < noise))


def some(seed: int, count: int, *, flipped: bool = False) -> Rows:
    given = stream(seed)
    rows = [next(given) for _ in range(count)]
    return [(row, 1 - label) for row, label in rows] if flipped else rows


def package(world: World, make: Callable[[], Any]) -> str:
    """Of a model that has learned 500 rows."""
    model = make()
    for row, label in some(1, 500):
        model.learn_one(row, bool(label))
    content = written(model, RIVER)
    inputs = tuple(Tensor(f"x{i}", "FP64", (-1, 1)) for i in range(FEATURES))
    golden = {f"x{i}": [row[f"x{i}"] for row, _ in some(2, 32)] for i in range(FEATURES)}
    manifest = Manifest(
        model="m",
        runtime="river",
        files=(File("model.river.json", world.artifacts.put(content), len(content)),),
        signature=Signature(inputs, (Tensor("probabilities", "FP64", (-1, 2)),), "probabilities", 1),
        golden=Golden(golden, [0.5] * 32, 1e-5),
        lineage=Lineage("run-1", None, dirty=False, author="ada", data={}, params={}),
        options={"method": "predict_proba", "classes": [False, True]},
    )
    return world.artifacts.put(encode(manifest))


def home(world: World, make: Callable[[], Any], online: Online) -> None:
    now = world.clock.now()
    plan = Plan(Strategy.ONLINE, judge=JUDGE, online=online)
    version = ModelVersion("m", 1, package(world, make), "run-1", "ada", now, dirty=False, stage=Stage.PRODUCTION)
    with world.state.write() as tx:
        tx.put(PROJECTS, ProjectRecord("m", "/p", Deployment.MANUAL, {"production": Environment(plan)}))
        tx.put(MODELS, RegisteredModel("m", now, 1))
        tx.put(VERSIONS, version)
        publish_routes(tx, "m")
    begin_courses(world)


def logged(world: World, rows: Rows, size: int) -> None:
    with world.state.write() as tx:
        end = (tx.get(LESSON_LOGS, "m") or LessonLog("m")).rows
        for start in range(0, len(rows), size):
            given = rows[start : start + size]
            inputs = {name: [row[name] for row, _ in given] for name in given[0][0]}
            tx.put(LESSONS, LoggedLesson("m", end, f"l{end}", 1, inputs, tuple(label for _, label in given), 0.0))
            end += len(given)
        tx.put(LESSON_LOGS, LessonLog("m", end))


def speed(rows: int = 5000) -> None:
    print(
        f"\nSpeed on SQLite, {FEATURES} features, {rows:,} rows in lessons of 10, a checkpoint every 1,000, judged beside;"
        " processor time; a new learner comes 499 rows after a checkpoint"
    )
    for name, make in MODELS_OF_RIVER.items():
        with TemporaryDirectory() as folder:
            state = SqlState.open(str(Path(folder) / "state.db"))
            world = World(state, LocalArtifacts(Path(folder) / "artifacts"), SystemClock(), {"river": RiverLearners()})
            home(world, make, Online(1000, 0.5, 1e7))
            logged(world, some(3, rows), 10)
            models, turns, began = LiveModels(), list[float](), process_time()
            while True:
                turn = process_time()
                if not learn_lessons(world, models):
                    break
                turns.append(process_time() - turn)
            took = process_time() - began
            logged(world, some(4, 499), 10)
            _learned(world, models)
            size = _size(world)
            logged(world, some(5, 1), 1)
            began = process_time()
            _learned(world, LiveModels())
            again = process_time() - began
            print(
                f"  {name:22} {rows / took:6,.0f} rows/s   a turn with a checkpoint {max(turns) * 1000:6,.0f} ms, others"
                f" {sorted(turns)[len(turns) // 2] * 1000:4.0f} ms   model {size / 1000:6,.0f} kB"
                f"   a new learner goes on after {again * 1000:6,.0f} ms"
            )
            state.close()


def _learned(world: World, models: LiveModels) -> None:
    while learn_lessons(world, models):
        pass


def _size(world: World) -> int:
    """Of the last checkpoint's model, bytes."""
    with world.state.read() as tx:
        version = max(tx.find(VERSIONS, model="m"), key=lambda one: one.version)
    return decode(world.artifacts.get(version.digest), version.digest).files[0].size


def poison(runs: int = 30) -> None:
    """From some row on all labels are flipped, or thrown by a coin; the learner and the controller take a turn every 50 rows."""
    print(f"\nPoison after 2,000 rows and some, logistic regression, {runs} runs, at most {AT_MOST:.0%}, run length 1e7")
    for name, true in (("flipped", 0.0), ("a coin", 0.5)):
        for every in (100, 1000):
            told = np.array([_poisoned(seed, every, 2000 + seed * 37 % every, true) for seed in range(runs)])
            stopped, made, brought, serves = told.mean(axis=0)
            print(
                f"  {name:8} a checkpoint every {every:5,} rows   stopped {stopped:4.0%}   poisoned ones made {made:5.2f} a run,"
                f" brought into Production {brought:5.2f} a run   one serves in the end {serves:4.0%}"
            )


def _poisoned(seed: int, every: int, good: int, true: float) -> tuple[float, ...]:
    """Whether it was stopped, how many checkpoints learned poison, how many of them came in, whether one serves in the end.

    true: how many of the labels are, from row `good` on; 1,000 rows come.
    """
    world = World(MemoryState(), MemoryArtifacts(), VirtualClock(), {"river": RiverLearners()})
    home(world, MODELS_OF_RIVER["logistic regression"], Online(every, AT_MOST, 1e7))
    models, judges, dice = LiveModels(), Judges(), random.Random(seed)
    bad = [(row, label if dice.random() < true else 1 - label) for row, label in some(seed + 10_000, 1000)]
    rows = some(seed + 10, good) + bad
    for start in range(0, len(rows), 50):
        logged(world, rows[start : start + 50], 10)
        _turn(world, models, judges)
    with world.state.read() as tx:
        learning = tx.get(LEARNINGS, "m")
        tainted = {one.version for one in tx.find(VERSIONS, model="m") if one.learned and one.learned.end > good}
        champion = tx.find(VERSIONS, model="m", stage=Stage.PRODUCTION.value)[0]
        brought = {one.version for one in tx.find(ROLLOUTS, model="m", phase=Phase.PROMOTED.value)}
    stopped = learning is not None and learning.state is LearningState.STOPPED
    return float(stopped), float(len(tainted)), float(len(tainted & brought)), float(champion.version in tainted)


def _turn(world: World, models: LiveModels, judges: Judges) -> None:
    world.clock.advance(0.2)  # type: ignore[attr-defined]
    _learned(world, models)
    now = world.clock.now().timestamp()
    with world.state.write() as tx:
        table = route_table(tx)
        packages = {digest: PackageState(Readiness.READY) for digest in table.digests()}
        tx.put(WORKERS, Worker("w", now, Acknowledgement("0", "w", table.revision, now, packages)))
    advance_rollouts(world, judges)


def main() -> None:
    started = perf_counter()
    false_alarms()
    delays()
    speed()
    poison()
    print(f"\n{perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
