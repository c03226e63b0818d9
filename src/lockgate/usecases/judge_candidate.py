"""A package that a worker made, taken into the artifacts, and what the gates say of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from lockgate.boundary import manifest
from lockgate.boundary.manifest import File, Lineage, Manifest
from lockgate.domain import evaluation
from lockgate.domain.evaluation import Evaluation
from lockgate.domain.packages import Packaged
from lockgate.domain.runs import Run
from lockgate.domain.verdicts import GateResult, GateVerdict
from lockgate.kernel.errors import Invalid
from lockgate.ports.artifacts import ArtifactStore
from lockgate.project.load import Project
from lockgate.stages.decide.gates.fairness import judge_fairness
from lockgate.stages.decide.gates.metrics import metrics
from lockgate.stages.decide.gates.quality import judge_gates
from lockgate.stages.decide.gates.split import judge_split
from lockgate.usecases.ask_package import ask_package
from lockgate.usecases.build_world import BuildWorld
from lockgate.usecases.evaluate_champion import evaluate_champion
from lockgate.usecases.world import World


@dataclass(frozen=True, slots=True)
class Candidate:
    """digest: of the package's manifest. evaluation_digest, reference: of artifacts."""

    digest: str
    manifest: Manifest
    packaged: Packaged
    evaluation: Evaluation
    evaluation_digest: str
    reference: str


def candidate_of(world: World, run: Run, content: bytes) -> Candidate:
    """Store all parts of a package; `content` is a domain.packages.Packaged as a worker wrote it.

    Raises:
        Invalid: it is none.
    """
    try:
        packaged = msgspec.msgpack.decode(content, type=Packaged)
    except msgspec.DecodeError as error:
        raise Invalid(f"the packager gave no package: {error}") from error
    made = Manifest(
        model=run.model,
        runtime=packaged.runtime,
        files=tuple(_stored(world.artifacts, name, packaged.files[name]) for name in sorted(packaged.files)),
        signature=packaged.signature,
        golden=packaged.golden,
        lineage=Lineage(run.id, run.commit, run.dirty, run.author, run.data, run.params),
        environment=packaged.environment,
        options=packaged.options,
        requirements=packaged.requirements,
    )
    return Candidate(
        digest=world.artifacts.put(manifest.encode(made)),
        manifest=made,
        packaged=packaged,
        evaluation=evaluation.decode(packaged.evaluation),
        evaluation_digest=world.artifacts.put(packaged.evaluation),
        reference=world.artifacts.put(packaged.reference),
    )


def _stored(artifacts: ArtifactStore, name: str, content: bytes) -> File:
    return File(name, artifacts.put(content), len(content))


def judge_candidate(world: World, build: BuildWorld, project: Project, run: Run, candidate: Candidate) -> Run:
    """The run with its metrics and the verdict of each gate; its `error` names the gates that did not pass, if any."""
    event = project.label_event
    champion = evaluate_champion(world, build.runtimes, run.model, candidate.packaged)
    results = _noted(candidate.packaged) + judge_split(project.gates.split, candidate.packaged.split)
    results += judge_gates(project.gates.quality, candidate.evaluation, champion, event)
    results += judge_fairness(project.gates.fairness, candidate.evaluation, event.threshold if event else None)
    results += ask_package(build, project.gates, candidate.manifest, candidate.packaged)
    missed = [one for one in results if one.verdict is not GateVerdict.PASS]
    error = "; ".join(f"gate {one.gate}: {one.rule}: {one.verdict.value}, {one.detail}" for one in missed) or None
    return replace(run, metrics=metrics(candidate.evaluation, event), gates=results, error=error)


def _noted(packaged: Packaged) -> tuple[GateResult, ...]:
    """What the packager had to say, where everybody looks: a model that became slower should surprise nobody."""
    if not packaged.notes:
        return ()
    return (GateResult("package", f"runs as {packaged.runtime}", GateVerdict.PASS, "; ".join(packaged.notes)),)
