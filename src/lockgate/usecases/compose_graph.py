"""Make one package of several registered models and register it as a version: from there on it goes the road of every model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lockgate.boundary import manifest as manifests
from lockgate.boundary.manifest import File, Lineage, Manifest, Signature, Tensor, names
from lockgate.domain.events import Action, Happened
from lockgate.domain.models import ModelVersion, RegisteredModel
from lockgate.domain.people import Actor
from lockgate.domain.runs import Run, RunStatus
from lockgate.domain.verdicts import GateResult, GateVerdict
from lockgate.kernel.errors import Invalid
from lockgate.kernel.ids import new_id
from lockgate.ports.runtimes import Runtime
from lockgate.ports.state import MODELS, RUNS, VERSIONS
from lockgate.stages.build.packaging import graph_scores
from lockgate.stages.build.packaging.graph import RUNTIME, Leaf, as_data, described
from lockgate.stages.build.packaging.graph_package import MANIFEST, folder_of, may_be_inline, requirements_of
from lockgate.usecases.find_nodes import COMPOSED
from lockgate.usecases.keep_evidence import keep_evidence
from lockgate.usecases.read_graph import Part, ReadGraph, read_graph
from lockgate.usecases.sign_version import next_number, record_signed, renumbered, with_papers
from lockgate.usecases.verify_package import verify_package
from lockgate.usecases.world import World

SCORE = Tensor("score", "FP32", (-1, 1))


@dataclass(frozen=True, slots=True)
class Composed:
    """nodes: digest by MODEL@VERSION. only_switched: inputs that the graph switches on and no node takes."""

    version: ModelVersion
    graph: str
    nodes: dict[str, str]
    inputs: tuple[str, ...]
    only_switched: tuple[str, ...]
    inline: bool


def compose_graph(world: World, runtimes: Iterable[Runtime], path: Path, actor: Actor) -> Composed:
    """A version of the model that the file in `path` names.

    Raises:
        InvalidInput: the file, or the models that it names, have faults: all of them. Invalid: a node cannot answer, or no golden
        row is left. Refused, Corrupt: the package does not answer as its nodes do, or is not whole.
    """
    runtimes = tuple(runtimes)
    read = read_graph(world, path)
    run = _new_run(world, read, actor)
    made = _manifest(world, runtimes, read, run)
    digest = world.artifacts.put(manifests.encode(made))
    verify_package(world.artifacts, digest, runtimes)
    version = _register(world, run, digest, actor)
    return Composed(
        version=version,
        graph=described(read.graph),
        nodes=dict(made.options["nodes"]),
        inputs=names(read.inputs),
        only_switched=tuple(read.only_switched),
        inline=made.options["inline"],
    )


def _new_run(world: World, read: ReadGraph, actor: Actor) -> Run:
    """What made the version, as a pipeline's run is for others. dirty: a node was built from uncommitted changes."""
    return Run(
        id=new_id("run"),
        model=read.model,
        status=RunStatus.REGISTERED,
        created_at=world.clock.now(),
        actor=actor.name,
        author=actor.name,
        cause="person",
        dirty=any(part.dirty for part in read.parts),
        params={"graph": as_data(read.graph), "nodes": {part.name: part.digest for part in read.parts}},
        gates=(GateResult(*COMPOSED, GateVerdict.PASS, described(read.graph)),),
    )


def _manifest(world: World, runtimes: Sequence[Runtime], read: ReadGraph, run: Run) -> Manifest:
    own = {part.name: (part.manifest.signature, part.manifest.golden) for part in read.parts}
    answers = _Answers(world, runtimes, read.parts)
    return Manifest(
        model=read.model,
        runtime=RUNTIME,
        files=tuple(file for part in read.parts for file in _files(part)),
        signature=Signature(read.inputs, (SCORE,), SCORE.name),
        golden=graph_scores.golden(read.graph, read.inputs, own, answers.ask, read.only_switched),
        lineage=Lineage(run.id, None, run.dirty, run.author, {}, run.params),
        options={**run.params, "inline": may_be_inline([part.manifest for part in read.parts])},
        requirements=requirements_of([part.manifest for part in read.parts]),
    )


def _files(part: Part) -> list[File]:
    """The node's package as it is: its manifest, whose digest is the package's, and its files."""
    folder = folder_of(part.model, part.version)
    own = [File(f"{folder}files/{file.name}", file.digest, file.size) for file in part.manifest.files]
    return [*own, File(folder + MANIFEST, part.digest, part.size)]


class _Answers:
    """What the nodes say, each asked as `verify` asks a package."""

    def __init__(self, world: World, runtimes: Sequence[Runtime], parts: Sequence[Part]) -> None:
        self._world = world
        self._runtimes = {runtime.name: runtime for runtime in runtimes}
        self._parts = {part.name: part for part in parts}

    def ask(self, leaf: Leaf, columns: graph_scores.Columns) -> Sequence[float]:
        manifest = self._parts[str(leaf)].manifest
        runtime = self._runtimes.get(manifest.runtime)
        if runtime is None:
            raise Invalid(f"node {leaf} runs on {manifest.runtime!r}, for which there is no runtime here")
        files = {file.name: self._world.artifacts.get(file.digest) for file in manifest.files}
        given = {name: graph_scores.flat_cells(columns[name]) for name in names(manifest.signature.inputs)}
        try:
            return runtime.scores(manifest, files, given)
        except Invalid as error:
            raise Invalid(f"node {leaf}: {error.message}", hint=error.hint) from error


def _register(world: World, run: Run, digest: str, actor: Actor) -> ModelVersion:
    """The next version, with what made it, in one transaction. Whatever the project file says, a person sends it on its way."""
    now = world.clock.now()
    evidence, number = keep_evidence(world, run, digest), next_number(world, run.model)
    drawn = ModelVersion(
        run.model, number, digest, run.id, run.author, created_at=now, dirty=run.dirty, gates=run.gates, evidence=evidence
    )
    drawn = with_papers(world, drawn, run)
    with world.state.write() as tx:
        model = tx.get(MODELS, run.model) or RegisteredModel(run.model, now)
        number = model.latest_version + 1
        tx.put(MODELS, replace(model, latest_version=number))
        version = renumbered(world, drawn, number, run)
        tx.put(VERSIONS, version)
        tx.put(RUNS, replace(run, version=number, finished_at=now))
        details = {"run": run.id, "digest": digest, "commit": None, "cause": run.cause, "evidence": evidence}
        subject = f"{run.model}/{number}"
        tx.record(
            Happened(Action.VERSION_REGISTERED, actor.name, actor.authenticated, now, subject, run.model, number, dict(details))
        )
        record_signed(tx, world, version, actor, now)
    return version
