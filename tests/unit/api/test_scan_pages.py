"""What scanners found of a version, on its page and over REST."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from lockgate.domain.vulnerabilities import Found, Scan, Severity
from lockgate.ports.state import MODELS, SCANS, VERSIONS, WAIVERS
from lockgate.stages.decide.gates.supply_chain import judge_scan
from lockgate.stages.decide.supply_chain_spec import VulnerabilitiesSpec
from lockgate.testing import builders
from lockgate.testing.builders import MODEL
from lockgate.testing.clock import START
from lockgate.testing.company import waiver
from lockgate.testing.released import scan, vulnerability
from tests.samples.asgi import Client
from tests.samples.story import Story

LOW = vulnerability(id="CVE-2024-0002", package="<b>click", severity=Severity.LOW, title="<script>alert(1)</script>")
URL = f"/models/{MODEL}/versions/1"
Put = Callable[..., None]


@pytest.fixture
def put(empty: Story) -> Put:
    """A version that was registered when nothing was known, and scans of it."""

    def keep(*scans: Scan) -> None:
        gates = judge_scan(VulnerabilitiesSpec(), 14, Found("osv", "a snapshot", START, (), b""), "sha256:0", START)
        with empty.world.state.write() as tx:
            tx.put(MODELS, builders.registered_model(latest_version=1))
            tx.put(VERSIONS, builders.version(gates=gates))
            for one in scans:
                tx.put(SCANS, one)

    return keep


def test_without_scans_the_page_says_how_to_make_one(client: Client, put: Put) -> None:
    put()
    assert f"lockgate scan {MODEL} 1" in client.page(URL).text
    assert client.get(f"/api/v1{URL}/scans").json == {"scans": []}


def test_the_page_shows_what_was_found_the_worst_first(client: Client, put: Put) -> None:
    put(scan(found=(LOW, vulnerability(fixed_in=("2.2.1",))), subject="14 distributions", database="now"))
    text = client.page(URL).text
    assert "pip-audit: 1 high, 1 low" in text
    assert text.index("<code>CVE-2024-0001</code>") < text.index("<code>CVE-2024-0002</code>")
    assert "in its way" in text
    assert "does not count" in text
    assert "<script>alert" not in text
    assert "no CVE-2024-0001 in numpy" in text, "among the gates"


def test_what_is_waived_says_until_when(client: Client, put: Put, empty: Story) -> None:
    put(scan())
    now = empty.world.clock.now()
    with empty.world.state.write() as tx:
        granted = waiver(gate="supply_chain", rule="no CVE-2024-0001 in numpy", granted_at=now, until=now + timedelta(days=3))
        tx.put(WAIVERS, granted)
    assert "waived until" in client.page(URL).text
    ((found,),) = [one["found"] for one in client.get(f"/api/v1{URL}/scans").json["scans"]]
    assert (found["counts"], found["waived_until"] is not None) == (False, True)


def test_rest_tells_the_last_scan_of_each_tool_the_newest_first(client: Client, put: Put) -> None:
    put(scan(at=START), scan(tool="trivy", found=(LOW,), at=START + timedelta(hours=1)))
    newest, oldest = client.get(f"/api/v1{URL}/scans").json["scans"]
    assert (newest["tool"], newest["found"][0]["severity"], newest["found"][0]["counts"]) == ("trivy", "low", False)
    assert oldest["found"] == [
        {
            "id": "CVE-2024-0001",
            "aliases": [],
            "package": "numpy",
            "version": "2.2.0",
            "severity": "high",
            "fixed_in": [],
            "title": "",
            "counts": True,
            "waived_until": None,
        }
    ]


def test_a_version_that_is_not_there_is_not_found(client: Client) -> None:
    assert client.get(f"/api/v1{URL}/scans").status == 404


def test_of_very_many_the_worst_are_shown(client: Client, put: Put) -> None:
    many = tuple(vulnerability(id=f"CVE-2024-{n:04}", severity=Severity.LOW) for n in range(200))
    put(scan(found=many))
    assert "The worst 50 of 200; the API lists all." in client.page(URL).text
