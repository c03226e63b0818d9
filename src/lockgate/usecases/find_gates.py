"""Find how a version's gates stand by what is known of it now: what was measured, and what scans have found since."""

from __future__ import annotations

from lockgate.domain.models import ModelVersion
from lockgate.domain.verdicts import GateResult
from lockgate.ports.state import SCANS, Reader
from lockgate.stages.decide.gates.supply_chain import GATE, judge_again


def gates_of(tx: Reader, version: ModelVersion) -> tuple[GateResult, ...]:
    """Without the waivers that hold now: see `stages.decide.waiving`."""
    if not any(one.gate == GATE for one in version.gates):
        return version.gates
    scans = tx.find(SCANS, model=version.model, version=version.version)
    return judge_again(version.gates, scans, sbom=bool(version.sbom), signature=bool(version.provenance))
