"""What scanners found of a version, and what has become of it: it counts, it is waived until a day, or it is below the limit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lockgate.domain.models import ModelVersion
from lockgate.domain.verdicts import GateVerdict
from lockgate.domain.vulnerabilities import Scan, Severity, Vulnerability
from lockgate.entrypoints.reading.gates import Standing, gates_now
from lockgate.entrypoints.reading.tones import Tone
from lockgate.ports.state import SCANS, Reader
from lockgate.stages.decide.gates.supply_chain import GATE

Word = Literal["none", "low", "medium", "unknown", "high", "critical"]

_WORDS: dict[Severity, Word] = {
    Severity.NONE: "none",
    Severity.LOW: "low",
    Severity.MEDIUM: "medium",
    Severity.UNKNOWN: "unknown",
    Severity.HIGH: "high",
    Severity.CRITICAL: "critical",
}
_TONES = {Severity.CRITICAL: Tone.BAD, Severity.HIGH: Tone.BAD, Severity.UNKNOWN: Tone.BAD, Severity.MEDIUM: Tone.ASK}


@dataclass(frozen=True, slots=True)
class Weak:
    """standing: of the gate about it; None: it does not count there."""

    found: Vulnerability
    standing: Standing | None

    @property
    def severity(self) -> Word:
        return _WORDS[self.found.severity]

    @property
    def tone(self) -> Tone:
        return _TONES.get(self.found.severity, Tone.CALM)

    @property
    def until(self) -> datetime | None:
        """How long it is waived."""
        waived = self.standing.result.waived if self.standing else None
        return waived.until if waived else None

    @property
    def counts(self) -> bool:
        return self.standing is not None and self.standing.verdict is GateVerdict.FAIL


@dataclass(frozen=True, slots=True)
class ScanNow:
    """weak: the worst first."""

    scan: Scan
    weak: tuple[Weak, ...]

    @property
    def clause(self) -> str:
        """`1 critical, 2 high`, or `nothing`."""
        counted = Counter(one.found.severity for one in self.weak)
        return ", ".join(f"{counted[one]} {one.name.lower()}" for one in sorted(counted, reverse=True)) or "nothing"


def scans_now(tx: Reader, version: ModelVersion, now: datetime) -> tuple[ScanNow, ...]:
    """The last of each tool, the newest first."""
    scans = tx.find(SCANS, model=version.model, version=version.version)
    stand = _by_name(gates_now(tx, version, now)) if scans else {}
    return tuple(ScanNow(one, _weak(one.found, stand)) for one in sorted(scans, key=lambda one: one.at, reverse=True))


def _by_name(gates: Iterable[Standing]) -> dict[tuple[str, str], Standing]:
    """By package and any name of the weakness."""
    known: dict[tuple[str, str], Standing] = {}
    for one in gates:
        told = one.result.measured
        if one.result.gate == GATE and "vulnerability" in told:
            known |= {(told["package"], name): one for name in (told["vulnerability"], *told["aliases"])}
    return known


def _weak(found: Sequence[Vulnerability], stand: dict[tuple[str, str], Standing]) -> tuple[Weak, ...]:
    listed = [
        Weak(one, next((stand[one.package, name] for name in one.names if (one.package, name) in stand), None)) for one in found
    ]
    return tuple(sorted(listed, key=lambda weak: (-weak.found.severity, weak.found.package, weak.found.id)))
