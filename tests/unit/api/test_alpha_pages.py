"""A rollout that the year's budget left less than its plan says so, on the page and over REST."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lockgate.domain.rollouts import JudgePolicy, Rollout
from lockgate.entrypoints.reading.words import alpha_clause
from lockgate.ports.state import MODELS, ROLLOUTS, VERSIONS
from lockgate.testing import builders as a
from tests.samples.asgi import Client
from tests.samples.story import Story


def left(alpha: float) -> Rollout:
    return a.rollout(judge=JudgePolicy(alpha=alpha, alpha_per_year=0.1), plan_alpha=0.01)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (a.rollout(), ""),
        (replace(left(0.01), plan_alpha=None), ""),
        (left(0.00273), "what the year's 10 % leaves of the plan's 1 %"),
        (
            left(0.00071),
            "what the year's 10 % leaves of the plan's 1 %. Warning: less than a tenth; harm must show 1.6 times the evidence",
        ),
    ],
)
def test_the_clause(given: Rollout, says: str) -> None:
    assert alpha_clause(given) == says


def test_the_page_and_rest_show_it(empty: Story, client: Client) -> None:
    with empty.world.state.write() as tx:
        tx.put(MODELS, a.registered_model(latest_version=2))
        tx.put(VERSIONS, a.version(2, author="eve"))
        tx.put(ROLLOUTS, left(0.00071))
    text = client.page("/rollouts/rollout-1").text
    assert "at most 0.071 %: what the year&#39;s 10 % leaves of the plan&#39;s 1 %. Warning: less than a tenth" in text
    told = client.get("/api/v1/rollouts/rollout-1").json
    assert (told["judge"]["alpha"], told["judge"]["alpha_per_year"], told["plan_alpha"]) == (0.00071, 0.1, 0.01)


def test_where_the_plans_is_left_nothing_is_said(empty: Story, client: Client) -> None:
    with empty.world.state.write() as tx:
        tx.put(MODELS, a.registered_model(latest_version=2))
        tx.put(VERSIONS, a.version(2, author="eve"))
        tx.put(ROLLOUTS, a.rollout())
    assert "at most 1 %</dd>" in client.page("/rollouts/rollout-1").text
    assert client.get("/api/v1/rollouts/rollout-1").json["plan_alpha"] is None
