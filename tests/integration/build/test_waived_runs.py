"""A run whose gate cannot tell ends refused; waived it registers, what is finished is reused, and the waiver's end is the end."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lockgate.domain.people import Actor
from lockgate.domain.policy import Policy, WaiverRule
from lockgate.domain.runs import RunStatus, StepRun, StepStatus
from lockgate.domain.verdicts import GateVerdict
from lockgate.ports.state import POLICIES, VERSIONS
from lockgate.testing.company import policy_record
from lockgate.usecases.read_evidence import read_evidence
from lockgate.usecases.waive_gate import grant_waiver, withdraw_waiver
from tests.integration.build.tiny_project import Place

pytestmark = pytest.mark.integration

OLGA = Actor("olga")


def test_a_gate_that_cannot_tell_never_registers_unless_it_is_waived(place: Place) -> None:
    place.edit("lockgate.yaml", "params: {scale: 2}", "params: {scale: 2}\ngates: {quality: [mae <= 1000]}")
    with place.world.state.write() as tx:
        policy = Policy(roles={"risk": ("olga",)}, waivers=WaiverRule(roles=("risk",)))
        tx.put(POLICIES, policy_record(policy=policy))

    refused = place.run()
    assert (refused.status, refused.version) == (RunStatus.REFUSED, None)
    assert [gate.verdict for gate in refused.gates] == [GateVerdict.INCONCLUSIVE]
    place.ran()

    until = place.world.clock.now() + timedelta(hours=1)
    granted = grant_waiver(place.world, OLGA, "tiny", "quality", why="three rows are all there are", until=until)
    seen: list[StepRun] = []
    registered = place.run(on_progress=seen.append)
    assert (registered.status, registered.error, registered.version) == (RunStatus.REGISTERED, None, 1)
    assert place.ran() == [], "all that was finished is reused"
    assert [(step.name, step.status) for step in seen if step.kind == "gate"] == [
        ("quality", StepStatus.RUNNING),
        ("quality", StepStatus.FAILED),
    ]
    with place.world.state.read() as tx:
        version = tx.get(VERSIONS, "tiny", 1)
    assert version is not None
    assert version.gates == registered.gates == read_evidence(place.world.artifacts, version).gates
    assert version.gates[0].waived is not None
    assert (version.gates[0].verdict, version.gates[0].waived.by) == (GateVerdict.INCONCLUSIVE, "olga")

    withdraw_waiver(place.world, OLGA, granted.id, why="more rows came")
    assert place.run().status is RunStatus.REFUSED
