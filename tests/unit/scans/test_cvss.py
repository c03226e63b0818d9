"""Base scores against FIRST's own examples (CVSS v3.1 Examples, and the v3.0 ones where they differ in nothing)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.domain.vulnerabilities import Severity
from lockgate.stages.decide.scans.cvss import base_score, rating

EXAMPLES = {
    "CVE-2013-1937": ("AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
    "CVE-2013-0375": ("AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4),
    "CVE-2014-3566": ("AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 3.1),
    "CVE-2012-1516": ("AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", 9.9),
    "CVE-2009-0783": ("AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L", 4.2),
    "CVE-2012-0384": ("AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 8.8),
    "CVE-2015-1098": ("AV:L/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", 7.8),
    "CVE-2014-0160": ("AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5),
    "CVE-2014-6271": ("AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
    "CVE-2008-1447": ("AV:N/AC:H/PR:N/UI:N/S:C/C:N/I:H/A:N", 6.8),
    "CVE-2014-2005": ("AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 6.8),
    "CVE-2010-0467": ("AV:N/AC:L/PR:N/UI:N/S:C/C:L/I:N/A:N", 5.8),
    "CVE-2013-6014": ("AV:A/AC:L/PR:N/UI:N/S:C/C:H/I:N/A:H", 9.3),
    "CVE-2011-1265": ("AV:A/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 8.8),
    "CVE-2014-2019": ("AV:P/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N", 4.6),
    "CVE-2014-0224": ("AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:N", 7.4),
    "CVE-2012-5376": ("AV:N/AC:L/PR:N/UI:R/S:C/C:H/I:H/A:H", 9.6),
    "CVE-2016-0128": ("AV:N/AC:H/PR:N/UI:R/S:U/C:H/I:H/A:N", 6.8),
    "CVE-2016-2118": ("AV:N/AC:H/PR:N/UI:R/S:U/C:H/I:H/A:H", 7.5),
}
BASE = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"


@pytest.mark.parametrize("cve", EXAMPLES)
def test_the_published_examples_have_their_published_scores(cve: str) -> None:
    vector, score = EXAMPLES[cve]
    assert base_score(f"CVSS:3.1/{vector}") == score
    assert base_score(f"CVSS:3.0/{vector}") == score


def test_without_impact_there_is_no_score() -> None:
    assert base_score("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:N/I:N/A:N") == 0.0


def test_temporal_and_environmental_metrics_do_not_count() -> None:
    assert base_score(f"{BASE}/E:U/RL:O/RC:C/CR:L") == 9.8


@pytest.mark.parametrize(
    "vector",
    [
        "",
        "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        "CVSS:2.0/AV:N/AC:L/Au:N/C:C/I:C/A:C",
        "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
        BASE.removesuffix("/A:H"),
        f"{BASE}/A:N",
        BASE.replace("AV:N", "AV:X"),
        f"{BASE}{'/E:U' * 200}",
    ],
)
def test_what_is_no_vector_of_version_3_is_refused(vector: str) -> None:
    with pytest.raises(ValueError, match=r"found|stands in|has no usable"):
        base_score(vector)


METRICS = st.tuples(*(st.sampled_from(values) for values in ("NALP", "LH", "NLH", "NR", "UC", "NLH", "NLH", "NLH")))


@given(METRICS)
def test_every_score_has_one_decimal_and_a_rating_and_grows_with_the_impact(values: tuple[str, ...]) -> None:
    names = ("AV", "AC", "PR", "UI", "S", "C", "I", "A")

    def score(*chosen: str) -> float:
        return base_score("CVSS:3.1/" + "/".join(f"{name}:{value}" for name, value in zip(names, chosen, strict=True)))

    found = score(*values)
    assert 0 <= found <= 10
    assert round(found, 1) == found
    assert rating(found) in Severity
    assert score(*values[:5], "H", "H", "H") >= found >= score(*values[:5], "N", "N", "N") == 0.0


@pytest.mark.parametrize(
    ("score", "severity"),
    [
        (0.0, Severity.NONE),
        (0.1, Severity.LOW),
        (3.9, Severity.LOW),
        (4.0, Severity.MEDIUM),
        (6.9, Severity.MEDIUM),
        (7.0, Severity.HIGH),
        (8.9, Severity.HIGH),
        (9.0, Severity.CRITICAL),
        (10.0, Severity.CRITICAL),
    ],
)
def test_ratings_are_those_of_the_specification(score: float, severity: Severity) -> None:
    assert rating(score) is severity


@pytest.mark.parametrize("score", [-0.1, 10.1, float("nan")])
def test_what_is_no_score_has_no_rating(score: float) -> None:
    with pytest.raises(ValueError, match="0 to 10 expected"):
        rating(score)
