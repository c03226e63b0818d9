"""A version that needs something with a known weakness: what keeps it out, who lets it in, what happens when more is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lockgate.boundary import manifest
from lockgate.boundary.manifest import Golden, Lineage, Manifest, Signature
from lockgate.domain.distributions import Distribution
from lockgate.domain.events import Action
from lockgate.domain.models import ModelVersion, Stage
from lockgate.domain.people import Actor
from lockgate.domain.policy import Policy, WaiverRule
from lockgate.domain.runs import RunStatus
from lockgate.domain.verdicts import GateResult, GateVerdict
from lockgate.domain.vulnerabilities import Found, Severity, Vulnerability
from lockgate.integrations.local.signing_key import LocalSigningKey
from lockgate.integrations.osv.snapshot import OsvSnapshot
from lockgate.kernel.errors import Invalid, InvalidInput, LockgateError, NotFound, Refused, Unavailable
from lockgate.ports.state import POLICIES, REQUESTS, RUNS, SCANS, VERSIONS
from lockgate.stages.decide.gates.supply_chain import SCANNED
from lockgate.stages.decide.supply_chain_spec import SupplyChainSpec
from lockgate.stages.decide.waiving import waive
from lockgate.testing import builders
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.builders import MODEL
from lockgate.testing.clock import VirtualClock
from lockgate.testing.company import policy_record
from lockgate.testing.released import vulnerability
from lockgate.testing.state import MemoryState
from lockgate.usecases.check_supply_chain import check_supply_chain
from lockgate.usecases.decide_request import approve_request
from lockgate.usecases.delete_version import delete_version
from lockgate.usecases.find_gates import gates_of
from lockgate.usecases.register_version import register_version
from lockgate.usecases.request_transition import request_transition
from lockgate.usecases.scan_version import Scanned, scan_serving, scan_version
from lockgate.usecases.start_rollout import start_rollout
from lockgate.usecases.take_scan_report import take_scan_report
from lockgate.usecases.transition_directly import transition_directly
from lockgate.usecases.waive_gate import grant_waiver, waivers_of
from lockgate.usecases.world import World

ANNA, BEN, OLGA, CRON = Actor("anna"), Actor("ben"), Actor("olga"), Actor("cron")
BAD = vulnerability(id="CVE-2021-34141", version="1.21.0", severity=Severity.HIGH, fixed_in=("1.22.0",))
RULE = "no CVE-2021-34141 in numpy"
DEMANDED = {"vulnerabilities": {"fail_on": "high"}, "sbom": "required", "signature": "required"}


@dataclass
class Known:
    """A ports.vulnerabilities.VulnerabilityScanner that knows what a test tells it."""

    clock: VirtualClock
    against: dict[str, tuple[Vulnerability, ...]] = field(default_factory=dict)
    tool: str = "pip-audit"
    broken: str = ""
    asked: int = 0
    meanwhile: Callable[[], object] = bool

    def scan(self, packages: Sequence[Distribution]) -> Found:
        self.asked += 1
        self.meanwhile()
        if self.broken:
            raise Unavailable(self.broken, hint="Ask later.")
        found = tuple(one for package in packages for one in self.against.get(package.name, ()))
        return Found(self.tool, "what the test knows", self.clock.now(), found, b"{}")


class Installed:
    """A ports.distributions.Distributions: numpy, and whatever the pinned requirements add is not installed."""

    def needed_by(self, modules: Iterable[str]) -> tuple[Distribution, ...]:
        return (Distribution("numpy", "1.21.0"),) if "numpy" in set(modules) else ()


class Home:
    """A world that can sign, with people who may waive, and a package that needs numpy 1.21.0."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock()
        signer = LocalSigningKey(folder / "release.key")
        artifacts = MemoryArtifacts()
        self.world = World(MemoryState(), artifacts, self.clock, signer=signer, distributions=Installed())
        self.scanner = Known(self.clock)
        lineage = Lineage("run-1", None, dirty=False, author="anna", data={}, params={})
        self.manifest = Manifest(MODEL, "onnx", (), Signature((), (), "score"), Golden({}, [], 0), lineage)
        self.digest = artifacts.put(manifest.encode(self.manifest))
        with self.world.state.write() as tx:
            tx.put(POLICIES, policy_record(policy=Policy(roles={"risk": ("olga",)}, waivers=WaiverRule(roles=("risk",)))))

    def judge(self, **demanded: Any) -> tuple[GateResult, ...]:
        spec = SupplyChainSpec.model_validate(demanded or DEMANDED)
        return check_supply_chain(self.world, self.scanner, spec, self.manifest)

    def run(self) -> None:
        """One that was judged and refused, as the pipeline leaves it."""
        with self.world.state.write() as tx:
            tx.put(RUNS, builders.run(status=RunStatus.REFUSED, gates=self.judge()))

    def register(self, results: tuple[GateResult, ...] | None = None) -> ModelVersion:
        judged = waive(self.judge() if results is None else results, waivers_of(self.world, MODEL), 1, self.clock.now())
        run = builders.run(id=f"run-{self.clock.now().timestamp():.0f}", gates=judged)
        digests = {name: builders.digest(name) for name in ("evaluation", "reference")}
        return register_version(self.world, run, ANNA, project=builders.project(), digest=self.digest, **digests)

    def waive(self, days: float = 7.0, **fields: Any) -> None:
        asked = {"gate": "supply_chain", "rule": RULE, "why": "not reachable from our code", **fields}
        grant_waiver(self.world, OLGA, MODEL, until=timedelta(days=days), **asked)

    def now(self, version: int = 1) -> dict[str, GateVerdict]:
        with self.world.state.read() as tx:
            found = tx.get(VERSIONS, MODEL, version)
            assert found is not None
            return {one.rule: one.verdict for one in gates_of(tx, found)}

    def into_staging(self, version: int = 1) -> None:
        """By the request that is open, if there is one."""
        with self.world.state.read() as tx:
            open_one = tx.find(REQUESTS, model=MODEL, version=version)
        asked = open_one[0] if open_one else request_transition(self.world, MODEL, version, Stage.STAGING, ANNA)
        approve_request(self.world, asked.id, BEN)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(LockgateError) as error:
        act()
    assert isinstance(error.value, Refused)
    return error.value.message


