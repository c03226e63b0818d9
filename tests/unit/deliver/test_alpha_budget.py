"""What the rollouts of a year may spend of their chance of a false HARM."""

from __future__ import annotations

from datetime import timedelta
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lockgate.domain.rollouts import JudgePolicy, Rollout, Strategy
from lockgate.stages.deliver.alpha_budget import spends, spent, within_budget
from lockgate.stages.deliver.judge_spec import JudgeSpec
from lockgate.stages.fields import FROM_FILE
from lockgate.testing import builders as a
from lockgate.testing.clock import START

BUDGET = 0.1
JUDGED = JudgePolicy(alpha=0.01, alpha_per_year=BUDGET)


def begun(day: float, before: list[Rollout], **fields: Any) -> Rollout:
    return within_budget(a.rollout(**{"judge": JUDGED, "started_at": START + timedelta(days=day), **fields}), before)


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rollouts over years: in bursts or far apart, of any strategy, with plans that change; some begin before there is one."""
    pauses = st.sampled_from([0.0, 1.0, 30.0, 182.5, 320.0, 364.0, 365.0, 366.0])
    days = list(accumulate(draw(st.lists(pauses, min_size=6, max_size=60))))
    unbounded = draw(st.sampled_from([0, 0, 3]))
    return [
        {
            "day": day,
            "strategy": draw(st.sampled_from([Strategy.CANARY] * 5 + list(Strategy))),
            "environment": draw(st.sampled_from(["production"] * 5 + ["staging"])),
            "hold_back": draw(st.sampled_from([0.0, 0.05])),
            "segment": draw(st.sampled_from(["", "JFK"])),
            "judge": JudgePolicy(
                alpha=draw(st.sampled_from([0.001, 0.01, 0.1, 0.1])), alpha_per_year=BUDGET if place >= unbounded else None
            ),
        }
        for place, day in enumerate(days)
    ]


@given(histories())
def test_within_any_365_days_no_more_than_the_budget_is_spent_and_nobody_gets_nothing(history: list[dict[str, Any]]) -> None:
    rollouts: list[Rollout] = []
    for one in history:
        rollouts.append(begun(before=rollouts, **one))
    assert all(0 < one.judge.alpha <= (one.plan_alpha or one.judge.alpha) for one in rollouts)
    counted = [one for one in rollouts if spends(one) and one.judge.alpha_per_year]
    for first in counted:
        window = [one for one in counted if timedelta(0) <= one.started_at - first.started_at <= timedelta(days=365)]
        assert sum(spent(one) for one in window) < BUDGET


def test_the_first_five_have_the_plans_and_the_tenth_a_quarter() -> None:
    rollouts: list[Rollout] = []
    for day in range(20):
        rollouts.append(begun(day, rollouts))
    alphas = [one.judge.alpha for one in rollouts]
    assert alphas[:5] == pytest.approx([0.01] * 5)
    assert [alphas[5], alphas[9], alphas[19]] == pytest.approx([0.00714, 0.00273, 0.000714], rel=0.01)
    assert [one.plan_alpha for one in rollouts] == [None] * 5 + [0.01] * 15


def test_a_year_later_all_is_as_in_the_beginning() -> None:
    rollouts: list[Rollout] = []
    for _ in range(10):
        rollouts.append(begun(0, rollouts))
    assert begun(365, rollouts).judge.alpha < 0.01
    assert begun(365.001, rollouts).judge.alpha == 0.01


def test_a_promotion_that_holds_units_back_is_judged_twice_and_spends_twice() -> None:
    tight = JudgePolicy(alpha=0.01, alpha_per_year=0.02)
    once, twice = begun(0, [], judge=tight), begun(0, [], judge=tight, hold_back=0.05)
    assert (once.judge.alpha, twice.judge.alpha) == (0.01, 0.005)
    assert spent(once) == spent(twice) == 0.01


def test_without_a_budget_each_has_its_plans_and_is_counted_by_those_that_have_one() -> None:
    free = begun(0, [], judge=JudgePolicy(alpha=0.05))
    assert (free.judge.alpha, free.plan_alpha) == (0.05, None)
    assert begun(1, [free, free]).judge.alpha < 0.01


@pytest.mark.parametrize(
    "fields", [{"strategy": Strategy.ONLINE}, {"strategy": Strategy.REPLACE}, {"environment": "staging"}], ids=str
)
def test_checkpoints_and_what_nobody_judges_neither_spend_nor_get_less(fields: dict[str, Any]) -> None:
    many = [begun(0, [], **fields)] * 1000
    assert begun(1, many).judge == JUDGED
    real: list[Rollout] = []
    for day in range(12):
        real.append(begun(day, real))
    assert begun(12, real, **fields).judge == JUDGED


def test_the_project_file_names_the_budget_as_a_share() -> None:
    said = JudgeSpec.model_validate({"alpha": 0.01, "alpha_per_year": "10%"}, context=FROM_FILE)
    assert (said.policy().alpha_per_year, said.shadow().alpha_per_year) == (0.1, 0.1)
    assert JudgeSpec().policy().alpha_per_year is None


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"alpha_per_year": "0.5%"}, r"alpha \(0.01\) of at most alpha_per_year \(0.5%\) expected"),
        ({"alpha_per_year": "0%"}, "greater than 0"),
        ({"alpha_per_year": "100%"}, "less than 1"),
        ({"alpha_per_year": 0.1}, "a percentage expected"),
    ],
)
def test_a_budget_that_leaves_no_room_for_one_rollout_is_refused(said: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        JudgeSpec.model_validate(said, context=FROM_FILE)
