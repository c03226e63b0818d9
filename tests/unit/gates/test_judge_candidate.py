"""A candidate is judged by all its gates at once; what they find, and what is waived, decides whether it is registered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import pytest

from lockgate.boundary.manifest import Golden, Signature, Tensor
from lockgate.boundary.routes import LabelEvent
from lockgate.domain.evaluation import Evaluation, encode
from lockgate.domain.packages import Packaged, SplitFacts
from lockgate.domain.runs import Run, StepRun, StepStatus
from lockgate.domain.verdicts import GateVerdict
from lockgate.kernel.errors import Invalid
from lockgate.ports.state import WAIVERS
from lockgate.project.load import Project, load
from lockgate.stages.decide.gates.fairness import threshold_of
from lockgate.testing import builders
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import VirtualClock
from lockgate.testing.company import waiver
from lockgate.testing.state import MemoryState
from lockgate.usecases.build_world import BuildWorld
from lockgate.usecases.judge_candidate import judge_candidate
from lockgate.usecases.take_candidate import candidate_of
from lockgate.usecases.world import World

MODEL = builders.MODEL
FILE = """
model: flight-delay
pipeline: pipeline.py
data: {{rows: {{path: rows.csv}}}}
gates: {gates}
environments:
  production:
    strategy: canary
    steps: [5%]
    judge: {{metrics: [errors, labels], labels: {labels}}}