def scanned(home: Home) -> Scanned:
    return scan_version(home.world, home.scanner, MODEL, 1, CRON)


def test_nothing_known_and_papers_made_is_a_version_that_has_both(home: Home) -> None:
    version = home.register()
    assert version.provenance
    assert version.sbom
    assert set(home.now().values()) == {GateVerdict.PASS}
    home.into_staging()


def test_a_vulnerable_package_is_kept_out_until_it_is_waived_and_again_when_that_is_over(home: Home) -> None:
    home.scanner.against = {"numpy": (BAD,)}
    with pytest.raises(Refused, match="is not registered"):
        home.register()
    home.run()
    home.waive(days=7)
    version = home.register()
    failed = next(one for one in version.gates if one.rule == RULE)
    assert (failed.verdict, failed.judged) == (GateVerdict.FAIL, GateVerdict.WAIVED)
    asked = request_transition(home.world, MODEL, 1, Stage.STAGING, ANNA)
    home.clock.advance(timedelta(days=7).total_seconds())
    why = refused(lambda: approve_request(home.world, asked.id, BEN))
    assert f"gate 'supply_chain' ({RULE}) said FAIL and no waiver holds" in why
    home.waive(days=1)
    approve_request(home.world, asked.id, BEN)


def test_a_waiver_lets_exactly_that_weakness_through(home: Home) -> None:
    home.scanner.against = {"numpy": (BAD, vulnerability(id="CVE-2024-9999"))}
    home.run()
    home.waive()
    with pytest.raises(Refused):
        home.register()
    home.waive(rule="no CVE-2024-9999 in numpy")
    home.register()


def test_what_is_found_later_closes_the_edge_and_a_waiver_opens_it(home: Home) -> None:
    home.register()
    home.scanner.against = {"numpy": (BAD,)}
    told = scanned(home)
    assert told.fresh == (BAD,)
    assert told.scan is not None
    assert (told.scan.subject, told.scan.by, home.world.artifacts.get(told.scan.report)) == ("1 distributions", "cron", b"{}")
    assert home.now()[RULE] is GateVerdict.FAIL
    assert RULE in refused(home.into_staging)
    home.waive()
    home.into_staging()


