"""Sums of e-values in logarithms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.stats.combine import log_mean, log_weighted_sum


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=6))
def test_a_mean_of_logs_is_the_log_of_the_mean(logs: list[float]) -> None:
    assert float(log_mean(logs)) == pytest.approx(float(np.log(np.mean(np.exp(logs)))))
    even = [1 / len(logs)] * len(logs)
    assert float(log_weighted_sum(logs, even)) == pytest.approx(float(log_mean(logs)))


def test_huge_and_vanished_values() -> None:
    assert float(log_mean([5000.0, -np.inf])) == pytest.approx(5000 - np.log(2))
    assert float(log_weighted_sum([900.0, -np.inf], [0.25, 0.75])) == pytest.approx(900 + np.log(0.25))
    assert float(log_mean([-np.inf, -np.inf])) == -np.inf
