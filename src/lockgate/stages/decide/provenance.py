"""Who made a version's package, and from what: the predicate of SLSA provenance, version 1 (slsa.dev/spec/v1.0/provenance).

It is drawn up from the record alone, so that the same version has the same words whenever they are signed.
"""

from __future__ import annotations

from typing import Any

from lockgate.stages.decide.papers import Facts, hash_of, moment

BUILDER = "pkg:pypi/lockgate"
PIPELINE, GRAPH, LEARNING = (f"{BUILDER}#build/{name}/v1" for name in ("pipeline", "graph", "learning"))
"""How a package comes to be: see docs/explanation/supply-chain.md."""


def provenance(facts: Facts) -> dict[str, Any]:
    """Names and digests only: nothing of the data itself."""
    lineage = facts.manifest.lineage
    return {
        "buildDefinition": {
            "buildType": _kind(facts),
            "externalParameters": {
                "model": facts.version.model,
                "commit": lineage.commit,
                "params": lineage.params,
            },
            "internalParameters": {"author": facts.version.author, "dirty": facts.version.dirty},
            "resolvedDependencies": _dependencies(facts),
        },
        "runDetails": {
            "builder": {"id": f"{BUILDER}@{facts.release}", "version": {"lockgate": facts.release}},
            "metadata": _metadata(facts),
            "byproducts": _byproducts(facts),
        },
    }


def _kind(facts: Facts) -> str:
    if facts.version.learned is not None:
        return LEARNING
    return GRAPH if facts.nodes() else PIPELINE


def _dependencies(facts: Facts) -> list[dict[str, Any]]:
    """A dataset's digest is that of the sorted list of its files with theirs: see domain.data.dataset_digest."""
    lineage = facts.manifest.lineage
    source = [{"name": "source", "digest": {"gitCommit": lineage.commit}}] if lineage.commit else []
    data = [{"name": f"data/{name}", "digest": hash_of(digest)} for name, digest in sorted(lineage.data.items())]
    return (
        source + data + [{"name": f"model/{name}", "digest": hash_of(digest)} for name, digest in sorted(facts.nodes().items())]
    )


def _metadata(facts: Facts) -> dict[str, str]:
    version, run = facts.version, facts.run
    if version.learned is not None:
        return {"invocationId": version.learned.course, "finishedOn": moment(version.created_at)}
    started = {"startedOn": moment(run.created_at)} if run is not None else {}
    return {"invocationId": version.run, **started, "finishedOn": moment(version.created_at)}


def _byproducts(facts: Facts) -> list[dict[str, Any]]:
    version = facts.version
    kept = {"gates": version.evidence, "evaluation": version.evaluation, "reference": version.reference}
    return [{"name": name, "digest": hash_of(digest)} for name, digest in kept.items() if digest]