@pytest.mark.parametrize("stage", [Stage.STAGING, Stage.PRODUCTION])
def test_no_way_in_is_open_to_it(home: Home, stage: Stage) -> None:
    home.register()
    home.scanner.against = {"numpy": (BAD,)}
    scanned(home)
    asked = request_transition(home.world, MODEL, 1, stage, ANNA)
    assert RULE in refused(lambda: approve_request(home.world, asked.id, BEN))
    assert RULE in refused(lambda: transition_directly(home.world, MODEL, 1, stage, BEN))
    if stage is Stage.STAGING:
        assert RULE in refused(lambda: start_rollout(home.world, MODEL, 1, "staging", BEN))


def test_a_waiver_for_what_no_scan_and_no_run_found_is_refused(home: Home) -> None:
    home.register()
    with pytest.raises(InvalidInput, match="a rule expected that a run has judged"):
        home.waive(rule="no CVE-1999-0001 in numpy")


def test_what_is_known_no_more_stands_in_the_way_no_more(home: Home) -> None:
    home.scanner.against = {"numpy": (BAD,)}
    home.run()
    home.waive(days=1)
    home.register()
    home.clock.advance(2 * 86400.0)
    assert RULE in refused(home.into_staging)
    home.scanner.against = {}
    assert scanned(home).fresh == ()
    home.into_staging()


def test_what_another_scanner_reports_of_the_image_counts_too(home: Home) -> None:
    home.register()
    finding = {"VulnerabilityID": "CVE-2024-5535", "PkgName": "libssl3", "InstalledVersion": "3.0.14", "Severity": "CRITICAL"}
    report = {"SchemaVersion": 2, "ArtifactName": "image.tar", "Results": [{"Type": "debian", "Vulnerabilities": [finding]}]}
    content = json.dumps(report).encode()
    scan = take_scan_report(home.world, MODEL, 1, content, ANNA)
    assert home.world.artifacts.get(scan.report) == content, "as it came"
    assert home.now()["no CVE-2024-5535 in libssl3"] is GateVerdict.FAIL
    assert "CVE-2024-5535" in refused(home.into_staging)
    scanned(home)
    assert "CVE-2024-5535" in refused(home.into_staging), "our own look at the distributions knows nothing of the image"
    clean = json.dumps({**report, "Results": []}).encode()
    take_scan_report(home.world, MODEL, 1, clean, ANNA)
    home.into_staging()


def test_each_scan_is_an_event_with_what_was_found(home: Home) -> None:
    home.register()
    home.scanner.against = {"numpy": (BAD, vulnerability(id="CVE-2024-0002", severity=Severity.LOW))}
    scanned(home)
    with home.world.state.read() as tx:
        (event,) = tx.events(actions=[Action.VERSION_SCANNED])
    told = event.happened
    assert (told.actor, told.subject, told.model, told.version) == ("cron", f"{MODEL}/1", MODEL, 1)
    assert (told.details["tool"], told.details["found"]) == ("pip-audit", {"high": 1, "low": 1})


def test_what_cannot_be_read_changes_nothing(home: Home) -> None:
    home.register()
    with pytest.raises(Invalid):
        take_scan_report(home.world, MODEL, 1, b"{}", ANNA)
    home.scanner.broken = "no network"
    with pytest.raises(Unavailable):
        scanned(home)
    with pytest.raises(NotFound):
        take_scan_report(home.world, MODEL, 2, b"{}", ANNA)
    with home.world.state.read() as tx:
        assert tx.find(SCANS) == []
        assert tx.events(actions=[Action.VERSION_SCANNED]) == []


def test_nobody_to_ask_is_an_error_that_can_be_waived_and_says_what_to_do(home: Home) -> None:
    home.scanner.broken = "no network"
    first = next(one for one in home.judge() if one.rule == SCANNED)
    assert (first.verdict, first.detail) == (GateVerdict.ERROR, "nobody could tell: no network. Ask later.")
    with pytest.raises(Refused):
        home.register()


