"""Which verdict counts now: what a gate measured, or a waiver in its place.

A waiver stands in for a verdict while it holds, and for nothing longer: what is expired or withdrawn is no pass, and what was
measured stands again. It never makes a PASS of anything, and it changes no measurement.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from lockgate.domain.verdicts import PASSED, GateResult, GateVerdict, Waived
from lockgate.domain.waivers import Waiver


def effective(result: GateResult, waivers: Sequence[Waiver], version: int, now: datetime) -> GateVerdict:
    """The verdict that counts at the time: PASS stays PASS, others are WAIVED while one of the waivers holds.

    waivers: of the model; what `result.waived` remembers is not asked. version: the model's version that was judged.
    """
    return GateVerdict.WAIVED if _holding(result, waivers, version, now) else result.verdict


def waive(results: Iterable[GateResult], waivers: Sequence[Waiver], version: int, now: datetime) -> tuple[GateResult, ...]:
    """The results, each with the waiver that holds for it at the time, or with none. Of several the one that holds longest."""
    return tuple(replace(one, waived=_waived(_holding(one, waivers, version, now))) for one in results)


def unpassed(results: Iterable[GateResult], waivers: Sequence[Waiver], version: int, now: datetime) -> tuple[GateResult, ...]:
    """Those that neither passed nor are waived at the time, in their order."""
    return tuple(one for one in results if effective(one, waivers, version, now) not in PASSED)


def holds(waiver: Waiver, now: datetime) -> bool:
    """From the moment it was granted until `until`, which it no longer is, unless it was withdrawn before."""
    return waiver.withdrawn_at is None and waiver.granted_at <= now < waiver.until


def _holding(result: GateResult, waivers: Sequence[Waiver], version: int, now: datetime) -> Waiver | None:
    if result.verdict is GateVerdict.PASS:
        return None
    meant = [one for one in waivers if holds(one, now) and _means(one, result, version)]
    return max(meant, key=lambda one: (one.until, one.id), default=None)


def _means(waiver: Waiver, result: GateResult, version: int) -> bool:
    return waiver.gate == result.gate and waiver.rule in ("", result.rule) and waiver.version in (0, version)


def _waived(waiver: Waiver | None) -> Waived | None:
    return Waived(waiver.id, waiver.by, waiver.until, waiver.why) if waiver else None
