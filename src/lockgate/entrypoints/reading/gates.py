"""How a version's gates stand now: what was measured stays, what a waiver covers changes with the time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from lockgate.domain.models import ModelVersion
from lockgate.domain.verdicts import PASSED, GateResult, GateVerdict, Waived
from lockgate.domain.waivers import Waiver
from lockgate.entrypoints.reading.tones import GATE_TONE, Tone
from lockgate.ports.state import WAIVERS, Reader
from lockgate.stages.decide.waiving import holds, waive
from lockgate.usecases.find_gates import gates_of


@dataclass(frozen=True, slots=True)
class Standing:
    """One gate. result.waived: what holds at the time. lapsed: what the version was registered by, where no waiver holds now."""

    result: GateResult
    lapsed: Waived | None = None

    @property
    def verdict(self) -> GateVerdict:
        return self.result.judged

    @property
    def tone(self) -> Tone:
        return GATE_TONE[self.verdict]


def gates_now(tx: Reader, version: ModelVersion, now: datetime) -> tuple[Standing, ...]:
    """The version's gates, by what is known of it now, with the waivers that hold now."""
    return gates_waived(tx, version, gates_of(tx, version), now)


def gates_waived(tx: Reader, version: ModelVersion, gates: Sequence[GateResult], now: datetime) -> tuple[Standing, ...]:
    """These results of the version, with the waivers that hold now."""
    results = waive(gates, tx.find(WAIVERS, model=version.model), version.version, now)
    return tuple(Standing(one, before.waived if one.waived is None else None) for before, one in zip(gates, results, strict=True))


def gates_then(results: Iterable[GateResult]) -> tuple[Standing, ...]:
    """As they were judged: of a run, which happened once."""
    return tuple(map(Standing, results))


def gates_clause(gates: Iterable[Standing]) -> str:
    """`3 of 4 gates passed, 1 is waived`, `2 of 4 gates passed, 1 is waived, 1 did not pass`."""
    verdicts = [one.verdict for one in gates]
    waived = verdicts.count(GateVerdict.WAIVED)
    missed = sum(verdict not in PASSED for verdict in verdicts)
    told = [f"{verdicts.count(GateVerdict.PASS)} of {len(verdicts)} gates passed"]
    told += [f"{waived} {'is' if waived == 1 else 'are'} waived"] * bool(waived)
    return ", ".join(told + [f"{missed} did not pass"] * bool(missed))


def gates_count(gates: Sequence[Standing]) -> str:
    """`3/4, 1 waived`: the same in a table's few letters."""
    verdicts = [one.verdict for one in gates]
    waived = verdicts.count(GateVerdict.WAIVED)
    return f"{verdicts.count(GateVerdict.PASS)}/{len(verdicts)}" + (f", {waived} waived" if waived else "")


def waivers_in_force(tx: Reader, model: str | None, now: datetime) -> list[Waiver]:
    """model: None: of all."""
    found = tx.find(WAIVERS, model=model) if model else tx.find(WAIVERS)
    return [one for one in found if holds(one, now)]
