"""How much may go wrong in all: over the rollouts of a year."""

from __future__ import annotations

from collections.abc import Collection


def share(spent: Collection[float], yearly: float) -> float:
    """The most that the next rollout may spend. spent: what each of the earlier ones did, n of them; yearly: the budget, B.

        (B − Σ spent) / (n + 2), and at least B / ((n + 1)·(n + 2))

    So it is never 0, and the first m shares add up to at most B·m / (m + 1) < B, however much less than its share each spends.
    By induction: the first m − 1 spend s, at most B·(m − 1) / m. If the m-th share is at most (B − s) / (m + 1), it makes
    s·m / (m + 1) + B / (m + 1) ≤ B·m / (m + 1); if it is at most B / (m·(m + 1)), it makes no more than that either.
    Further values in `spent` only make shares smaller, so this holds in any window of time if `spent` has all that lies in it
    and began before: a union bound (Bonferroni's inequality) on a false alarm in the window. The least is for values in `spent`
    that are no shares of this budget and may exceed it; the promise is not about those.

    Raises:
        ValueError: `yearly` is not between 0 and 1.
    """
    if not 0 < yearly < 1:
        raise ValueError(f"a yearly alpha must lie between 0 and 1, both excluded; found {yearly}")
    n = len(spent)
    return max(yearly - sum(spent), yearly / (n + 1)) / (n + 2)