"""


@dataclass
class Bench:
    """A world without runtimes, and a candidate that scores as it is told."""

    folder: Path
    gates: str
    labels: str = "{event: missed, threshold: 0.5}"
    world: World = field(default_factory=lambda: World(MemoryState(), MemoryArtifacts(), VirtualClock()))
    seen: list[StepRun] = field(default_factory=list)

    def project(self) -> Project:
        (self.folder / "pipeline.py").write_text("")
        (self.folder / "lockgate.yaml").write_text(FILE.format(gates=self.gates, labels=self.labels))
        return load(self.folder)

    def judge(self, found: Evaluation, on_progress: Callable[[StepRun], None] | None = None, **packaged: Any) -> Run:
        score = Tensor("score", "FP64", (-1, 1))
        made = Packaged(
            "mean", {"m": b"m"}, Signature((score,), (score,), "score"), Golden({"score": [1.0]}, [1.0], 1e-9), {},
            b"reference", encode(found), **packaged,
        )  # fmt: skip
        run = builders.run()
        candidate = candidate_of(self.world, run, msgspec.msgpack.encode(made))
        build = cast("BuildWorld", Build())
        return judge_candidate(self.world, build, self.project(), run, candidate, on_progress or self.seen.append)


@dataclass
class Build:
    """No package can be served here."""

    runtimes: tuple[()] = ()

    @property
    def server(self) -> Build:
        return self

    def cost(self, *_: object) -> object:
        raise Invalid("no package can be served here")


def rows(n: int, *, seed: int = 0) -> Evaluation:
    random = np.random.default_rng(seed)
    label = (random.random(n) < 0.5).astype(float)
    score = np.clip(0.25 + 0.5 * label + random.normal(scale=0.05, size=n), 0, 1)
    group = ["a" if number % 2 else "b" for number in range(n)]
    return Evaluation([str(number) for number in range(n)], score.tolist(), label.tolist(), {"group": group})


def test_twenty_rows_tell_nothing_and_do_not_register(tmp_path: Path) -> None:
    run = Bench(tmp_path, "{quality: [auc >= 0.5]}").judge(rows(20))
    assert [gate.verdict for gate in run.gates] == [GateVerdict.INCONCLUSIVE]
    assert run.error == "gate quality: auc >= 0.5: INCONCLUSIVE, the evaluation has 20 examples, at least 100 are needed to judge"


def test_a_waived_gate_is_no_error_and_the_others_are_still_named(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "{quality: [auc >= 0.5, brier <= 0.5]}")
    now = bench.world.clock.now()
    with bench.world.state.write() as tx:
        tx.put(WAIVERS, waiver(rule="auc >= 0.5", granted_at=now, until=now + timedelta(days=1)))
    run = bench.judge(rows(20))
    assert [gate.judged for gate in run.gates] == [GateVerdict.WAIVED, GateVerdict.INCONCLUSIVE]
    assert run.error is not None
    assert run.error.startswith("gate quality: brier <= 0.5: INCONCLUSIVE")
    assert "auc" not in run.error

    with bench.world.state.write() as tx:
        tx.put(WAIVERS, waiver(id="waiver-2", rule="brier <= 0.5", granted_at=now, until=now + timedelta(days=1)))
    assert bench.judge(rows(20)).error is None


@pytest.mark.parametrize(("version", "verdict"), [(1, GateVerdict.WAIVED), (2, GateVerdict.INCONCLUSIVE)])
def test_a_waiver_of_a_version_is_for_the_one_that_comes_next(tmp_path: Path, version: int, verdict: GateVerdict) -> None:
    bench = Bench(tmp_path, "{quality: [auc >= 0.5]}")
    with bench.world.state.write() as tx:
        tx.put(WAIVERS, waiver(version=version, until=bench.world.clock.now() + timedelta(days=1)))
    (gate,) = bench.judge(rows(20)).gates
    assert gate.judged is verdict


def test_all_gates_are_judged_and_each_is_told_as_it_begins_and_ends(tmp_path: Path) -> None:
    bench = Bench(
        tmp_path,
        "{quality: [auc >= 0.99], packaged: {size_mb: 1}, split: {max_overlap: 1%}, "
        "fairness: {by: group, metric: selection_rate, max_difference: 20%}}",
    )
    clock = cast("VirtualClock", bench.world.clock)

    def watch(step: StepRun) -> None:
        bench.seen.append(step)
        clock.advance(1.5)

    run = bench.judge(rows(2000), watch, split=SplitFacts(2000, 900))
    assert [(gate.gate, gate.verdict.value) for gate in run.gates] == [
        ("split", "FAIL"),
        ("quality", "PASS"),
        ("fairness", "PASS"),
        ("packaged", "ERROR"),
    ]
    assert [(step.kind, step.name, step.status) for step in bench.seen] == [
        ("gate", "split", StepStatus.RUNNING),
        ("gate", "split", StepStatus.FAILED),
        ("gate", "quality", StepStatus.RUNNING),
        ("gate", "quality", StepStatus.DONE),
        ("gate", "fairness", StepStatus.RUNNING),
        ("gate", "fairness", StepStatus.DONE),
        ("gate", "packaged", StepStatus.RUNNING),
        ("gate", "packaged", StepStatus.FAILED),
    ]
    assert [step.seconds for step in bench.seen] == [None, 1.5] * 4


def test_gates_without_rules_are_not_told_of(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "{}")
    run = bench.judge(rows(200))
    assert (run.gates, run.error, bench.seen) == ((), None, [])


def test_the_distance_of_an_event_off_is_no_threshold_for_who_gets_a_yes(tmp_path: Path) -> None:
    """Every score is above 0.1, and all would have got a yes by it; at 0.5 it is the true ones."""
    bench = Bench(tmp_path, "{fairness: {by: group, metric: selection_rate, max_difference: 20%}}")
    bench.labels = "{event: off, threshold: 0.1}"
    (gate,) = bench.judge(rows(2000)).gates
    assert gate.measured["threshold"] == 0.5
    assert 0.4 < gate.measured["groups"]["selection_rate"]["a"]["rate"] < 0.6

    bench.labels = "{event: missed, threshold: 0.1}"
    (gate,) = bench.judge(rows(2000)).gates
    assert (gate.measured["threshold"], gate.measured["groups"]["selection_rate"]["a"]["rate"]) == (0.1, 1.0)


@pytest.mark.parametrize(
    ("event", "threshold"), [("missed", 0.25), ("false_alarm", 0.25), ("wrong", 0.25), ("off", None), ("true", None)]
)
def test_only_events_that_look_at_which_side_of_it_a_score_is_have_a_threshold(event: str, threshold: float | None) -> None:
    assert threshold_of(LabelEvent(event, 0.25)) == threshold
    assert threshold_of(None) is None
