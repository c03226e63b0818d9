"""Names in the project file that should be inputs: asked once it is known which inputs there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.boundary.manifest import Golden, Lineage, Manifest, Signature, Tensor, encode
from lockgate.kernel.errors import InvalidInput
from lockgate.ports.state import ROUTES, PublishedRoutes
from lockgate.project.load import Project, load
from lockgate.testing import builders as a
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import VirtualClock
from lockgate.testing.state import MemoryState
from lockgate.usecases.check_named_inputs import check_named_inputs
from lockgate.usecases.world import World

INPUTS = ("distance", "email")


@pytest.fixture
def world() -> World:
    return World(MemoryState(), MemoryArtifacts(), VirtualClock())


def project(folder: Path, production: str) -> Project:
    (folder / "pipeline.py").write_text("")
    head = f"model: {a.MODEL}\npipeline: pipeline.py\ndata: {{rows: {{path: rows.csv}}}}\n"
    (folder / "lockgate.yaml").write_text(f"{head}environments: {{production: {production}}}\n")
    return load(folder)


def signature(*names: str) -> Signature:
    return Signature(tuple(Tensor(name, "FP32", (-1, 1)) for name in names), (), "score")


def serve(world: World, *names: str) -> str:
    """A version with these inputs is in Production. Returns its package's digest."""
    made = Manifest(a.MODEL, "onnx", (), signature(*names), Golden({}, [], 0.0), Lineage("r", None, False, "a", {}, {}))  # noqa: FBT003
    digest = world.artifacts.put(encode(made))
    with world.state.write() as tx:
        tx.put(ROUTES, PublishedRoutes(a.route_table(routes=(a.route(arms=(a.arm(digest=digest),)),))))
    return digest


def faults(world: World, project: Project) -> list[str]:
    with pytest.raises(InvalidInput) as error:
        check_named_inputs(world, project, signature(*INPUTS))
    return [str(fault) for fault in error.value.faults]


def test_names_that_are_inputs_are_well(world: World, tmp_path: Path) -> None:
    asked = "{redact: [email], rules: [{field: distance, is: [1], to: 1}, {header: x-any, is: [a], to: 1}]}"
    check_named_inputs(world, project(tmp_path, asked), signature(*INPUTS))


def test_what_tells_segments_apart_is_an_input_or_a_header(world: World, tmp_path: Path) -> None:
    check_named_inputs(world, project(tmp_path, '{champions: {by: "field:distance", segments: [1]}}'), signature(*INPUTS))
    check_named_inputs(world, project(tmp_path, '{champions: {by: "header:x-any", segments: [1]}}'), signature(*INPUTS))
    (fault,) = faults(world, project(tmp_path, '{champions: {by: "field:distence", segments: [1]}}'))
    assert "environments.production.champions.by: 'distence' is no input" in fault
    assert "did you mean 'distance'?" in fault


def test_misspelt_names_are_told_all_at_once_with_what_was_meant(world: World, tmp_path: Path) -> None:
    serve(world, "distance")
    asked = "{redact: [distance, emial], rules: [{header: x, is: [a], to: 1}, {field: distanc, is: [1], to: 1}]}"
    told = "is no input of this version, nor of one that is served; distance, email expected"
    assert faults(world, project(tmp_path, asked)) == [
        f"lockgate.yaml: environments.production.redact[1]: 'emial' {told} (did you mean 'email'?)",
        f"lockgate.yaml: environments.production.rules[1].field: 'distanc' {told} (did you mean 'distance'?)",
    ]


def test_what_only_a_version_that_is_served_knows_stays_redacted_there(world: World, tmp_path: Path) -> None:
    asked = project(tmp_path, "{redact: [passport]}")
    digest = serve(world, "distance", "passport")
    check_named_inputs(world, asked, signature(*INPUTS))
    assert isinstance(world.artifacts, MemoryArtifacts)
    world.artifacts.damage(digest, b"something else")
    assert len(faults(world, asked)) == 1
