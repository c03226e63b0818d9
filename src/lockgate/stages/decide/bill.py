"""What a version is made of: a machine-learning bill of materials with a model card, CycloneDX version 1.6 as JSON.

It is drawn up from the record alone: the same version has the same bill, to the byte, whenever it is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID, uuid5

from lockgate.boundary.bundles import purl
from lockgate.boundary.manifest import Tensor
from lockgate.boundary.releases import Release
from lockgate.domain.distributions import Distribution, normalised
from lockgate.domain.verdicts import GateResult
from lockgate.kernel.digest import digits
from lockgate.stages.decide.card import CAVEATS, INTENDED
from lockgate.stages.decide.papers import Facts, moment

_SERIALS = UUID("6f1f4a3e-58a8-5c9b-9f0e-3b8a5e1d7c42")  # a name space of our own: the same version, the same number
_PYPI = {"sklearn": "scikit-learn"}  # imported under another name than it is installed under
_PLATFORM = "python"
_MODEL = "model"  # the reference of the component that all is about


def bill(facts: Facts) -> dict[str, Any]:
    libraries, data = list(_libraries(facts)), list(_data(facts))
    others = [one["bom-ref"] for one in (*libraries, *data) if one.get("scope") != "excluded"]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid5(_SERIALS, f'{facts.version.model}/{facts.version.version}/{facts.version.digest}')}",
        "version": 1,
        "metadata": {
            "timestamp": moment(facts.version.created_at),
            "tools": {"components": [{"type": "application", "name": "lockgate", "version": facts.release}]},
            "component": _model(facts),
        },
        "components": [*libraries, *data],
        "dependencies": [{"ref": _MODEL, "dependsOn": sorted(others)}, *({"ref": one} for one in sorted(others))],
    }


def _model(facts: Facts) -> dict[str, Any]:
    version, manifest = facts.version, facts.manifest
    files = [
        {"type": "file", "bom-ref": f"file/{file.name}", "name": file.name, "hashes": _hashes(file.digest)}
        for file in manifest.files
    ]
    return {
        "type": "machine-learning-model",
        "bom-ref": _MODEL,
        "name": version.model,
        "version": str(version.version),
        "purl": purl(Release(version.model, version.version, version.digest)),
        "authors": [{"name": version.author}],
        "hashes": _hashes(version.digest),
        "modelCard": _card(facts),
        "components": files,
        "properties": [
            {"name": "lockgate:runtime", "value": manifest.runtime},
            {"name": "lockgate:run", "value": version.run},
            *([{"name": "lockgate:commit", "value": manifest.lineage.commit}] if manifest.lineage.commit else []),
            {"name": "lockgate:dirty", "value": str(version.dirty).lower()},
        ],
    }


def _hashes(digest: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": digits(digest)}]


def _libraries(facts: Facts) -> Iterator[dict[str, Any]]:
    """What must be there to run it is required; what only made it is told too, and excluded from that."""
    environment = dict(facts.manifest.environment)
    python = environment.pop(_PLATFORM, None)
    made = {Distribution(normalised(_PYPI.get(name, name)), version) for name, version in environment.items()}
    for one in sorted(facts.needs):
        yield _library(one, "required")
    for one in sorted(made.difference(facts.needs)):
        yield _library(one, "excluded")
    if python is not None:
        yield {"type": "platform", "bom-ref": f"platform/{_PLATFORM}@{python}", "name": _PLATFORM, "version": python}


def _library(one: Distribution, scope: str) -> dict[str, Any]:
    found = {"name": one.name, "version": one.version, "purl": one.purl}
    return {"type": "library", "bom-ref": one.purl, **found, "scope": scope}


def _data(facts: Facts) -> Iterator[dict[str, Any]]:
    for name, digest in sorted(facts.manifest.lineage.data.items()):
        kind = [{"type": "dataset", "name": name}]
        yield {"type": "data", "bom-ref": f"data/{name}", "name": name, "hashes": _hashes(digest), "data": kind}
    for name, digest in sorted(facts.nodes().items()):
        model, _, number = name.partition("@")
        own = {"type": "machine-learning-model", "bom-ref": f"node/{name}", "name": model, "version": number}
        yield {**own, "hashes": _hashes(digest)}


def _card(facts: Facts) -> dict[str, Any]:
    signature = facts.manifest.signature
    judged = facts.version.evaluation or facts.version.learned
    parameters = {
        **({"approach": {"type": "supervised"}} if judged else {}),
        "modelArchitecture": facts.manifest.runtime,
        "datasets": [{"ref": f"data/{name}"} for name in sorted(facts.manifest.lineage.data)],
        "inputs": [_format(one) for one in signature.inputs],
        "outputs": [_format(one) for one in signature.outputs],
    }
    analysis = {"performanceMetrics": list(_measured(facts))}
    considered = _considerations(facts)
    return {
        "modelParameters": parameters,
        "quantitativeAnalysis": analysis,
        **({"considerations": considered} if considered else {}),
    }


def _format(tensor: Tensor) -> dict[str, str]:
    shape = " × ".join("n" if size < 0 else str(size) for size in tensor.shape)
    return {"format": f"{tensor.name}: {tensor.datatype} [{shape}]"}


def _measured(facts: Facts) -> Iterator[dict[str, Any]]:
    """On held-out examples: each metric, with the interval of a gate that measured it; then what gates measured in groups."""
    gates = facts.version.gates
    for name, value in sorted(facts.version.metrics.items()):
        own = (one for one in gates if "limit" in one.measured and one.rule.split()[:1] == [name])
        found = next((interval for gate in own if (interval := _interval(gate.measured))), {})
        yield {"type": name, "value": _number(value), **found}
    for gate in gates:
        yield from _groups(gate)


def _groups(gate: GateResult) -> Iterator[dict[str, Any]]:
    """fairness: each rate in each group. slices: the loss where it was found worse."""
    groups, slices = gate.measured.get("groups"), gate.measured.get("slices")
    for measure, found in sorted(groups.items()) if isinstance(groups, dict) else ():
        for name, figures in sorted(found.items()) if isinstance(found, dict) else ():
            if isinstance(figures, dict) and "rate" in figures:
                yield {"type": measure, "value": _number(figures["rate"]), "slice": str(name), **_interval(figures)}
    for one in slices if isinstance(slices, list) else ():
        if isinstance(one, dict) and "loss" in one:
            yield {"type": str(gate.measured.get("metric", "loss")), "value": _number(one["loss"]), "slice": str(one["slice"])}


def _interval(measured: Mapping[str, Any]) -> dict[str, Any]:
    low, high = measured.get("low"), measured.get("high")
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return {}
    return {"confidenceInterval": {"lowerBound": _number(low), "upperBound": _number(high)}}


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _considerations(facts: Facts) -> dict[str, list[str]]:
    """What people wrote by the time of signing, as tags: of the version, else of the model."""
    tags: dict[str, str] = {}
    for notes in facts.notes:
        tags |= notes.tags
    named = (("useCases", INTENDED), ("technicalLimitations", CAVEATS))
    return {name: [tags[tag]] for name, tag in named if tags.get(tag)}
