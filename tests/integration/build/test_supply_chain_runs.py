"""A pipeline run that is held against a snapshot: refused, waived by one rule, registered with both papers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from importlib.metadata import version

import pytest

from lockgate.domain.people import Actor
from lockgate.domain.policy import Policy, WaiverRule
from lockgate.domain.runs import RunStatus
from lockgate.domain.verdicts import GateVerdict
from lockgate.ports.state import POLICIES, VERSIONS
from lockgate.testing.company import policy_record
from lockgate.usecases.waive_gate import grant_waiver
from lockgate.wiring.scanners import open_scanner
from tests.integration.build.tiny_project import Place
from tests.samples.osv_records import record, snapshot

pytestmark = pytest.mark.integration

OLGA = Actor("olga")
GATE = "gates: {supply_chain: {vulnerabilities: {fail_on: high}, sbom: required, signature: required}}"
RULE = "no CVE-2099-0001 in msgspec"


def test_a_vulnerable_library_refuses_the_run_until_it_is_waived(place: Place) -> None:
    place.edit("lockgate.yaml", "params: {scale: 2}", f"params: {{scale: 2}}\n{GATE}")
    now = place.world.clock.now()
    bad = record("GHSA-1", "msgspec", version("msgspec"), at=now, aliases=["CVE-2099-0001"])
    snapshot(place.home.folder / "osv.zip", bad)
    place.build = replace(place.build, scanner=open_scanner(place.home, place.world.clock))
    with place.world.state.write() as tx:
        policy = Policy(roles={"risk": ("olga",)}, waivers=WaiverRule(roles=("risk",)))
        tx.put(POLICIES, policy_record(policy=policy))

    refused = place.run()
    assert refused.status is RunStatus.REFUSED
    assert {gate.rule: gate.verdict for gate in refused.gates} == {
        "signature: required": GateVerdict.PASS,
        "sbom: required": GateVerdict.PASS,
        "vulnerabilities are looked up": GateVerdict.PASS,
        RULE: GateVerdict.FAIL,
    }

    until = now + timedelta(hours=1)
    grant_waiver(place.world, OLGA, "tiny", "supply_chain", rule=RULE, why="we parse nothing from outside", until=until)
    registered = place.run()
    assert (registered.status, registered.error) == (RunStatus.REGISTERED, None)
    with place.world.state.read() as tx:
        made = tx.get(VERSIONS, "tiny", 1)
    assert made is not None
    assert made.provenance
    assert made.sbom
