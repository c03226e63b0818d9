"""False alarms within a year: shares of a budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.stats.budget import share

budgets = st.floats(0.001, 0.5)
parts = st.lists(st.floats(0, 1), max_size=40)  # of its share, how much each spends


@given(budgets, parts)
def test_whatever_each_spends_of_its_share_the_budget_is_never_used_up(budget: float, parts: list[float]) -> None:
    spent: list[float] = []
    for part in parts:
        left = share(spent, budget)
        assert 0 < left <= budget / 2
        spent.append(part * left)
    assert sum(spent) <= budget * len(spent) / (len(spent) + 1) + 1e-12


@given(budgets, st.lists(st.floats(0, 0.5), max_size=10), parts)
def test_what_was_spent_before_without_a_budget_leaves_shares_that_keep_it(
    budget: float, before: list[float], parts: list[float]
) -> None:
    """However much that was: the budget is for those that it gave their shares."""
    spent: list[float] = []
    for part in parts:
        left = share(before + spent, budget)
        assert left > 0
        spent.append(part * left)
    assert sum(spent) < budget


def test_who_always_spends_the_whole_share_gets_a_falling_row() -> None:
    spent: list[float] = []
    for _ in range(200):
        spent.append(share(spent, 0.06))
    assert spent[:3] == pytest.approx([0.06 / 2, 0.06 / 6, 0.06 / 12])
    assert spent == sorted(spent, reverse=True)
    assert 0.0596 < sum(spent) < 0.06


def test_what_was_not_spent_is_there_for_the_next() -> None:
    assert share([0.01] * 4, 0.1) == pytest.approx(0.06 / 6)
    assert share([0.0] * 4, 0.1) == pytest.approx(0.1 / 6)


@pytest.mark.parametrize("yearly", [0.0, 1.0, -0.1])
def test_what_is_no_budget_is_refused(yearly: float) -> None:
    with pytest.raises(ValueError, match="found"):
        share([], yearly)
