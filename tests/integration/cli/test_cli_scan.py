"""`lockgate scan`: against a snapshot, by a report, and all that serves; what is said, and by which exit code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from lockgate.boundary import manifest
from lockgate.boundary.manifest import Golden, Lineage, Manifest, Signature
from lockgate.domain.models import Stage
from lockgate.domain.vulnerabilities import Found
from lockgate.entrypoints.cli import DONE, FAILED, SAID_NO, USAGE
from lockgate.ports.state import MODELS, VERSIONS, WAIVERS
from lockgate.stages.decide.gates.supply_chain import judge_scan
from lockgate.stages.decide.supply_chain_spec import VulnerabilitiesSpec
from lockgate.testing import builders
from lockgate.testing.builders import MODEL
from lockgate.testing.company import waiver
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world
from tests.integration.cli.command import CommandLine
from tests.samples.osv_records import record, snapshot

pytestmark = pytest.mark.integration

TRIVY = {
    "SchemaVersion": 2,
    "ArtifactName": "image.tar",
    "ArtifactType": "container_image",
    "Results": [
        {
            "Type": "debian",
            "Vulnerabilities": [{"VulnerabilityID": "CVE-2024-5535", "PkgName": "libssl3", "Severity": "CRITICAL"}],
        }
    ],
}


@dataclass
class Place:
    """A home with one version in Staging, whose package pins numpy 1.21.0, and a snapshot that is said to be its knowledge."""

    lockgate: CommandLine
    world: World
    osv: Path

    def know(self, *identifiers: str, days: float = 0.0, **fields: object) -> None:
        at = self.world.clock.now() - timedelta(days=days)
        known = [record(one, "numpy", "1.21.0", at=at, database_specific={"severity": "HIGH"}, **fields) for one in identifiers]
        snapshot(self.osv, record("GHSA-0", "scipy", "1.0", at=at), *known)

    @property
    def home(self) -> Path:
        return self.lockgate.home


@pytest.fixture
def place(elsewhere: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Place:
    world = open_world(Home(elsewhere.home))
    now = world.clock.now()
    lineage = Lineage("run-1", None, dirty=False, author="anna", data={}, params={})
    made = Manifest(
        MODEL, "python", (), Signature((), (), "score"), Golden({}, [], 0), lineage, requirements=("numpy==1.21.0",)
    )  # fmt: skip
    gates = judge_scan(VulnerabilitiesSpec(), 1, Found("osv", "a snapshot", now, (), b""), "sha256:0", now)
    with world.state.write() as tx:
        tx.put(MODELS, builders.registered_model(latest_version=1))
        digest = world.artifacts.put(manifest.encode(made))
        tx.put(VERSIONS, builders.version(digest=digest, gates=gates, stage=Stage.STAGING))
    made_place = Place(elsewhere, world, elsewhere.folder / "all.zip")
    monkeypatch.setenv("LOCKGATE_OSV", str(made_place.osv))
    return made_place


def test_nothing_known_is_said_and_done(place: Place) -> None:
    place.know()
    said = place.lockgate("scan", MODEL, "1")
    assert said.code == DONE
    assert "osv: 1 distributions (a snapshot of OSV with 1 records" in said.out
    assert "nothing is known against it" in said.out


def test_what_is_found_stands_in_the_way_until_it_is_waived(place: Place) -> None:
    place.know("GHSA-1", aliases=["CVE-2021-34141"])
    said = place.lockgate("scan", MODEL, "1")
    assert said.code == SAID_NO
    assert "in its way: no CVE-2021-34141 in numpy: numpy 1.21.0 has it, severity high: numpy is bad; mended in 999" in said.out
    until = place.world.clock.now() + timedelta(days=1)
    with place.world.state.write() as tx:
        tx.put(WAIVERS, waiver(gate="supply_chain", rule="no CVE-2021-34141 in numpy", until=until))
    said = place.lockgate("scan", MODEL, "1")
    assert said.code == DONE
    assert f"waived until {until:%Y-%m-%d}" in " ".join(said.out.split())


def test_machines_get_all_of_it(place: Place) -> None:
    place.know("CVE-2021-34141")
    told = place.lockgate("scan", MODEL, "1", "--json").json
    (scan,) = told["scans"]
    assert (scan["tool"], scan["model"], scan["version"]) == ("osv", MODEL, 1)
    assert [one["id"] for one in scan["found"]] == ["CVE-2021-34141"]
    assert len(told["against"]) == 1


def test_a_report_is_taken_in_and_nobody_is_asked(place: Place) -> None:
    path = place.lockgate.folder / "report.json"
    path.write_text(json.dumps(TRIVY))
    said = place.lockgate("scan", MODEL, "1", "--report", str(path))  # there is no snapshot to ask
    assert said.code == SAID_NO
    assert "trivy: container_image image.tar" in said.out
    assert "no CVE-2024-5535 in libssl3" in said.out
    actions = [event["happened"]["action"] for event in place.lockgate("audit", "log", "--json").json]
    assert actions == ["model:version:scanned"]


def test_a_report_that_is_none_changes_nothing(place: Place) -> None:
    path = place.lockgate.folder / "report.json"
    path.write_text("{}")
    said = place.lockgate("scan", MODEL, "1", "--report", str(path))
    assert said.code == FAILED
    assert "one of Trivy JSON, Grype JSON, Clair JSON, SARIF expected" in said.err
    assert place.lockgate("audit", "log", "--json").json == []


def test_all_that_serves_is_looked_up_and_what_is_new_is_an_exit_code(place: Place) -> None:
    place.know()
    said = place.lockgate("scan", "--all")
    assert (said.code, said.out) == (DONE, f"{MODEL} 1: nothing new (0 known)\n")
    place.know("CVE-2021-34141")
    said = place.lockgate("scan", "--all")
    assert (said.code, said.out) == (SAID_NO, f"{MODEL} 1: new: CVE-2021-34141 in numpy 1.21.0 (high)\n")
    assert place.lockgate("scan", "--all").code == DONE, "it was told once"


def test_knowledge_that_is_too_old_is_no_scan(place: Place) -> None:
    place.know(days=30)
    said = place.lockgate("scan", MODEL, "1")
    assert said.code == FAILED
    assert "That knowledge is 30 days old, at most 1w is asked: get a newer snapshot" in said.err
    said = place.lockgate("scan", "--all")
    assert said.code == FAILED
    assert "could not be looked up" in said.out


def test_no_snapshot_and_no_image_scanner_say_what_to_do(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    every = place.lockgate("scan", "--all")
    assert (every.code, "could not be looked up: " in every.out) == (FAILED, True)
    assert "\n  next: " in every.out, "apart from what is wrong"
    said = place.lockgate("scan", MODEL, "1")
    assert said.code == FAILED
    assert "Fetch the PyPI export of OSV again" in said.err
    monkeypatch.setenv("PATH", str(place.home))
    said = place.lockgate("scan", MODEL, "1", "--image", "image.tar")
    assert (said.code, "no scanner of images is installed" in said.err) == (FAILED, True)


@pytest.mark.parametrize("words", [(), (MODEL,), ("--all", MODEL, "1"), (MODEL, "0"), (MODEL, "1", "--report", "not-there")])
def test_what_makes_no_sense_is_a_fault_of_usage(place: Place, words: tuple[str, ...]) -> None:
    assert place.lockgate("scan", *words).code == USAGE


def test_a_version_that_is_not_there_is_not_found(place: Place) -> None:
    place.know()
    assert place.lockgate("scan", MODEL, "7").code == FAILED
