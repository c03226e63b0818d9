"""A home with people who have tokens, and a model whose packages can be fetched: what clients of other makes are tried on."""

from __future__ import annotations

from dataclasses import replace

from lockgate.boundary import manifest as packages
from lockgate.domain.access import Scope
from lockgate.domain.models import ModelVersion
from lockgate.domain.people import Actor
from lockgate.domain.projects import Environment, ProjectRecord
from lockgate.testing.builders import MODEL, digest, project, run
from lockgate.usecases.add_user import add_user
from lockgate.usecases.make_access_token import make_access_token
from lockgate.usecases.register_version import register_version
from lockgate.usecases.world import World

OLGA = Actor("olga", authenticated=True)  # makes the others


def token_of(world: World, name: str, *scopes: Scope, groups: tuple[str, ...] = ()) -> str:
    """A new user's token; without scopes for everything. With the first user the server is closed."""
    add_user(world, OLGA, name, groups)
    return make_access_token(world, OLGA, name, "tests", scopes or tuple(Scope)).text


def register(world: World, number: int, author: str = "carla", files: dict[str, bytes] | None = None) -> ModelVersion:
    """A version whose package lies in the store, in a project where both environments are entered at once."""
    contents = {"model.onnx": b"graph %d" % number, "nodes/a.txt": b"below"} if files is None else files
    stored = tuple(packages.File(name, world.artifacts.put(content), len(content)) for name, content in contents.items())
    name = f"run-{number}"
    kept = packages.Manifest(
        model=MODEL,
        runtime="onnx",
        files=stored,
        signature=packages.Signature((packages.Tensor("x", "FP32", (-1, 1)),), (packages.Tensor("y", "FP32", (-1, 2)),), "y", 1),
        golden=packages.Golden({"x": [1.0, 2.0]}, [0.2, 0.7], 1e-5),
        lineage=packages.Lineage(name, "3f1c9a", False, author, {"flights": digest("flights")}, {"depth": 3}),  # noqa: FBT003
    )
    made = world.artifacts.put(packages.encode(kept))
    record: ProjectRecord = project(environments={"staging": Environment(), "production": Environment()})
    built = replace(run(id=name, author=author), metrics={"auc": 0.7}, params={"depth": 3}, commit="3f1c9a")
    evaluation, reference = digest("evaluation"), digest("reference")
    return register_version(world, built, Actor(author), digest=made, evaluation=evaluation, reference=reference, project=record)
