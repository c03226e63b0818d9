"""Reports of other scanners: each in the shape that its tool documents, and what hostile ones come to."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.domain.vulnerabilities import Severity, Vulnerability
from lockgate.kernel.errors import Invalid
from lockgate.stages.decide.scans.reports import LARGEST, read

TRIVY = {
    "SchemaVersion": 2,
    "CreatedAt": "2026-01-05T10:00:00Z",
    "ArtifactName": "flight-delay-3.tar",
    "ArtifactType": "container_image",
    "Metadata": {"OS": {"Family": "debian", "Name": "12.8"}, "ImageID": "sha256:aa"},
    "Results": [
        {
            "Target": "flight-delay-3.tar (debian 12.8)",
            "Class": "os-pkgs",
            "Type": "debian",
            "Vulnerabilities": [
                {
                    "VulnerabilityID": "CVE-2024-5535",
                    "VendorIDs": ["DLA-3942-1"],
                    "PkgID": "libssl3@3.0.14-1~deb12u2",
                    "PkgName": "libssl3",
                    "InstalledVersion": "3.0.14-1~deb12u2",
                    "FixedVersion": "3.0.15-1~deb12u1",
                    "Status": "fixed",
                    "SeveritySource": "nvd",
                    "PrimaryURL": "https://avd.example/nvd/cve-2024-5535",
                    "Title": "openssl: SSL_select_next_proto buffer overread",
                    "Severity": "CRITICAL",
                    "CVSS": {"nvd": {"V3Vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:H", "V3Score": 9.1}},
                }
            ],
        },
        {"Target": "app/Cargo.lock", "Class": "lang-pkgs", "Type": "cargo"},
        {
            "Target": "Python",
            "Class": "lang-pkgs",
            "Type": "python-pkg",
            "Vulnerabilities": [
                {
                    "VulnerabilityID": "GHSA-1234-5678-9abc",
                    "PkgName": "Flask_Login",
                    "InstalledVersion": "0.4.0",
                    "FixedVersion": "0.5.1, 0.6.0",
                    "Severity": "UNKNOWN",
                }
            ],
        },
    ],
}
GRYPE = {
    "matches": [
        {
            "vulnerability": {
                "id": "GHSA-fpfv-jqm9-f5jm",
                "dataSource": "https://github.example/advisories/GHSA-fpfv-jqm9-f5jm",
                "severity": "Medium",
                "description": "Incorrect Comparison in NumPy",
                "cvss": [{"version": "3.1", "vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:L/A:N"}],
                "fix": {"versions": ["1.22.0"], "state": "fixed"},
                "advisories": [],
            },
            "relatedVulnerabilities": [{"id": "CVE-2021-34141", "severity": "Medium"}],
            "matchDetails": [{"type": "exact-direct-match", "matcher": "python-matcher"}],
            "artifact": {"name": "numpy", "version": "1.21.0", "type": "python", "purl": "pkg:pypi/numpy@1.21.0"},
        },
        {
            "vulnerability": {"id": "CVE-2023-0001", "severity": "Negligible", "fix": {"versions": [], "state": "wont-fix"}},
            "relatedVulnerabilities": [],
            "artifact": {"name": "tar", "version": "1.34", "type": "deb"},
        },
    ],
    "source": {"type": "image", "target": {"userInput": "flight-delay-3.tar", "imageID": "sha256:aa"}},
    "descriptor": {"name": "grype", "version": "0.90.0", "db": {"status": {"built": "2026-01-04T06:00:00Z", "valid": True}}},
}
CLAIR = {
    "manifest_hash": "sha256:bb",
    "packages": {"10": {"id": "10", "name": "libapt-pkg5.0", "version": "1.6.11", "kind": "binary"}},
    "distributions": {"1": {"id": "1", "did": "ubuntu"}},
    "repository": {},
    "environments": {"10": [{"package_db": "var/lib/dpkg/status"}]},
    "vulnerabilities": {
        "356835": {
            "id": "356835",
            "updater": "ubuntu",
            "name": "CVE-2020-3810 on Ubuntu 18.04",
            "description": "Missing input validation in the ar/tar implementations of APT",
            "issued": "2020-05-15T14:15:00Z",
            "links": "https://ubuntu.example/CVE-2020-3810",
            "severity": "Medium",
            "normalized_severity": "Medium",
            "fixed_in_version": "1.6.12ubuntu0.1",
        }
    },
    "package_vulnerabilities": {"10": ["356835"]},
    "enrichments": {},
}
SARIF = {
    "$schema": "https://json.schemastore.example/sarif-2.1.0.json",
    "version": "2.1.0",
    "runs": [
        {
            "tool": {
                "driver": {
                    "name": "OSV-Scanner",
                    "version": "1.9.1",
                    "rules": [
                        {
                            "id": "CVE-2021-34141",
                            "shortDescription": {"text": "Incorrect Comparison in NumPy"},
                            "properties": {"security-severity": "7.5", "tags": ["security"]},
                        }
                    ],
                }
            },
            "results": [
                {
                    "ruleId": "CVE-2021-34141",
                    "ruleIndex": 0,
                    "level": "warning",
                    "message": {"text": "Package 'numpy@1.21.0' is vulnerable to 'CVE-2021-34141' (also known as 'GHSA-…')."},
                    "locations": [{"physicalLocation": {"artifactLocation": {"uri": "file:///app/requirements.txt"}}}],
                }
            ],
        }
    ],
}


def told(report: dict[str, Any]) -> Any:
    return read(json.dumps(report).encode())


def test_trivys_report() -> None:
    report = told(TRIVY)
    assert (report.tool, report.subject) == ("trivy", "container_image flight-delay-3.tar")
    assert report.database == "report of 2026-01-05T10:00:00Z"
    assert report.found == (
        Vulnerability("GHSA-1234-5678-9abc", "flask-login", "0.4.0", Severity.UNKNOWN, ("0.5.1", "0.6.0")),
        Vulnerability(
            "CVE-2024-5535", "libssl3", "3.0.14-1~deb12u2", Severity.CRITICAL, ("3.0.15-1~deb12u1",), ("DLA-3942-1",),
            "openssl: SSL_select_next_proto buffer overread",
        ),
    )  # fmt: skip


def test_grypes_report() -> None:
    report = told(GRYPE)
    assert (report.tool, report.subject, report.database) == (
        "grype", "image flight-delay-3.tar", "database of 2026-01-04T06:00:00Z",
    )  # fmt: skip
    numpy, tar = report.found
    assert (numpy.id, numpy.aliases, numpy.fixed_in) == ("CVE-2021-34141", ("GHSA-fpfv-jqm9-f5jm",), ("1.22.0",))
    assert (numpy.severity, tar.severity, tar.fixed_in) == (Severity.MEDIUM, Severity.LOW, ())


def test_grypes_older_report_of_a_folder() -> None:
    older = {**GRYPE, "source": {"type": "directory", "target": "/app"}}
    report = told({**older, "descriptor": {"name": "grype", "version": "0.60", "db": {"built": "2026-01-01"}}})
    assert (report.subject, report.database) == ("directory /app", "database of 2026-01-01")


def test_clairs_report() -> None:
    report = told(CLAIR)
    assert (report.tool, report.subject) == ("clair", "image sha256:bb")
    (one,) = report.found
    assert (one.id, one.package, one.version, one.severity) == ("CVE-2020-3810", "libapt-pkg5.0", "1.6.11", Severity.MEDIUM)
    assert one.fixed_in == ("1.6.12ubuntu0.1",)


def test_sarif_of_osv_scanner() -> None:
    report = told(SARIF)
    assert (report.tool, report.database) == ("osv-scanner", "version 1.9.1")
    (one,) = report.found
    assert (one.id, one.package, one.version, one.severity) == ("CVE-2021-34141", "numpy", "1.21.0", Severity.HIGH)
    assert one.title == "Incorrect Comparison in NumPy"


def sarif(message: str = "", rule: str = "CVE-2021-34141", kind: str = "fail", **properties: Any) -> dict[str, Any]:
    place = {"physicalLocation": {"artifactLocation": {"uri": "app/requirements.txt"}}}
    driver = {"name": "Trivy", "rules": [{"id": "other"}, {"id": rule, "properties": properties}]}
    result = {"ruleIndex": 1, "kind": kind, "message": {"text": message}, "locations": [place]}
    return {"version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": [result]}]}


def test_sarif_of_trivy_and_of_others() -> None:
    message = (
        "Package: libssl3\nInstalled Version: 3.0.14\nVulnerability CVE-2024-5535\nSeverity: HIGH\nFixed Version: 3.0.15\nLink: x"
    )
    (one,) = told(sarif(message, "CVE-2024-5535")).found
    assert (one.package, one.version, one.fixed_in) == ("libssl3", "3.0.14", ("3.0.15",))
    (other,) = told(sarif("look here", "grype-CVE-2024-5535-libssl3")).found
    assert (other.id, other.package, other.version) == ("CVE-2024-5535", "app/requirements.txt", "")
    assert other.severity is Severity.UNKNOWN
    assert told(sarif(kind="pass")).found == ()


@pytest.mark.parametrize("score", ["11", "-1", "nan", "high", None, [7], {"a": 1}])
def test_a_score_that_is_none_is_unknown(score: Any) -> None:
    assert told(sarif(**{"security-severity": score})).found[0].severity is Severity.UNKNOWN


def test_a_report_with_nothing_in_it_finds_nothing() -> None:
    assert told({**TRIVY, "Results": None}).found == ()
    assert told({**GRYPE, "matches": None}).found == ()
    assert told({**CLAIR, "package_vulnerabilities": {}}).found == ()
    empty = {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}, "results": None}]}
    assert told(empty).found == ()


@pytest.mark.parametrize(
    ("report", "why"),
    [
        ({}, "an empty report found, one of Trivy JSON, Grype JSON, Clair JSON, SARIF expected"),
        ({"vulnerabilities": []}, "a report with 'vulnerabilities' found"),
        ({**TRIVY, "SchemaVersion": 3}, "SchemaVersion 3 found, 2 expected"),
        ({**TRIVY, "Results": [{"Vulnerabilities": [{"PkgName": "x", "Severity": "HIGH"}]}]}, "VulnerabilityID"),
        (
            {**TRIVY, "Results": [{"Vulnerabilities": [{"VulnerabilityID": " ", "PkgName": "x", "Severity": "HIGH"}]}]},
            "without a name",
        ),
        ({**TRIVY, "Results": {}}, "cannot be read"),
        ({**GRYPE, "descriptor": {"name": "other"}}, "grype's expected"),
        ({**CLAIR, "packages": {}}, "which does not stand in it"),
        ({**CLAIR, "vulnerabilities": {}}, "which does not stand in it"),
        ({**SARIF, "version": "2.0.0"}, "2.1.0 expected"),
        ({**SARIF, "runs": []}, "those of one with a name expected"),
        ({**SARIF, "runs": [*SARIF["runs"], sarif()["runs"][0]]}, "of 2 tools found"),
        ({**SARIF, "runs": [{"tool": {"driver": {"name": "pip-audit"}}}]}, "whose findings are not taken from files"),
    ],
)
def test_what_is_broken_is_refused_and_says_what_was_expected(report: dict[str, Any], why: str) -> None:
    with pytest.raises(Invalid) as error:
        told(report)
    assert why in error.value.message


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b'{"runs":' + b"[" * 100_000])
def test_what_is_no_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid):
        read(content)


@pytest.mark.parametrize("report", [TRIVY, GRYPE, SARIF])
def test_values_nested_without_end_are_refused(report: dict[str, Any]) -> None:
    deep = json.dumps(report).replace('"version"', '"deep": ' + "[" * 50_000 + "]" * 50_000 + ', "version"', 1)
    deep = deep.replace('"Metadata"', '"deep": ' + "[" * 50_000 + "]" * 50_000 + ', "Metadata"', 1)
    with pytest.raises(Invalid):
        read(deep.encode())


def test_what_is_too_large_is_refused_unread() -> None:
    with pytest.raises(Invalid, match="at most 67,108,864 expected"):
        read(b" " * (LARGEST + 1))


def test_more_findings_than_anybody_reads_are_refused() -> None:
    one = {"VulnerabilityID": "CVE-2024-0001", "PkgName": "x", "Severity": "LOW"}
    with pytest.raises(Invalid, match="50,001 findings found"):
        told({**TRIVY, "Results": [{"Vulnerabilities": [one] * 50_001}]})


def test_text_that_cannot_be_shown_is_tamed() -> None:
    name = "CVE-2024-1234"
    finding = {
        "VulnerabilityID": name,
        "PkgName": "\x1b[31mopenssl\n\n",
        "InstalledVersion": "1\u202e2",
        "Severity": "high",
        "Title": "a" * 10_000 + "\x00",
        "VendorIDs": [f"V-{n}" for n in range(1000)],
        "FixedVersion": ",".join(map(str, range(1000))),
    }
    (one,) = told({**TRIVY, "ArtifactName": "x\n" * 5000, "Results": [{"Vulnerabilities": [finding]}]}).found
    assert (one.package, one.version) == ("[31mopenssl", "1 2")
    assert len(one.title) == 300
    assert (len(one.aliases), len(one.fixed_in)) == (50, 20)


@given(st.sampled_from([TRIVY, GRYPE, CLAIR, SARIF]), st.data())
def test_no_change_of_a_report_breaks_the_reader(report: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(report).encode()
    at = data.draw(st.integers(0, len(text) - 1))
    length = data.draw(st.integers(0, 40))
    changed = text[:at] + data.draw(st.binary(max_size=20)) + text[at + length :]
    try:
        read(changed)
    except Invalid as error:
        assert error.message  # noqa: PT017 - anything else that is raised fails
