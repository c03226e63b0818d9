"""What a version needs to run, held against what is known of it; and whether its papers can be made.

Each weakness that counts is a result of its own, under a rule that any scanner's finding of it has (`no CVE-2024-1234 in numpy`),
so that one alone can be waived until a day. One further result says what was looked at, by whom, with which state of knowledge.

What is known grows after a version was registered. `judge_again` puts the latest scans in the place of what was known then, under
the limits that the version was registered by: those stand in its results.

What other tools report may be anybody's file, so it comes on top: it can add a weakness, a name or a graver rating, and it cannot
hide, rename or lower what our own tools found, nor what a third tool did.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Any

from lockgate.domain.verdicts import GateResult, GateVerdict
from lockgate.domain.vulnerabilities import Found, Scan, Severity, Vulnerability
from lockgate.kernel.quantities import format_duration
from lockgate.stages.decide.scans.names import OWN_TOOLS, merged
from lockgate.stages.decide.supply_chain_spec import VulnerabilitiesSpec

GATE = "supply_chain"
SCANNED, SBOM, SIGNATURE = "vulnerabilities are looked up", "sbom: required", "signature: required"
_NAMED = 10  # in a sentence


@dataclass(frozen=True, slots=True)
class Limits:
    """Of VulnerabilitiesSpec what counts again at every edge."""

    limit: Severity
    fixable_only: bool
    ignore: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sorted:
    """Findings by what becomes of them. below: the limit; unfixed: in no version, where that excuses them."""

    counting: tuple[Vulnerability, ...]
    below: tuple[Vulnerability, ...]
    unfixed: tuple[Vulnerability, ...]
    ignored: tuple[Vulnerability, ...]


def rule_of(one: Vulnerability) -> str:
    return f"no {one.id} in {one.package}"


def judge_scan(spec: VulnerabilitiesSpec, packages: int, found: Found, report: str, now: datetime) -> tuple[GateResult, ...]:
    """packages: how many were looked at. report: digest of what the tool gave."""
    limits = Limits(spec.limit, spec.fixable_only, spec.ignore)
    told = _sorted(limits, found.vulnerabilities)
    said = f"{packages} distributions held against {found.database} by {found.tool}: {_summary(limits, told)}"
    measured = {
        **_limits(limits),
        "snapshot_age": spec.snapshot_age,
        "packages": packages,
        "tool": found.tool,
        "database": found.database,
        "as_of": found.as_of.isoformat(),
        "report": report,
        "found": sorted({name for one in found.vulnerabilities for name in one.names}),
    }
    old = _too_old(found, spec.snapshot_age, now)
    verdict = GateVerdict.ERROR if old else GateVerdict.PASS
    return GateResult(GATE, SCANNED, verdict, f"{said}. {old}" if old else said, measured), *_failing(told.counting)


def unscanned(spec: VulnerabilitiesSpec, why: str) -> tuple[GateResult, ...]:
    """The same where nobody could tell: that is no pass."""
    limits = Limits(spec.limit, spec.fixable_only, spec.ignore)
    return (GateResult(GATE, SCANNED, GateVerdict.ERROR, why, {**_limits(limits), "snapshot_age": spec.snapshot_age}),)


def too_old(results: Iterable[GateResult], found: Found, now: datetime) -> str | None:
    """What is wrong with scanning a registered version by such old knowledge, by the limit that it was registered by."""
    age = next((one.measured.get("snapshot_age") for one in results if _is(one) and one.rule == SCANNED), None)
    return _too_old(found, age, now) if age is not None else None


def known_names(results: Iterable[GateResult], scans: Iterable[Scan]) -> frozenset[str]:
    """All names of all weaknesses that were found before."""
    at_first = (name for one in results if _is(one) and one.rule == SCANNED for name in one.measured.get("found", ()))
    return frozenset(at_first).union(*(one.names for scan in scans for one in scan.found))


def judge_paper(rule: str, said: str, *, possible: bool) -> GateResult:
    """Before registration, when there is no paper yet: whether it can be made. rule: SBOM or SIGNATURE."""
    return GateResult(GATE, rule, GateVerdict.PASS if possible else GateVerdict.ERROR, said)


def judge_again(
    results: Sequence[GateResult], scans: Iterable[Scan], *, sbom: bool = True, signature: bool = True
) -> tuple[GateResult, ...]:
    """The results of a registered version as they are by what is known of it now. scans: the last one of each tool. sbom,
    signature: whether the version has that paper; where it must and has not, it fails.
    """
    papers = {SBOM: sbom, SIGNATURE: signature}
    kept = tuple(_paper_now(one, papers[one.rule]) if _is(one) and one.rule in papers else one for one in results)
    scanned = next((one for one in kept if _is(one) and one.rule == SCANNED), None)
    latest = sorted(scans, key=lambda scan: scan.at)
    if scanned is None or not latest:
        return kept
    limits = _limits_in(scanned.measured)
    own = [scan for scan in latest if scan.tool in OWN_TOOLS]
    ours = merged(one for scan in own for one in scan.found)
    told = _sorted(limits, ours)
    on_top = [_sorted(limits, _as_ours(ours, scan.found)).counting for scan in latest if scan.tool not in OWN_TOOLS]
    before = () if own else tuple(one for one in kept if _is_finding(one))
    first = _scanned_again(own[-1], limits, told, scanned) if own else scanned
    known = {one.rule for one in before}
    fresh = tuple(one for one in _failing([*told.counting, *chain(*on_top)]) if one.rule not in known)
    others = tuple(one for one in kept if one is not scanned and not _is_finding(one))
    return *others, first, *before, *fresh


def _scanned_again(scan: Scan, limits: Limits, told: Sorted, before: GateResult) -> GateResult:
    when = f"{scan.at:%Y-%m-%d %H:%M} UTC"
    said = f"{scan.subject} held against {scan.database} by {scan.tool} again, {when}: {_summary(limits, told)}"
    measured = {**before.measured, "tool": scan.tool, "database": scan.database, "report": scan.report}
    return GateResult(GATE, SCANNED, GateVerdict.PASS, said, measured)


def _as_ours(ours: Sequence[Vulnerability], theirs: Iterable[Vulnerability]) -> Iterator[Vulnerability]:
    """What another tool found, by the name that we say where we know the weakness: a waiver of ours then holds for it too."""
    by_name = {(one.package, one.version, name): one for one in ours for name in one.names}
    for one in theirs:
        same = [by_name[key] for name in sorted(one.names) if (key := (one.package, one.version, name)) in by_name]
        yield from (replace(one, id=known.id, aliases=_other_names(known, one)) for known in dict.fromkeys(same))
        if not same:
            yield one


def _other_names(known: Vulnerability, one: Vulnerability) -> tuple[str, ...]:
    return tuple(sorted((known.names | one.names) - {known.id}))


def _paper_now(before: GateResult, there: bool) -> GateResult:  # noqa: FBT001 - the second of two
    if there and before.verdict is GateVerdict.PASS:
        return before
    verdict, said = (GateVerdict.PASS, "the version has it") if there else (GateVerdict.FAIL, "the version has none")
    return GateResult(GATE, before.rule, verdict, said, waived=before.waived)


def _is(result: GateResult) -> bool:
    return result.gate == GATE


def _is_finding(result: GateResult) -> bool:
    return _is(result) and "vulnerability" in result.measured


def _sorted(limits: Limits, found: Iterable[Vulnerability]) -> Sorted:
    counting, below, unfixed, ignored = [], [], [], []
    names = {name.upper() for name in limits.ignore}
    for one in found:
        if not names.isdisjoint(name.upper() for name in one.names):
            ignored.append(one)
        elif _weight(one.severity) < _weight(limits.limit):
            below.append(one)
        elif limits.fixable_only and not one.fixed_in:
            unfixed.append(one)
        else:
            counting.append(one)
    return Sorted(tuple(counting), tuple(below), tuple(unfixed), tuple(ignored))


def _weight(severity: Severity) -> Severity:
    """Nobody rated it: it may be grave, and somebody has to look."""
    return Severity.HIGH if severity is Severity.UNKNOWN else severity


def _failing(counting: Iterable[Vulnerability]) -> tuple[GateResult, ...]:
    by_rule: dict[str, list[Vulnerability]] = {}
    for one in counting:
        by_rule.setdefault(rule_of(one), []).append(one)
    return tuple(_failed(rule, found) for rule, found in by_rule.items())


def _failed(rule: str, found: Sequence[Vulnerability]) -> GateResult:
    """found: the same weakness, the first as our own tools say; of one package in several versions, as an image may hold it."""
    worst = max(found, key=lambda one: (_weight(one.severity), one.severity))
    versions = " and ".join(dict.fromkeys(one.version for one in found if one.version))
    title = f": {worst.title}" if worst.title else ""
    mended = f"mended in {', '.join(worst.fixed_in[:_NAMED])}" if worst.fixed_in else "no version without it is known"
    said = f"{worst.package} {versions}".rstrip() + f" has it, severity {_word(worst.severity)}{title}; {mended}"
    facts = {
        "vulnerability": worst.id,
        "package": worst.package,
        "version": versions,
        "severity": worst.severity.name,
        "fixed_in": list(worst.fixed_in),
        "aliases": sorted({name for one in found for name in one.names} - {worst.id}),
    }
    return GateResult(GATE, rule, GateVerdict.FAIL, said, facts)


def _summary(limits: Limits, told: Sorted) -> str:
    parts = [f"{len(told.counting) or 'none'} at or above {_word(limits.limit)}"]
    if told.below:
        parts.append(f"{len(told.below)} below")
    if told.unfixed:
        parts.append(f"not mended in any version: {_named(told.unfixed)}")
    if told.ignored:
        parts.append(f"ignored by the project file: {_named(told.ignored)}")
    return ", ".join(parts)


def _named(found: Sequence[Vulnerability]) -> str:
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(f"{one.id} ({one.package})" for one in found[:_NAMED]) + more


def _word(severity: Severity) -> str:
    return "unknown, which counts as high" if severity is Severity.UNKNOWN else severity.name.lower()


def _too_old(found: Found, most: float, now: datetime) -> str | None:
    """most: seconds."""
    age = (now - found.as_of).total_seconds()
    if age <= most:
        return None
    return f"That knowledge is {_days(age)} old, at most {format_duration(most)} is asked: get a newer snapshot"


def _days(seconds: float) -> str:
    return f"{seconds / 86400:.0f} days" if seconds >= 2 * 86400 else f"{seconds / 3600:.0f} hours"


def _limits(limits: Limits) -> dict[str, Any]:
    return {"fail_on": limits.limit.name.lower(), "fixable_only": limits.fixable_only, "ignore": list(limits.ignore)}


def _limits_in(measured: Mapping[str, Any]) -> Limits:
    """As `_limits` wrote them."""
    return Limits(Severity[measured["fail_on"].upper()], measured["fixable_only"], tuple(measured["ignore"]))
