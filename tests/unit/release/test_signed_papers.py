"""A registered version has signed papers: who made it from what, and what it is made of; the same words at any time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from lockgate.boundary import manifest as manifests
from lockgate.boundary import statements
from lockgate.boundary.public_keys import key_id
from lockgate.boundary.trust import trusting
from lockgate.domain.distributions import Distribution
from lockgate.domain.events import Action
from lockgate.domain.learning import Learned
from lockgate.domain.models import ModelVersion
from lockgate.domain.people import Actor
from lockgate.domain.remarks import Notes
from lockgate.domain.verdicts import GateVerdict
from lockgate.kernel.errors import Conflict, Refused
from lockgate.kernel.release import __version__
from lockgate.ports.state import NOTES, RUNS, VERSIONS
from lockgate.stages.decide.bill import bill
from lockgate.stages.decide.papers import Facts
from lockgate.stages.decide.provenance import GRAPH, LEARNING, provenance
from lockgate.testing import builders as a
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import START, VirtualClock
from lockgate.testing.signer import KeySigner
from lockgate.testing.state import MemoryState
from lockgate.usecases.sign_version import renumbered, sign_version, with_papers
from lockgate.usecases.world import World
from tests.samples.company import register

HOME = KeySigner("home")
COMMIT = "3f1c9a" + "0" * 34


class Installed:
    """A ports.distributions.Distributions."""

    def needed_by(self, modules: object) -> tuple[Distribution, ...]:
        return (Distribution("numpy", "2.2.0"), Distribution("onnxruntime", "1.22.0"))


@pytest.fixture
def world() -> World:
    return World(MemoryState(), MemoryArtifacts(), VirtualClock(), signer=HOME, distributions=Installed())


@pytest.fixture
def unsigned(world: World) -> World:
    return replace(world, signer=None)


def manifest(**fields: Any) -> manifests.Manifest:
    known: dict[str, Any] = {
        "model": a.MODEL,
        "runtime": "onnx",
        "files": (manifests.File("model.onnx", a.digest("file"), 3),),
        "signature": manifests.Signature(
            (manifests.Tensor("hour", "INT64", (-1, 1)),), (manifests.Tensor("p", "FP32", (-1, 2)),), "p", 1
        ),
        "golden": manifests.Golden({"hour": [1]}, [0.5], 1e-6),
        "lineage": manifests.Lineage("run-1", COMMIT, False, "anna", {"flights": a.digest("flights")}, {"depth": 3}),  # noqa: FBT003
        "environment": {"python": "3.11.7", "sklearn": "1.6.0", "numpy": "2.2.0"},
    }
    return manifests.Manifest(**(known | fields))


def facts(version: ModelVersion | None = None, **fields: Any) -> Facts:
    known: dict[str, Any] = {"version": version or a.version(), "manifest": manifest(), "release": "0.1.0", "run": a.run()}
    return Facts(**(known | fields))


def valid(document: object) -> str:
    """What the CycloneDX project's own strict schema has against it."""
    return str(JsonStrictValidator(SchemaVersion.V1_6).validate_str(msgspec.json.encode(document).decode()) or "")


def test_what_is_registered_is_signed_in_the_same_transaction(world: World) -> None:
    version = register(world, 1)
    with world.state.read() as tx:
        assert tx.get(VERSIONS, version.model, 1) == version
        actions = [one.happened.action for one in tx.events() if one.happened.version == 1]
        signed = [one.happened for one in tx.events() if one.happened.action is Action.VERSION_SIGNED]
    assert actions.index(Action.VERSION_SIGNED) == actions.index(Action.VERSION_REGISTERED) + 1
    assert signed[0].details == {
        "provenance": version.provenance,
        "sbom": version.sbom,
        "key": key_id(HOME.public_key),
    }
    trust = trusting([HOME.public_key])
    for kind, digest in ((statements.PROVENANCE, version.provenance), (statements.BILL, version.sbom)):
        stated, key = statements.hear_about(world.artifacts.get(digest), kind, version.digest, trust, "a paper")
        assert key.key == HOME.public_key
        assert stated.digests() == {"manifest.json": version.digest}
    with pytest.raises(Refused, match="none of the 1 trusted keys"):
        statements.hear(world.artifacts.get(version.sbom), statements.BILL, trusting([KeySigner("other").public_key]), "it")


