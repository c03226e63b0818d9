"""How long answers took: quantiles of a histogram with bounds that hold at every look."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.histogram import GROWTH, bucket
from lockgate.domain.rollouts import Rollout
from lockgate.entrypoints.reading.latency import LEVELS, Latency, latencies
from lockgate.ports.state import JOURNAL, MODELS, ROLLOUTS, VERSIONS
from lockgate.stats.quantiles import quantile_ranks
from lockgate.testing import builders as a
from tests.samples.asgi import Client
from tests.samples.story import Story

seconds = st.lists(st.floats(1e-8, 100), min_size=1, max_size=60)


def counted(values: list[float]) -> dict[int, int]:
    return dict(Counter(bucket(value) for value in values))


@given(seconds, st.integers(1, 40))
def test_a_band_holds_the_values_of_both_ranks_and_is_wider_by_less_than_two_buckets(some: list[float], times: int) -> None:
    values = sorted(some * times)
    for one in latencies(counted(values)):
        least, most = (int(rank) for rank in quantile_ranks(len(values), one.level))
        small = values[least - 1] if least else 0.0
        assert one.low <= small * (1 + 1e-9)
        assert one.low >= small / GROWTH * (1 - 1e-9) or small <= 1e-6 * GROWTH
        if most > len(values):
            assert one.high is None
        else:
            assert one.high is not None
            assert values[most - 1] <= one.high * (1 + 1e-9)
            assert one.high <= max(values[most - 1], 1e-6) * GROWTH * (1 + 1e-9)
            assert one.point <= one.high
        assert one.low <= one.point


def test_nothing_counted_says_nothing() -> None:
    assert latencies({}) == ()


def test_few_answers_leave_p99_open_and_more_close_it() -> None:
    few, many = (latencies({bucket(0.012): number}) for number in (100, 2000))
    assert [one.level for one in few] == list(LEVELS)
    assert few[0].high is not None
    assert few[1].high is None
    assert many[1].high is not None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (Latency(0.5, 0.012, 0.0111, 0.0139), "12 ms (11.1–13.9)"),
        (Latency(0.99, 0.00042, 0.0004, None), "0.42 ms (0.4 or more)"),
        (Latency(0.99, 1.2345, 0.09996, 12.0), "1234 ms (100–12000)"),
        (Latency(0.5, 0.001, 0.0, 0.0012), "1 ms (0–1.2)"),
    ],
)
def test_in_milliseconds_with_three_digits(given: Latency, says: str) -> None:
    assert given.says == says


def keep(story: Story, rollout: Rollout) -> None:
    seen = a.observation(
        canary=a.arm_observation(completed=2000, latency={bucket(0.012): 2000}),
        baseline=a.arm_observation(completed=100, latency={bucket(0.01): 100}),
    )
    with story.world.state.write() as tx:
        tx.put(MODELS, a.registered_model(latest_version=2))
        tx.put(VERSIONS, a.version(2, author="eve"))
        tx.put(ROLLOUTS, rollout)
        tx.put(JOURNAL, a.journal_row(rollout=rollout.id, seq=0, observations=(seen,), evidence={"harm": -1.0}))


def test_the_page_shows_both_arms_and_says_when_the_bands_hold(empty: Story, client: Client) -> None:
    keep(empty, a.rollout(rows=1))
    text = client.page("/rollouts/rollout-1").text
    assert "12.3 ms (11.7–12.3) · 12.3 ms (11.7–12.3)" in text
    assert "10.1 ms (9.63–10.1) · 10.1 ms (9.63 or more)" in text
    assert "The bands of p50 and p99 hold at every look too" in text


def test_where_nothing_was_timed_the_page_speaks_of_no_bands(empty: Story, client: Client) -> None:
    rollout = a.rollout(rows=1)
    keep(empty, rollout)
    with empty.world.state.write() as tx:
        tx.put(JOURNAL, a.journal_row(rollout=rollout.id, seq=0, observations=(a.observation(),), evidence={"harm": -1.0}))
    assert "The bands of p50" not in client.page("/rollouts/rollout-1").text