def test_only_what_can_be_mended_may_be_asked_for(home: Home) -> None:
    home.scanner.against = {"numpy": (replace(BAD, fixed_in=()),)}
    (only,) = home.judge(vulnerabilities={"fixable_only": True})
    assert only.verdict is GateVerdict.PASS
    assert "not mended in any version: CVE-2021-34141 (numpy)" in only.detail


def test_a_home_that_cannot_sign_does_not_pass(home: Home) -> None:
    home.world = replace(home.world, signer=None)
    verdicts = {one.rule: (one.verdict, one.detail) for one in home.judge()}
    assert verdicts["signature: required"] == (GateVerdict.ERROR, "there is no key here to sign with")
    assert verdicts["sbom: required"][0] is GateVerdict.ERROR


@pytest.mark.parametrize("paper", ["sbom", "provenance"])
def test_a_version_that_has_lost_a_paper_stays_out(home: Home, paper: str) -> None:
    version = home.register()
    with home.world.state.write() as tx:
        tx.put(VERSIONS, replace(version, sbom="") if paper == "sbom" else replace(version, provenance=""))
    rule = "sbom: required" if paper == "sbom" else "signature: required"
    assert f"{rule}) said FAIL" in refused(home.into_staging)


def test_a_snapshot_that_is_too_old_could_not_tell(home: Home, tmp_path: Path) -> None:
    at: datetime = home.clock.now() - timedelta(days=10)
    affected = [{"package": {"name": "numpy", "ecosystem": "PyPI"}, "versions": ["1.0"]}]
    (tmp_path / "osv").mkdir()
    (tmp_path / "osv" / "GHSA-1.json").write_text(json.dumps({"id": "GHSA-1", "modified": at.isoformat(), "affected": affected}))
    snapshot = OsvSnapshot(tmp_path / "osv", home.clock)
    spec = SupplyChainSpec.model_validate({"vulnerabilities": {}})
    (one,) = check_supply_chain(home.world, snapshot, spec, home.manifest)
    assert one.verdict is GateVerdict.ERROR
    assert "10 days old, at most 1w is asked: get a newer snapshot" in one.detail
    home.register()
    with pytest.raises(Unavailable, match="10 days old"):
        scan_version(home.world, snapshot, MODEL, 1, CRON)


def test_what_serves_is_looked_up_again_once_for_all_that_need_the_same(home: Home) -> None:
    for stage, version in ((Stage.STAGING, 2), (Stage.PRODUCTION, 1), (Stage.ARCHIVED, 3)):
        with home.world.state.write() as tx:
            tx.put(VERSIONS, builders.version(version, stage=stage, digest=home.digest))
    home.scanner.against = {"numpy": (BAD,)}
    told = list(scan_serving(home.world, home.scanner, CRON))
    assert [(one.version, one.fresh) for one in told] == [(1, (BAD,)), (2, (BAD,))]
    assert home.scanner.asked == 1
    assert [one.fresh for one in scan_serving(home.world, home.scanner, CRON)] == [(), ()], "nothing new the second time"


def test_one_version_that_cannot_be_looked_up_does_not_stop_the_others(home: Home) -> None:
    with home.world.state.write() as tx:
        tx.put(VERSIONS, builders.version(1, stage=Stage.PRODUCTION))  # its package is not in the store
        tx.put(VERSIONS, builders.version(2, stage=Stage.STAGING, digest=home.digest))
    lost, told = scan_serving(home.world, home.scanner, CRON)
    assert lost.scan is None
    assert "no artifact" in lost.why_not
    assert told.scan is not None


def test_a_version_that_is_deleted_while_it_is_looked_up_gets_no_scan(home: Home) -> None:
    home.register()
    home.scanner.meanwhile = lambda: delete_version(home.world, MODEL, 1, ANNA)
    with pytest.raises(NotFound):
        scanned(home)
    with home.world.state.read() as tx:
        assert tx.find(SCANS) == []


def test_a_version_that_is_deleted_takes_its_scans_with_it(home: Home) -> None:
    home.register()
    scanned(home)
    delete_version(home.world, MODEL, 1, ANNA)
    with home.world.state.read() as tx:
        assert tx.find(SCANS) == []
