"""Limits of size, memory, start and latency, held against what the package cost in the real server.

Size, memory and start are measured once and compared. A latency limit is about a share of requests: `p99_ms: 5` says that at most
one in a hundred may take longer than 5 ms. PASS: the exact upper bound of that share (97.5 %) keeps it; FAIL: the lower bound
breaks it; INCONCLUSIVE: neither, as when the machine was busy.
"""

from __future__ import annotations

import numpy as np

from lockgate.domain.packages import Cost
from lockgate.domain.verdicts import GateResult, GateVerdict
from lockgate.stages.decide.gates.share import judge_share
from lockgate.stages.decide.packaged_spec import PackagedSpec

GATE = "packaged"
REQUESTS = 2000  # none of them too slow proves a p99, and 10 of them are still within it
_QUANTILES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
_MEGA = 1e6


def judge_packaged(spec: PackagedSpec, cost: Cost) -> tuple[GateResult, ...]:
    """The verdict on each limit that is set."""
    return tuple(_judge(name, limit, cost) for name, limit in spec.limits.items())


def requests_for(spec: PackagedSpec) -> int:
    """How many requests the limits need: none, where no latency is limited."""
    return REQUESTS if _QUANTILES.keys() & spec.limits.keys() else 0


def unmeasured(spec: PackagedSpec, why: str) -> tuple[GateResult, ...]:
    """The same where the package could not be served."""
    return tuple(GateResult(GATE, _rule(name, limit), GateVerdict.ERROR, why) for name, limit in spec.limits.items())


def _rule(name: str, limit: float) -> str:
    return f"{name} <= {limit:g}"


def _judge(name: str, limit: float, cost: Cost) -> GateResult:
    if name in _QUANTILES:
        return _latency(name, limit, cost)
    found = _figure(name, cost)
    rule = _rule(name, limit)
    if found is None:
        return GateResult(GATE, rule, GateVerdict.ERROR, "this system does not tell how much memory processes have")
    verdict = GateVerdict.PASS if found <= limit else GateVerdict.FAIL
    told = f"{found:.4g} measured, at most {limit:g} is asked"
    return GateResult(GATE, rule, verdict, told, {"measured": found, "limit": limit})


def _figure(name: str, cost: Cost) -> float | None:
    if name == "size_mb":
        return cost.size / _MEGA
    if name == "cold_start_s":
        return cost.cold_start
    return cost.memory / _MEGA if cost.memory is not None else None


def _latency(name: str, limit: float, cost: Cost) -> GateResult:
    quantile, seconds = _QUANTILES[name], np.asarray(cost.latencies)
    if len(seconds) == 0:
        return GateResult(GATE, _rule(name, limit), GateVerdict.ERROR, "no request was measured")
    n, slow = len(seconds), int(np.count_nonzero(seconds * 1e3 > limit))
    low, high, verdict = judge_share(slow, n, 1 - quantile)
    found = float(np.quantile(seconds, quantile)) * 1e3
    told = f"{found:.3g} ms measured over {n:,} requests; {slow:,} took longer than {limit:g} ms ({low:.2%} to {high:.2%} of all)"
    hint = ". Try again on a machine with nothing else to do" if verdict is GateVerdict.INCONCLUSIVE else ""
    measured = {"measured": found, "limit": limit, "requests": n, "slow": slow, "low": low, "high": high, "allowed": 1 - quantile}
    return GateResult(GATE, _rule(name, limit), verdict, told + hint, measured)
