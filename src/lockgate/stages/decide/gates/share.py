"""A share of things that may break a rule, held against what is allowed by the exact bounds of what was seen."""

from __future__ import annotations

from typing import NamedTuple

from lockgate.domain.verdicts import GateVerdict
from lockgate.stats.binomial import lower_bound, upper_bound

_TAIL = 0.025


class Broken(NamedTuple):
    """low, high: of the share, each but for a chance of 2.5 %."""

    low: float
    high: float
    verdict: GateVerdict


def judge_share(broken: int, of: int, allowed: float) -> Broken:
    """PASS: the upper bound keeps what is allowed. FAIL: the lower one breaks it. INCONCLUSIVE: neither."""
    low, high = lower_bound(broken, of, _TAIL), upper_bound(broken, of, _TAIL)
    verdict = GateVerdict.FAIL if low > allowed else GateVerdict.PASS if high <= allowed else GateVerdict.INCONCLUSIVE
    return Broken(low, high, verdict)