def test_without_a_key_versions_stay_unsigned_and_may_be_signed_later(unsigned: World, world: World) -> None:
    version = register(unsigned, 1)
    assert (version.provenance, version.sbom) == ("", "")
    with pytest.raises(Conflict, match="no key here"):
        sign_version(unsigned, version.model, 1, Actor("ben"))
    signed = sign_version(world, version.model, 1, Actor("ben"))
    assert replace(signed, provenance="", sbom="") == version
    assert sign_version(world, version.model, 1, Actor("ben")) == signed
    with world.state.read() as tx:
        events = [one.happened for one in tx.events() if one.happened.action is Action.VERSION_SIGNED]
        run = tx.get(RUNS, version.run)
    assert [(one.actor, one.subject) for one in events] == [("ben", f"{version.model}/1")]
    assert with_papers(world, version, run) == signed, "the same words, whenever they are signed"


def test_what_another_key_signed_is_signed_anew(world: World) -> None:
    version = register(world, 1)
    rotated = replace(world, signer=KeySigner("new"))
    anew = sign_version(rotated, version.model, 1, Actor("ben"))
    assert anew.provenance != version.provenance
    trust = trusting([KeySigner("new").public_key])
    statements.hear_about(world.artifacts.get(anew.provenance), statements.PROVENANCE, version.digest, trust, "it")
    assert sign_version(rotated, version.model, 1, Actor("ben")) == anew


