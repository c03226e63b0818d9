"""Limits of what a package costs: single figures are compared, latencies are judged by the share of slow requests."""

from __future__ import annotations

from typing import Any

import pytest

from lockgate.domain.packages import Cost
from lockgate.domain.verdicts import GateVerdict
from lockgate.stages.decide.gates.packaged import REQUESTS, judge_packaged, requests_for, unmeasured
from lockgate.stages.decide.packaged_spec import PackagedSpec


def cost(**fields: Any) -> Cost:
    return Cost(**{"cold_start": 2.0, "latencies": (0.001,) * REQUESTS, "memory": 150_000_000, "size": 20_000_000, **fields})


def verdict(found: Cost, **limits: float) -> GateVerdict:
    (result,) = judge_packaged(PackagedSpec.model_validate(limits), found)
    return result.verdict


@pytest.mark.parametrize(("name", "measured"), [("size_mb", 20), ("rss_mb", 150), ("cold_start_s", 2)])
def test_one_byte_too_many_fails(name: str, measured: float) -> None:
    assert verdict(cost(), **{name: measured}) is GateVerdict.PASS
    assert verdict(cost(), **{name: measured - 1e-6}) is GateVerdict.FAIL


def slow(requests: int) -> Cost:
    return cost(latencies=(0.010,) * requests + (0.001,) * (REQUESTS - requests))


def test_a_p99_is_about_one_request_in_a_hundred_and_not_about_one_figure() -> None:
    assert verdict(slow(10), p99_ms=5) is GateVerdict.PASS
    assert verdict(slow(20), p99_ms=5) is GateVerdict.INCONCLUSIVE, "one in a hundred, as far as can be told"
    assert verdict(slow(40), p99_ms=5) is GateVerdict.FAIL
    assert verdict(slow(40), p95_ms=5) is GateVerdict.PASS


def test_each_limit_has_its_verdict_and_says_what_was_measured() -> None:
    found = judge_packaged(PackagedSpec.model_validate({"p99_ms": 5, "size_mb": 50}), slow(40))
    assert [(one.gate, one.rule, one.verdict.value) for one in found] == [
        ("packaged", "p99_ms <= 5", "FAIL"),
        ("packaged", "size_mb <= 50", "PASS"),
    ]
    assert "10 ms measured over 2,000 requests; 40 took longer than 5 ms" in found[0].detail


def test_nobody_is_asked_where_no_latency_is_limited() -> None:
    assert requests_for(PackagedSpec.model_validate({"size_mb": 5})) == 0
    assert requests_for(PackagedSpec.model_validate({"size_mb": 5, "p95_ms": 1})) == REQUESTS


def test_a_model_that_is_far_too_slow_fails_on_few_requests() -> None:
    assert verdict(cost(latencies=(5.0,) * 6), p99_ms=5) is GateVerdict.FAIL


def test_what_cannot_be_measured_is_no_pass() -> None:
    assert verdict(cost(memory=None), rss_mb=200) is GateVerdict.ERROR
    found = unmeasured(PackagedSpec.model_validate({"p99_ms": 5, "size_mb": 50}), "it does not load")
    assert [(one.verdict, one.detail) for one in found] == [(GateVerdict.ERROR, "it does not load")] * 2


@pytest.mark.parametrize("limits", [{"p99_ms": 0}, {"p98_ms": 3}, {"size_mb": "50"}])
def test_limits_that_make_no_sense_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(limits))):
        PackagedSpec.model_validate(limits)
