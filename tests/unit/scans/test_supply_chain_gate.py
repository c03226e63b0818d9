"""The gate: which weaknesses count, what is said of the others, and how later scans change what was judged."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lockgate.domain.verdicts import GateResult, GateVerdict
from lockgate.domain.vulnerabilities import Found, Severity, Vulnerability
from lockgate.stages.decide.gates.supply_chain import (
    GATE,
    SBOM,
    SCANNED,
    SIGNATURE,
    judge_again,
    judge_paper,
    judge_scan,
    known_names,
    rule_of,
    too_old,
    unscanned,
)
from lockgate.stages.decide.spec import GatesSpec
from lockgate.stages.decide.supply_chain_spec import VulnerabilitiesSpec
from lockgate.testing.builders import gate_result
from lockgate.testing.clock import START
from lockgate.testing.released import scan, vulnerability

HIGH, LOW = vulnerability(fixed_in=("2.2.1",)), vulnerability(id="CVE-2024-0002", severity=Severity.LOW)
UNFIXED, UNRATED = vulnerability(id="CVE-2024-0003"), vulnerability(id="CVE-2024-0004", severity=Severity.UNKNOWN)
LATER = START + timedelta(days=3)


def spec(**fields: Any) -> VulnerabilitiesSpec:
    return VulnerabilitiesSpec.model_validate(fields)


def judged(*found: Vulnerability, age: float = 0.0, **fields: Any) -> tuple[GateResult, ...]:
    known = Found("osv", "a snapshot", START - timedelta(days=age), found, b"report")
    return judge_scan(spec(**fields), 14, known, "sha256:report", START)


def failing(results: tuple[GateResult, ...]) -> list[str]:
    return [one.rule for one in results if one.verdict is GateVerdict.FAIL]


def verdicts(results: tuple[GateResult, ...]) -> dict[str, GateVerdict]:
    return {one.rule: one.verdict for one in results}


def test_nothing_found_is_one_pass_that_says_what_was_looked_at() -> None:
    (one,) = judged()
    assert (one.gate, one.rule, one.verdict) == (GATE, SCANNED, GateVerdict.PASS)
    assert one.detail == "14 distributions held against a snapshot by osv: none at or above high"
    assert one.measured["report"] == "sha256:report"


def test_each_weakness_that_counts_is_a_result_of_its_own() -> None:
    first, *found = judged(HIGH, LOW, UNFIXED)
    assert first.detail.endswith(": 2 at or above high, 1 below")
    assert [one.rule for one in found] == ["no CVE-2024-0001 in numpy", "no CVE-2024-0003 in numpy"]
    assert found[0].detail == "numpy 2.2.0 has it, severity high; mended in 2.2.1"
    assert found[1].detail == "numpy 2.2.0 has it, severity high; no version without it is known"


def test_what_nobody_rated_counts_as_high() -> None:
    assert failing(judged(UNRATED)) == [rule_of(UNRATED)]
    assert failing(judged(UNRATED, fail_on="critical")) == []
    assert "severity unknown, which counts as high" in judged(UNRATED)[1].detail


@given(st.sampled_from(["low", "medium", "high", "critical"]), st.sampled_from(Severity))
def test_the_limit_is_a_limit(limit: str, severity: Severity) -> None:
    order = [Severity.NONE, Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL]
    weight = order.index(Severity.HIGH if severity is Severity.UNKNOWN else severity)
    fails = bool(failing(judged(vulnerability(severity=severity), fail_on=limit)))
    assert fails is (weight >= order.index(Severity[limit.upper()]))


def test_what_is_mended_nowhere_may_be_let_through_and_is_named() -> None:
    results = judged(HIGH, UNFIXED, fixable_only=True)
    assert failing(results) == [rule_of(HIGH)]
    assert "not mended in any version: CVE-2024-0003 (numpy)" in results[0].detail


@pytest.mark.parametrize("name", ["CVE-2024-0001", "cve-2024-0001", "GHSA-xxxx"])
def test_what_is_ignored_does_not_fail_under_any_of_its_names_and_is_named(name: str) -> None:
    results = judged(vulnerability(aliases=("GHSA-xxxx",)), ignore=[name])
    assert failing(results) == []
    assert "ignored by the project file: CVE-2024-0001 (numpy)" in results[0].detail


def test_knowledge_that_is_too_old_could_not_tell() -> None:
    assert judged(age=7.0)[0].verdict is GateVerdict.PASS
    first, *found = judged(HIGH, age=30.0)
    assert first.verdict is GateVerdict.ERROR
    assert "That knowledge is 30 days old, at most 1w is asked: get a newer snapshot" in first.detail
    assert len(found) == 1, "what it knows is known all the same"
    assert judged(age=30.0, snapshot_age="31d")[0].verdict is GateVerdict.PASS


def test_nobody_to_ask_is_no_pass() -> None:
    (one,) = unscanned(spec(), "no network")
    assert (one.rule, one.verdict, one.detail) == (SCANNED, GateVerdict.ERROR, "no network")


def test_a_later_scan_of_ours_takes_the_place_of_the_first() -> None:
    before = (gate_result(), *judged(HIGH))
    cleared = judge_again(before, [scan(tool="pip-audit", found=(), at=LATER)])
    assert verdicts(cleared) == {"auc >= 0.65": GateVerdict.PASS, SCANNED: GateVerdict.PASS}
    worse = judge_again(before, [scan(tool="osv", found=(UNFIXED,), at=LATER, subject="14 distributions", database="now")])
    assert failing(worse) == [rule_of(UNFIXED)]
    assert "by osv again, 2026-" in worse[1].detail


def test_what_another_scanner_saw_comes_on_top() -> None:
    before = judged(HIGH)
    seen = vulnerability(id="CVE-2024-0009", package="openssl")
    results = judge_again(before, [scan(tool="trivy", found=(seen, HIGH), at=LATER)])
    assert failing(results) == [rule_of(HIGH), "no CVE-2024-0009 in openssl"]
    both = judge_again(before, [scan(tool="trivy", found=(seen,), at=START), scan(tool="osv", found=(), at=LATER)])
    assert failing(both) == ["no CVE-2024-0009 in openssl"], "the latest of each tool"


def test_an_empty_report_of_another_scanner_takes_nothing_away() -> None:
    before = judged(HIGH)
    assert judge_again(before, [scan(tool="trivy", found=(), at=LATER)]) == before
    nobody = unscanned(spec(), "no network")
    assert judge_again(nobody, [scan(tool="grype", found=(), at=LATER)]) == nobody


def test_what_could_not_be_told_is_told_by_a_scan() -> None:
    results = judge_again(unscanned(spec(fail_on="low"), "no network"), [scan(tool="osv", found=(LOW,), at=LATER)])
    assert verdicts(results) == {SCANNED: GateVerdict.PASS, rule_of(LOW): GateVerdict.FAIL}


def test_the_limits_are_those_that_the_version_was_registered_by() -> None:
    found = scan(found=(HIGH, LOW, UNFIXED), at=LATER)
    assert failing(judge_again(judged(fail_on="low", ignore=["CVE-2024-0001"]), [found])) == [rule_of(LOW), rule_of(UNFIXED)]
    assert failing(judge_again(judged(fixable_only=True), [found])) == [rule_of(HIGH)]


def test_without_the_gate_scans_are_only_shown() -> None:
    before = (gate_result(),)
    assert judge_again(before, [scan()]) == before


def test_the_same_weakness_under_another_name_is_one_result() -> None:
    ours = scan(tool="pip-audit", found=(vulnerability(id="GHSA-xxxx", aliases=("PYSEC-1",)),), at=START)
    theirs = scan(tool="grype", found=(vulnerability(id="CVE-2024-0001", aliases=("GHSA-xxxx",)),), at=LATER)
    (_, one) = judge_again(judged(), [ours, theirs])
    assert (one.rule, one.measured["aliases"]) == ("no GHSA-xxxx in numpy", ["CVE-2024-0001", "PYSEC-1"]), (
        "under the name that we say"
    )


def test_no_other_report_hides_ours_behind_a_name_that_is_ignored_or_waived() -> None:
    ours = scan(tool="osv", found=(HIGH,))
    false = scan(tool="grype", found=(vulnerability(id="CVE-2020-1111", aliases=(HIGH.id,)),), at=LATER)
    assert failing(judge_again(judged(ignore=["CVE-2020-1111"]), [ours, false])) == [rule_of(HIGH)]
    assert failing(judge_again(judged(), [ours, false])) == [rule_of(HIGH)], "a waiver of CVE-2020-1111 says nothing of it"


def test_no_other_report_lowers_what_ours_found() -> None:
    ours = scan(tool="osv", found=(UNRATED,))
    false = scan(tool="mine", found=(vulnerability(id=UNRATED.id, severity=Severity.LOW),), at=LATER)
    assert failing(judge_again(judged(), [ours, false])) == [rule_of(UNRATED)]
    third = scan(tool="trivy", found=(UNRATED,))
    assert failing(judge_again(judged(), [scan(tool="osv", found=()), third, false])) == [rule_of(UNRATED)], "nor a third tool"


def test_a_graver_rating_of_another_report_counts_under_our_name() -> None:
    ours = scan(tool="osv", found=(vulnerability(id=LOW.id, aliases=("GHSA-2",), severity=Severity.LOW),))
    graver = scan(tool="trivy", found=(vulnerability(id="GHSA-2", severity=Severity.CRITICAL),), at=LATER)
    (_, one) = judge_again(judged(), [ours, graver])
    assert (one.rule, one.measured["severity"]) == (rule_of(LOW), "CRITICAL")
    assert failing(judge_again(judged(ignore=[LOW.id]), [ours, graver])) == [], "nor is what is ignored found by another name"


NAMES = st.sampled_from(["CVE-2024-0001", "CVE-2024-0002", "GHSA-1", "GHSA-2"])
FOUND = st.lists(
    st.builds(
        lambda id_, aliases, severity: vulnerability(id=id_, aliases=tuple(aliases - {id_}), severity=severity),
        NAMES,
        st.sets(NAMES, max_size=2),
        st.sampled_from(Severity),
    ),
    max_size=3,
).map(tuple)


@given(FOUND, FOUND, FOUND, st.sets(NAMES, max_size=2))
def test_whatever_others_report_what_failed_without_it_still_fails(ours: Any, theirs: Any, false: Any, ignored: set[str]) -> None:
    before = judged(ignore=sorted(ignored))
    known = [scan(tool="osv", found=ours), scan(tool="trivy", found=theirs)]
    failed = failing(judge_again(before, known))
    assert set(failed) <= set(failing(judge_again(before, [*known, scan(tool="mine", found=false, at=LATER)])))


def test_papers_are_asked_of_the_version_itself_once_it_is_registered() -> None:
    before = (judge_paper(SIGNATURE, "a key", possible=True), judge_paper(SBOM, "14", possible=True))
    assert judge_again(before, [], sbom=True, signature=True) == before
    assert verdicts(judge_again(before, [], sbom=False, signature=True)) == {
        SIGNATURE: GateVerdict.PASS,
        SBOM: GateVerdict.FAIL,
    }
    late = judge_again([judge_paper(SIGNATURE, "no key", possible=False)], [], signature=True)
    assert verdicts(late) == {SIGNATURE: GateVerdict.PASS}


def test_names_that_were_known_are_remembered_also_those_that_did_not_count() -> None:
    aliased = vulnerability(id="CVE-2024-0009", aliases=("GHSA-9",))
    assert known_names(judged(LOW), [scan(found=(aliased,))]) == {LOW.id, "CVE-2024-0009", "GHSA-9"}


def test_a_registered_version_is_not_scanned_by_older_knowledge_than_its_gate_allows() -> None:
    old = Found("osv", "a snapshot", START - timedelta(days=8), (), b"")
    assert "8 days old" in (too_old(judged(), old, START) or "")
    assert too_old(judged(snapshot_age="9d"), old, START) is None
    assert too_old((gate_result(),), old, START) is None


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"sbom": "yes"},
        {"signature": None},
        {"vulnerabilities": {"fail_on": "moderate"}},
        {"vulnerabilities": {"ignore": ["all of them"]}},
        {"vulnerabilities": {"snapshot_age": "0s"}},
        {"vulnerabilities": {"fixable": True}},
    ],
)
def test_what_makes_no_sense_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GatesSpec.model_validate({"supply_chain": said})


def test_the_file_says_it_in_words() -> None:
    said = {"vulnerabilities": {"fail_on": "medium", "fixable_only": True, "snapshot_age": "2d"}, "sbom": "required"}
    read = GatesSpec.model_validate({"supply_chain": said}).supply_chain
    assert read is not None
    assert read.vulnerabilities is not None
    assert (read.vulnerabilities.limit, read.vulnerabilities.snapshot_age, read.signature) == (Severity.MEDIUM, 172800.0, None)
