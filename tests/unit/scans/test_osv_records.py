"""OSV records held against versions: ranges, lists, names, severities."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import InvalidVersion, Version

from lockgate.domain.distributions import Distribution, normalised
from lockgate.domain.vulnerabilities import Severity, Vulnerability
from lockgate.kernel.errors import Corrupt
from lockgate.stages.decide.scans.names import merged, named
from lockgate.stages.decide.scans.osv import Affected, Point, Range, affects, against, decode, distributions_of, severity_of
from lockgate.testing.released import vulnerability

PARTS = st.integers(0, 12)
VERSIONS = st.builds(
    lambda release, tail: ".".join(map(str, release)) + tail,
    st.lists(PARTS, min_size=1, max_size=3),
    st.sampled_from(["", "a1", "b2", "rc1", ".post1", ".dev3"]),
).filter(lambda version: version != "0")  # which is the beginning, in this format


def record(**fields: Any) -> bytes:
    affected = {"package": {"name": "NumPy", "ecosystem": "PyPI"}, "ranges": [ranged({"introduced": "0"}, {"fixed": "1.22.0"})]}
    return json.dumps({"id": "PYSEC-2021-1", "modified": "2024-01-01T00:00:00Z", "affected": [affected], **fields}).encode()


def ranged(*events: dict[str, str], kind: str = "ECOSYSTEM") -> dict[str, Any]:
    return {"type": kind, "events": list(events)}


def found(content: bytes, version: str = "1.21.0", name: str = "numpy") -> Vulnerability | None:
    return against(decode(content, "record"), Distribution(name, version))


@given(st.lists(VERSIONS, min_size=1, max_size=6, unique_by=Version), VERSIONS, st.randoms(use_true_random=False))
def test_a_version_is_inside_as_packaging_orders_it_however_events_are_ordered(
    bounds: list[str], version: str, dice: Any
) -> None:
    ordered = sorted(bounds, key=Version)
    pairs = [(ordered[at], ordered[at + 1] if at + 1 < len(ordered) else None) for at in range(0, len(ordered), 2)]
    events = [Point(introduced=low) for low, _ in pairs] + [Point(fixed=high) for _, high in pairs if high]
    dice.shuffle(events)
    span = Affected(ranges=(Range("ECOSYSTEM", tuple(events)),))
    own = Version(version)
    expected = any(Version(low) <= own and (high is None or own < Version(high)) for low, high in pairs)
    assert affects(span, version) is expected


@given(VERSIONS, VERSIONS)
def test_the_last_affected_version_is_still_affected(last: str, version: str) -> None:
    span = Affected(ranges=(Range("ECOSYSTEM", (Point(introduced="0"), Point(last_affected=last))),))
    assert affects(span, version) is (Version(version) <= Version(last))


@given(VERSIONS, VERSIONS)
def test_listed_versions_are_the_same_however_they_are_spelt(listed: str, version: str) -> None:
    assert affects(Affected(versions=(listed,)), version) is (Version(listed) == Version(version))


def test_a_local_version_is_what_its_public_part_is() -> None:
    assert affects(Affected(versions=("2.8.0",)), "2.8.0+cpu")
    span = Affected(ranges=(Range("ECOSYSTEM", (Point(introduced="0"), Point(fixed="2.8.0"))),))
    assert not affects(span, "2.8.0+cpu"), "which is not before what mended it"


def test_ranges_of_commits_do_not_count_and_limits_do() -> None:
    assert not affects(Affected(ranges=(Range("GIT", (Point(introduced="0"),)),)), "1.0")
    limited = Affected(ranges=(Range("ECOSYSTEM", (Point(introduced="0"), Point(limit="2"))),))
    assert (affects(limited, "1.9"), affects(limited, "2.0")) == (True, False)


def test_what_cannot_be_read_for_certain_speaks_against_the_version() -> None:
    assert affects(Affected(ranges=(Range("ECOSYSTEM", (Point(introduced="never"),)),)), "1.0")
    assert affects(Affected(ranges=(Range("ECOSYSTEM", (Point(introduced="0"), Point(fixed="soon"))),)), "1.0")
    with pytest.raises(InvalidVersion):
        affects(Affected(versions=("1.0",)), "one")
    assert affects(Affected(versions=("one",)), "one"), "by its letters"


def test_a_finding_has_its_cve_number_its_fixes_and_its_other_names() -> None:
    ranges = [ranged({"introduced": "0"}, {"fixed": "1.22.0"}), ranged({"introduced": "1.21.0"}, {"fixed": "1.21.6"})]
    affected = [{"package": {"name": "numpy", "ecosystem": "PyPI"}, "ranges": ranges}]
    told = found(record(affected=affected, aliases=["GHSA-fpfv-jqm9-f5jm", "CVE-2021-34141"], summary="Incomplete comparison"))
    assert told == Vulnerability(
        "CVE-2021-34141", "numpy", "1.21.0", Severity.UNKNOWN, ("1.21.6", "1.22.0"),
        ("GHSA-fpfv-jqm9-f5jm", "PYSEC-2021-1"), "Incomplete comparison",
    )  # fmt: skip


def test_only_later_versions_mend_it() -> None:
    ranges = [ranged({"introduced": "0"}, {"fixed": "1.5"}, {"introduced": "1.20"}, {"fixed": "1.22.0"})]
    told = found(record(affected=[{"package": {"name": "numpy", "ecosystem": "PyPI"}, "ranges": ranges}]))
    assert told is not None
    assert told.fixed_in == ("1.22.0",)


def test_names_are_normalised_and_other_ecosystems_are_not_meant() -> None:
    assert found(record()) is not None
    assert found(record(), "1.22.0") is None
    assert found(record(), name="numpy-quaternion") is None
    npm = [{"package": {"name": "numpy", "ecosystem": "npm"}, "versions": ["1.21.0"]}, {"versions": ["1.21.0"]}]
    assert found(record(affected=npm)) is None
    assert (normalised("Flask_.Login"), normalised("zope.interface")) == ("flask-login", "zope-interface")


def test_a_withdrawn_record_says_nothing() -> None:
    content = record(withdrawn="2024-02-01T00:00:00Z")
    assert found(content) is None
    assert distributions_of(decode(content, "record")) == set()


VECTOR = {"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}
VECTOR_4 = {"type": "CVSS_V4", "score": "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"}


@pytest.mark.parametrize(
    ("fields", "severity"),
    [
        ({}, Severity.UNKNOWN),
        ({"database_specific": {"severity": "MODERATE"}}, Severity.MEDIUM),
        ({"database_specific": {"severity": "LOW"}, "severity": [VECTOR]}, Severity.LOW),
        ({"severity": [VECTOR]}, Severity.CRITICAL),
        ({"severity": [VECTOR_4]}, Severity.UNKNOWN),
        ({"severity": [VECTOR_4], "database_specific": {"severity": "HIGH"}}, Severity.HIGH),
        ({"severity": [{"type": "CVSS_V3", "score": "high"}]}, Severity.UNKNOWN),
        ({"database_specific": ["HIGH"], "severity": None}, Severity.UNKNOWN),
        ({"database_specific": {"severity": 9}}, Severity.UNKNOWN),
    ],
)
def test_the_severity_is_the_databases_word_or_its_score(fields: dict[str, Any], severity: Severity) -> None:
    assert severity_of(decode(record(**fields), "record")) is severity


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"id": ""}',
        b'{"id": 5}',
        b'{"id": "A", "affected": {}}',
        b"\xff",
        b'{"id":"A","database_specific":' + b"[" * 100_000,
    ],
)
def test_what_is_no_record_is_refused(content: bytes) -> None:
    with pytest.raises(Corrupt, match="no OSV record"):
        decode(content, "record")


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    try:
        decode(content, "record")
    except Corrupt as error:
        assert error.hint  # noqa: PT017 - anything else that is raised fails


def test_the_name_that_is_said_is_the_cve_number() -> None:
    assert named("GHSA-1", ["CVE-2024-0002", "cve-2024-0001"]) == ("CVE-2024-0001", ("CVE-2024-0002", "GHSA-1"))
    assert named("PYSEC-1", ["GHSA-1"]) == ("PYSEC-1", ("GHSA-1",))


def test_one_weakness_under_many_names_is_one() -> None:
    first = vulnerability(id="GHSA-1", aliases=("PYSEC-1",), severity=Severity.UNKNOWN)
    second = vulnerability(id="CVE-2024-0007", aliases=("OTHER-1",), severity=Severity.LOW, fixed_in=("2.3",))
    linked = vulnerability(id="PYSEC-1", aliases=("CVE-2024-0007",), severity=Severity.MEDIUM, title="Bad")
    (one,) = merged([first, second, linked])
    assert (one.id, one.severity, one.fixed_in, one.title) == ("CVE-2024-0007", Severity.MEDIUM, ("2.3",), "Bad")
    assert one.names == {"GHSA-1", "PYSEC-1", "CVE-2024-0007", "OTHER-1"}
    other = vulnerability(id="CVE-2024-0007", package="scipy")
    assert len(merged([first, other])) == 2


@given(st.permutations([("A", "B"), ("B", "C"), ("C", "D"), ("E",), ("D", "F")]))
def test_the_order_of_findings_does_not_matter(groups: list[tuple[str, ...]]) -> None:
    told = merged(vulnerability(id=first, aliases=rest) for first, *more in groups for rest in [tuple(more)])
    assert {one.names for one in told} == {frozenset("ABCDF"), frozenset("E")}
