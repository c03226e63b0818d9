"""From two registered models to a version that is a graph of them: composed, verified, loaded, asked for and approved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from lockgate.boundary.manifest import decode, encode
from lockgate.domain.models import Alias
from lockgate.domain.verdicts import GateVerdict
from lockgate.integrations.local.artifacts import LocalArtifacts
from lockgate.kernel.errors import Corrupt, InvalidInput
from lockgate.ports.state import ALIASES, MODELS, RUNS, VERSIONS
from lockgate.runtimes.package import read
from lockgate.runtimes.registry import load_model, runtime_of
from lockgate.serving.gateway.loading import load_inline
from lockgate.stages.decide.evidence import decode as decode_evidence
from lockgate.testing import builders as a
from lockgate.usecases.verify_package import verify_package
from lockgate.usecases.world import World
from lockgate.wiring import pipelines
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world
from tests.contracts.runtime_models import graph as graphs
from tests.contracts.runtime_models.fixture import Fixture
from tests.integration.cli.command import CommandLine, Said

NAMES = {"flight-delay": "x", "linear-delay": "y"}


@pytest.fixture
def world(elsewhere: CommandLine, tmp_path: Path) -> World:
    """Two models of two versions each: 1 · input and 2 · input. Version 2 of flight-delay is its champion."""
    world = open_world(Home(elsewhere.home))
    with world.state.write() as tx:
        for name, column in NAMES.items():
            tx.put(MODELS, replace(a.registered_model(), name=name, latest_version=2))
            for number in (1, 2):
                digest = _stored(world, graphs.linear(tmp_path / name, column, float(number)), name)
                tx.put(VERSIONS, a.version(number, model=name, digest=digest))
        tx.put(ALIASES, Alias("flight-delay", "champion", 2))
    return world


def _stored(world: World, made: Fixture, name: str) -> str:
    """As if a run had made it."""
    for file in made.manifest.files:
        world.artifacts.put(LocalArtifacts(made.artifacts).get(file.digest))
    return world.artifacts.put(encode(made.changed(model=name).manifest))


def compose(lockgate: CommandLine, declared: Any, *words: str) -> Said:
    text = declared if isinstance(declared, str) else yaml.safe_dump(declared, sort_keys=False)
    (lockgate.folder / "ensemble.yaml").write_text(text)
    return lockgate("compose", "ensemble.yaml", *words)


def test_two_models_become_one_that_goes_the_usual_road(elsewhere: CommandLine, world: World) -> None:
    before = len(list((elsewhere.home / "artifacts").glob("*/*")))
    declared = {"model": "delay-ensemble", "graph": {"average": ["flight-delay@champion", "linear-delay@1"], "weights": [2, 1]}}
    made = compose(elsewhere, declared, "--json", "--as", "anna").json
    assert made["graph"] == "average(flight-delay@2, linear-delay@1)"
    assert made["inline"] is True
    assert len(list((elsewhere.home / "artifacts").glob("*/*"))) == before + 4  # the manifest, the evidence and the two papers
    evidence = decode_evidence(world.artifacts.get(made["version"]["evidence"]))
    assert (evidence.package, [gate.rule for gate in evidence.gates]) == (made["version"]["digest"], ["runs as graph"])

    digest = made["version"]["digest"]
    runtimes = pipelines.build_world(Home(elsewhere.home), world).runtimes
    manifest = verify_package(world.artifacts, digest, runtimes).manifest
    assert manifest.lineage.params["nodes"] == manifest.options["nodes"] == made["nodes"]
    assert runtime_of(manifest).inline

    package = load_inline(elsewhere.home / "artifacts", digest)
    x, y = np.array([[1.0], [5.0]], dtype=np.float32), np.array([[3.0], [-1.0]], dtype=np.float32)
    assert package.engine.inline is not None
    [answer] = package.engine.inline.run({"x": x, "y": y})
    np.testing.assert_allclose(answer, (2 * (2 * x) + y) / 3, rtol=1e-6)

    asked = elsewhere("request", "delay-ensemble", "1", "--to", "production", "--as", "anna", "--json").json
    assert elsewhere("approve", asked["id"], "--as", "anna").code == 3  # who composed it does not approve it
    assert elsewhere("approve", asked["id"], "--as", "ben").code == 0
    assert "delay-ensemble" in elsewhere("rollout", "status").out
    assert elsewhere("audit", "verify").code == 0
    with world.state.read() as tx:
        [run] = tx.find(RUNS, model="delay-ensemble")
    assert (run.version, run.author) == (1, "anna")
    assert elsewhere("runs", "show", run.id).code == 0


def test_all_kinds_and_a_graph_of_graphs(elsewhere: CommandLine, world: World) -> None:
    choice = {
        "switch": {
            "field": "origin",
            "cases": {"JFK": {"vote": ["flight-delay@1", "linear-delay@2"], "threshold": 100}, "LGA": "flight-delay@1"},
            "default": {"sequence": ["linear-delay@2", "flight-delay@2"], "as": "x"},
        }
    }
    said = compose(elsewhere, {"model": "by-origin", "graph": choice})
    assert said.code == 0, said.err
    assert "Only the graph itself reads origin" in said.out
    outer = {"model": "outer", "graph": {"average": ["by-origin@1", "by-origin@1", "linear-delay@1"]}}
    made = compose(elsewhere, outer, "--json").json

    artifacts = elsewhere.home / "artifacts"
    manifest, files = read(artifacts, made["version"]["digest"])
    assert {tensor.name: tensor.datatype for tensor in manifest.signature.inputs} == {"x": "FP32", "y": "FP32", "origin": "BYTES"}
    column = np.array([[150.0], [150.0], [3.0]], dtype=np.float32)
    origins = np.array([["JFK"], ["LGA"], ["EWR"]], dtype=object)
    [answer] = load_model(manifest, files).run({"x": column, "y": column, "origin": origins})
    inner = np.array([1.0, 150.0, 12.0])
    np.testing.assert_allclose(answer[:, 0], (2 * inner + column[:, 0]) / 3, rtol=1e-6)

    again = compose(elsewhere, {"model": "by-origin", "graph": {"average": ["outer@1"]}})
    assert again.code == 1
    assert "by-origin would be part of itself" in again.err


def test_everything_that_is_wrong_is_told_with_its_line(elsewhere: CommandLine, world: World) -> None:
    declared = """\
