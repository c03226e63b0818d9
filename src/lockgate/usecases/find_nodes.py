"""Find the versions that a graph of models is made of."""

from __future__ import annotations

from lockgate.domain.models import ModelVersion
from lockgate.ports.state import RUNS, VERSIONS, Reader
from lockgate.stages.build.packaging.graph import RUNTIME

COMPOSED = ("package", f"runs as {RUNTIME}")  # gate and rule of what was composed: no pipeline's version has them


def nodes_of(tx: Reader, version: ModelVersion) -> dict[str, ModelVersion | None]:
    """By `MODEL@VERSION`; None: it was deleted since. Empty for what is no graph."""
    run = tx.get(RUNS, version.run) if any((one.gate, one.rule) == COMPOSED for one in version.gates) else None
    return {name: _named(tx, name) for name in run.params.get("nodes", {})} if run else {}


def _named(tx: Reader, name: str) -> ModelVersion | None:
    model, _, number = name.rpartition("@")
    return tx.get(VERSIONS, model, int(number))
