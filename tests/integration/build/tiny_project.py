"""A tiny project in a folder, and all that its pipeline needs: a home with SQLite, real workers, a packager of its own.

Steps note in a file beside the project that they ran.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lockgate.domain.people import Actor
from lockgate.domain.runs import Run, StepRun, StepStatus
from lockgate.stages.build.pipeline.plan import Planned
from lockgate.usecases.build_world import BuildWorld
from lockgate.usecases.explain_step import explain_step
from lockgate.usecases.plan_pipeline import plan_pipeline
from lockgate.usecases.run_pipeline import run_pipeline
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.pipelines import build_world
from lockgate.wiring.world import open_world

PROJECT = """
model: tiny
pipeline: pipeline.py
data:
  rows: {path: data/rows-*.csv}
params: {scale: 2}
"""

PIPELINE = '''
"""A pipeline without any library but what reads the data."""
from lockgate import Split, step
from lib.arithmetic import doubled
from counting import ran

def examples(rows):
    ran("examples")
    return [doubled(value) for value in rows["value"]]

def split(examples):
    ran("split")
    half = len(examples) // 2
    return Split(examples[:half], examples[:half], examples[half:], examples[half:])

def model(split, scale):
    ran("model")
    return {"mean": scale * sum(split.x_train) / len(split.x_train)}

def evaluation(model, split):
    ran("evaluation")
    return [(model["mean"], label) for label in split.y_test]
'''

ARITHMETIC = '''
FACTOR = 2

def doubled(value):
    """Twice the value."""
    # multiplication, not addition
    return FACTOR * value

def unused(value):
    return value
'''

COUNTING = """
import pathlib

def ran(step):
    with (pathlib.Path(__file__).parent.parent / "ran.txt").open("a") as file:
        file.write(step + chr(10))
"""

PACKAGER = '''
import msgspec

from lockgate.boundary.manifest import Golden, Signature, Tensor
from lockgate.domain.evaluation import Evaluation, encode
from lockgate.domain.packages import Packaged

def package(model, split, evaluation, event, packing):
    """The tiny packager: its runtime would be one that knows means."""
    if "refuse" in model:
        raise ValueError("this model cannot be packaged")
    signature = Signature((Tensor("value", "FP64", (-1, 1)),), (Tensor("score", "FP64", (-1, 1)),), "score")
    predictions, labels = [float(one) for one, _ in evaluation], [float(one) for _, one in evaluation]
    ids = [str(index) for index in range(len(labels))]
    return Packaged(
        "mean", {"model.json": msgspec.json.encode(model)}, signature, Golden({"value": [1.0]}, predictions[:1], 1e-9),
        {"python": "any"}, b"reference", encode(Evaluation(ids, predictions, labels)),
    )
'''


@dataclass
class Place:
    """The project's folder, its home, and the verbs."""

    folder: Path
    home: Home
    world: World
    build: BuildWorld

    def write(self, file: str, text: str) -> None:
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def edit(self, file: str, old: str, new: str) -> None:
        text = (self.folder / file).read_text()
        assert old in text
        (self.folder / file).write_text(text.replace(old, new))

    def run(self, **options: Any) -> Run:
        return run_pipeline(self.world, self.build, self.folder, actor=Actor("anna"), **options)

    def plan(self, **options: Any) -> dict[str, Planned]:
        return {one.task.key: one for one in plan_pipeline(self.world, self.build, self.folder, **options)}

    def why(self, step: str) -> Planned:
        return explain_step(self.world, self.build, self.folder, step)

    def ran(self) -> list[str]:
        """The steps that ran since this was last asked."""
        path = self.folder.parent / "ran.txt"
        steps = path.read_text().split() if path.exists() else []
        path.unlink(missing_ok=True)
        return steps

    def log(self, step: StepRun) -> str:
        assert step.log is not None
        return (self.home.folder / step.log).read_text()


def step_of(run: Run, name: str, kind: str = "step") -> StepRun:
    return next(step for step in run.steps if (step.name, step.kind) == (name, kind))


def statuses(run: Run) -> dict[str, StepStatus]:
    return {step.name: step.status for step in run.steps}


def open_place(folder: Path) -> Place:
    home = Home(folder / "home")
    world = open_world(home)
    build = replace(build_world(home, world), packager="tiny_packager:package", runtimes=())  # its packages hold no model
    return Place(folder / "project", home, world, build)


def new_place(folder: Path) -> Place:
    place = open_place(folder)
    place.write("lockgate.yaml", PROJECT)
    place.write("pipeline.py", PIPELINE)
    place.write("lib/arithmetic.py", ARITHMETIC)
    place.write("counting.py", COUNTING)
    place.write("tiny_packager.py", PACKAGER)
    place.write("data/rows-1.csv", "value\n1\n2\n3\n")
    place.write("data/rows-2.csv", "value\n4\n5\n6\n")
    return place
