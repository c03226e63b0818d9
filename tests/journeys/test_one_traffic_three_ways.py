"""One rollout engine for service, wheel and data: the same recorded traffic gives the same assignments and the same verdict."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lockgate.domain.rollouts import Phase
from lockgate.domain.verdicts import JudgeVerdict
from tests.journeys.one_traffic import Gateway, PairWay, SubscriberWay, Told, Traffic, answered

HARMLESS = Traffic()
HARMFUL = {
    "errors": Traffic(failing=0.08),
    "latency": Traffic(slow=4.0),
    "labels": Traffic(wrong=0.4),
}
WAYS = pytest.mark.parametrize("way", [PairWay, SubscriberWay])


@cache
def by_gateway(traffic: Traffic) -> Told:
    with TemporaryDirectory() as folder:
        return answered(Gateway, traffic, Path(folder))


def check_same(way: type, traffic: Traffic, folder: Path) -> Told:
    expected, found = by_gateway(traffic), answered(way, traffic, folder)
    assert found.met == expected.met  # who met which version, request by request
    assert found.evidence == expected.evidence  # to the last bit
    assert found.rollout.ramp == expected.rollout.ramp
    assert found.rollout.thresholds == expected.rollout.thresholds
    assert (found.rollout.phase, found.rollout.outcome) == (expected.rollout.phase, expected.rollout.outcome)
    return found


@WAYS
def test_a_harmless_candidate_is_promoted_at_the_same_request(way: type, tmp_path: Path) -> None:
    found = check_same(way, HARMLESS, tmp_path)
    assert (found.rollout.phase, found.rollout.verdict) == (Phase.PROMOTED, JudgeVerdict.SAFE)
    assert 5_000 < len(found.met) < HARMLESS.requests


@WAYS
@pytest.mark.parametrize("metric", HARMFUL)
def test_a_harmful_one_is_sent_home_at_the_same_request(way: type, metric: str, tmp_path: Path) -> None:
    found = check_same(way, HARMFUL[metric], tmp_path)
    assert (found.rollout.phase, found.rollout.verdict) == (Phase.ABORTED, JudgeVerdict.HARM)
    assert found.rollout.outcome is not None
    assert metric in found.rollout.outcome.metrics