model: Delay Ensemble
grap: 1
graph:
  average:
    - flight-dely@1
    - flight-delay@9
    - flight-delay@champ
    - linear-delay@champion
    - vote: [flight-delay@1]
  weights: [1, 2]
"""
    said = compose(elsewhere, declared)
    assert said.code == 1
    for line, found in (
        (1, "lower-case letters"),
        (2, "unknown key"),
        (5, "there is no model 'flight-dely' (did you mean 'flight-delay'?)"),
        (6, "has no version 9; its latest is 2 (did you mean 'flight-delay@2'?)"),
        (7, "has no alias 'champ'; its aliases are champion (did you mean 'champion'?)"),
        (8, "linear-delay has no alias 'champion'; it has none now"),
        (9, "a number expected"),
        (10, "2 weights found for 5 nodes"),
    ):
        assert any(one.strip().startswith(f"ensemble.yaml:{line}: ") and found in one for one in said.err.splitlines()), found
    with world.state.read() as tx:
        assert [one.name for one in tx.find(MODELS)] == list(NAMES)


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        ("", "a mapping with model and graph expected"),
        ("graph: a@1", "model: is missing"),
        ("model: x", "graph: is missing"),
        ("model: flight-delay\ngraph: {average: [flight-delay@1]}", "would be part of itself"),
        (
            "model: z\ngraph:\n  sequence: [flight-delay@1, linear-delay@1]\n  as: z",
            "ensemble.yaml:3: graph.sequence[1]: 'z' is none",
        ),
    ],
)
def test_what_is_no_graph_is_refused(elsewhere: CommandLine, world: World, declared: str, found: str) -> None:
    said = compose(elsewhere, declared)
    assert said.code == 1
    assert found in said.err


def test_a_home_that_lost_a_nodes_files_composes_nothing(elsewhere: CommandLine, world: World) -> None:
    made = compose(elsewhere, {"model": "one", "graph": "flight-delay@1"}, "--json").json
    manifest = decode(world.artifacts.get(made["version"]["digest"]), made["version"]["digest"])
    lost = LocalArtifacts(elsewhere.home / "artifacts").path(manifest.files[0].digest)
    lost.unlink()
    with pytest.raises(InvalidInput):
        verify_package(world.artifacts, made["version"]["digest"], pipelines.build_world(Home(elsewhere.home), world).runtimes)
    lost.write_bytes(b"other")
    with pytest.raises(Corrupt):
        read(elsewhere.home / "artifacts", made["version"]["digest"])
    assert compose(elsewhere, {"model": "one", "graph": "flight-delay@1"}).code == 1
    assert compose(elsewhere, {"model": "one", "graph": "linear-delay@1"}, "--json").json["version"]["version"] == 2


def test_what_could_not_come_in_alone_is_no_part_of_anything(elsewhere: CommandLine, world: World) -> None:
    failed = replace(a.gate_result(), verdict=GateVerdict.FAIL)
    with world.state.write() as tx:
        found = tx.get(VERSIONS, "linear-delay", 1)
        assert found is not None
        tx.put(VERSIONS, replace(found, gates=(failed,)))
    said = compose(elsewhere, {"model": "delay-ensemble", "graph": {"average": ["flight-delay@1", "linear-delay@1"]}})
    assert said.code != 0
    assert "linear-delay@1: gate 'quality' (auc >= 0.65) said FAIL and no waiver holds" in " ".join(said.err.split())
