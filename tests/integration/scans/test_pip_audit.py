"""The real pip-audit against a small OSV API over HTTP: what it finds, how grave that is, and what it cannot tell."""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest

from lockgate.domain.distributions import Distribution
from lockgate.domain.vulnerabilities import Severity
from lockgate.integrations.pip_audit import scanner
from lockgate.integrations.pip_audit.scanner import PipAudit
from lockgate.kernel.errors import Unavailable
from lockgate.testing.clock import START, VirtualClock
from tests.samples.osv_records import osv_api, record

pytestmark = pytest.mark.integration

PACKAGES = [Distribution("numpy", "1.21.0"), Distribution("torch", "2.8.0+cpu")]
NUMPY = record("PYSEC-2021-1", "numpy", "1.21.0", at=START, aliases=["CVE-2021-34141", "GHSA-fpfv-jqm9-f5jm"])
RATED = {**NUMPY, "id": "GHSA-fpfv-jqm9-f5jm", "database_specific": {"severity": "MODERATE"}, "affected": NUMPY["affected"]}


@pytest.fixture(autouse=True)
def _there() -> None:
    if find_spec("pip_audit") is None and os.environ.get("CI") != "true":
        pytest.skip("pip-audit is not installed: pip install 'lockgate[audit]'")


def audit(service: str, seconds: float = 60.0) -> PipAudit:
    return PipAudit(VirtualClock(), service, seconds)


def test_what_it_finds_has_its_cve_number_its_fix_and_the_severity_of_its_record() -> None:
    with osv_api(NUMPY, {**RATED, "affected": []}) as (service, asked):
        told = audit(service).scan(PACKAGES)
    (one,) = told.vulnerabilities
    assert (one.id, one.package, one.version, one.fixed_in) == ("CVE-2021-34141", "numpy", "1.21.0", ("999",))
    assert (one.severity, one.title) == (Severity.MEDIUM, "numpy is bad")
    assert told.database == f"{service}, asked at 2026-01-05 09:00 UTC"
    assert (told.tool, told.as_of) == ("pip-audit", START)
    assert b'"PYSEC-2021-1"' in told.report
    assert asked.count("/v1/query") == 2, "each distribution is asked for"


def test_where_no_record_tells_how_grave_it_is_nobody_knows() -> None:
    with osv_api(NUMPY) as (service, asked):
        (one,) = audit(service).scan(PACKAGES).vulnerabilities
    assert one.severity is Severity.UNKNOWN
    assert "/v1/vulns/GHSA-fpfv-jqm9-f5jm" in asked


def test_a_local_version_is_looked_up_as_what_it_is_made_of() -> None:
    with osv_api(record("CVE-2025-0001", "torch", "2.8.0", at=START)) as (service, _):
        (one,) = audit(service).scan(PACKAGES).vulnerabilities
    assert (one.package, one.version) == ("torch", "2.8.0+cpu")


def test_nothing_known_is_nothing_found() -> None:
    with osv_api() as (service, _):
        assert audit(service).scan(PACKAGES).vulnerabilities == ()


def test_a_service_that_does_not_answer_could_not_tell() -> None:
    with pytest.raises(Unavailable, match=r"pip-audit could not ask http://127\.0\.0\.1:1") as error:
        audit("http://127.0.0.1:1").scan(PACKAGES)
    assert "$LOCKGATE_OSV" in (error.value.hint or "")


def test_a_service_that_talks_nonsense_could_not_tell() -> None:
    with osv_api(broken=b"<html>log in first</html>") as (service, _), pytest.raises(Unavailable):
        audit(service).scan(PACKAGES)


def test_it_is_given_so_much_time_and_no_more() -> None:
    with osv_api() as (service, _), pytest.raises(Unavailable, match=r"did not finish within 0\.05 s"):
        audit(service, 0.05).scan(PACKAGES)


def test_a_version_that_is_none_could_not_be_told() -> None:
    with osv_api() as (service, _), pytest.raises(Unavailable):
        audit(service).scan([*PACKAGES, Distribution("odd", "one-point-two")])


def test_an_address_with_a_password_in_it_goes_nowhere() -> None:
    with pytest.raises(Unavailable, match=r"a name or password in the address of osv\.example") as error:
        audit("https://me:secret@osv.example").scan(PACKAGES)
    assert "secret" not in error.value.message


def test_nothing_secret_is_handed_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_TOKEN", "secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    told = scanner._environment()
    assert "LOCKGATE_TOKEN" not in told
    assert told["HTTPS_PROXY"] == "http://proxy.example"