def test_the_builder_is_the_lockgate_that_made_it_whenever_it_is_signed(
    unsigned: World, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = register(unsigned, 1)
    monkeypatch.setattr("lockgate.usecases.sign_version.__version__", "99")
    signed = sign_version(world, version.model, 1, Actor("ben"))
    stated, _ = statements.hear(world.artifacts.get(signed.provenance), statements.PROVENANCE, trusting([HOME.public_key]), "it")
    assert stated.predicate["runDetails"]["builder"]["version"] == {"lockgate": __version__}


def test_a_graphs_bill_names_what_its_models_need(world: World) -> None:
    inside = manifest(runtime="river", requirements=("river==0.22.0",))
    stored = world.artifacts.put(manifests.encode(inside))
    files = (
        manifests.File("nodes/late/3/manifest.json", stored, 1),
        manifests.File("nodes/late/3/files/x/manifest.json", a.digest("no manifest of ours"), 1),
    )
    graph = manifest(runtime="graph", files=files)
    version = a.version(digest=world.artifacts.put(manifests.encode(graph)))
    stated, _ = statements.hear(
        world.artifacts.get(with_papers(world, version, None).sbom), statements.BILL, trusting([HOME.public_key]), "it"
    )
    names = {one["name"] for one in stated.predicate["components"] if one["type"] == "library" and one["scope"] == "required"}
    assert names == {"numpy", "onnxruntime", "river"}


def test_a_number_that_somebody_else_took_is_not_the_one_that_is_signed(world: World) -> None:
    version = register(world, 1)
    with world.state.read() as tx:
        run = tx.get(RUNS, version.run)
    later = renumbered(world, version, 2, run)
    assert renumbered(world, version, 1, run) is version
    assert later.sbom != version.sbom
    stated, _ = statements.hear(world.artifacts.get(later.sbom), statements.BILL, trusting([HOME.public_key]), "it")
    assert stated.predicate["metadata"]["component"]["version"] == "2"


def test_the_provenance_says_who_made_it_from_what() -> None:
    version = a.version(evidence=a.digest("gates"), created_at=START)
    said = provenance(facts(version))
    definition, details = said["buildDefinition"], said["runDetails"]
    assert definition["externalParameters"] == {"model": a.MODEL, "commit": COMMIT, "params": {"depth": 3}}
    assert definition["resolvedDependencies"] == [
        {"name": "source", "digest": {"gitCommit": COMMIT}},
        {"name": "data/flights", "digest": {"sha256": a.digest("flights").removeprefix("sha256:")}},
    ]
    assert details["builder"] == {"id": "pkg:pypi/lockgate@0.1.0", "version": {"lockgate": "0.1.0"}}
    assert details["metadata"] == {
        "invocationId": "run-1",
        "startedOn": f"{START:%Y-%m-%dT%H:%M:%SZ}",
        "finishedOn": f"{START:%Y-%m-%dT%H:%M:%SZ}",
    }
    assert [one["name"] for one in details["byproducts"]] == ["gates"]


def test_a_graph_names_its_models_and_a_checkpoint_its_lessons() -> None:
    graph = facts(manifest=manifest(runtime="graph", options={"nodes": {"late@3": a.digest("late")}}))
    said = provenance(graph)["buildDefinition"]
    assert said["buildType"] == GRAPH
    assert {"name": "model/late@3", "digest": {"sha256": a.digest("late").removeprefix("sha256:")}} in said[
        "resolvedDependencies"
    ]
    assert "node/late@3" in bill(graph)["dependencies"][0]["dependsOn"]
    learned = facts(a.version(learned=Learned("course-1", 1, 0, 1000, a.digest("lessons"))), run=None)
    assert provenance(learned)["buildDefinition"]["buildType"] == LEARNING
    assert provenance(learned)["runDetails"]["metadata"]["invocationId"] == "course-1"
    for one in (graph, learned):
        assert not valid(bill(one))


def test_the_bill_is_valid_and_names_what_it_is_made_of() -> None:
    needs = (Distribution("numpy", "2.2.0"), Distribution("onnxruntime", "1.22.0+cpu"))
    gates = (
        a.gate_result(rule="auc at least 0.6", measured={"point": 0.7, "low": 0.66, "high": 0.74, "limit": 0.6}),
        a.gate_result(gate="fairness", measured={"groups": {"recall": {"JFK": {"rate": 0.5, "low": 0.4, "high": 0.6, "n": 9}}}}),
        a.gate_result(gate="slices", measured={"metric": "brier", "slices": [{"slice": "hour=7", "loss": 0.3, "n": 4}]}),
        a.gate_result(gate="quality", verdict=GateVerdict.ERROR, measured={"n": 3}),
    )
    version = a.version(metrics={"auc": 0.7, "brier": float("nan")}, gates=gates, evaluation=a.digest("e"), dirty=True)
    notes = Notes(a.MODEL, 0, START, tags={"intended-use": "flights of New York", "caveats": "no storms"})
    document = bill(facts(version, needs=needs, notes=(notes,)))
    assert not valid(document)
    component = document["metadata"]["component"]
    assert component["hashes"] == [{"alg": "SHA-256", "content": version.digest.removeprefix("sha256:")}]
    assert component["purl"] == f"pkg:generic/{a.MODEL}@1"
    measured = component["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert {"type": "auc", "value": "0.7", "confidenceInterval": {"lowerBound": "0.66", "upperBound": "0.74"}} in measured
    assert [one["slice"] for one in measured if "slice" in one] == ["JFK", "hour=7"]
    assert component["modelCard"]["considerations"] == {
        "useCases": ["flights of New York"],
        "technicalLimitations": ["no storms"],
    }
    by_ref = {one["bom-ref"]: one for one in document["components"]}
    assert by_ref["pkg:pypi/numpy@2.2.0"]["scope"] == "required"
    assert by_ref["pkg:pypi/scikit-learn@1.6.0"]["scope"] == "excluded", "it made the model and does not run it"
    assert "pkg:pypi/onnxruntime@1.22.0%2Bcpu" in by_ref
    assert by_ref["data/flights"]["type"] == "data"
    depended = document["dependencies"][0]["dependsOn"]
    assert "pkg:pypi/numpy@2.2.0" in depended
    assert "pkg:pypi/scikit-learn@1.6.0" not in depended


def test_the_same_record_has_the_same_bill_and_another_version_another_serial_number() -> None:
    assert bill(facts()) == bill(facts())
    assert bill(facts())["serialNumber"] != bill(facts(a.version(2)))["serialNumber"]


def test_notes_of_the_version_come_before_those_of_the_model(world: World) -> None:
    with world.state.write() as tx:
        tx.put(NOTES, Notes(a.MODEL, 0, START, tags={"intended-use": "anything"}))
        tx.put(NOTES, Notes(a.MODEL, 1, START, tags={"intended-use": "flights"}))
    version = register(world, 1)
    stated, _ = statements.hear(world.artifacts.get(version.sbom), statements.BILL, trusting([HOME.public_key]), "it")
    assert stated.predicate["metadata"]["component"]["modelCard"]["considerations"]["useCases"] == ["flights"]
