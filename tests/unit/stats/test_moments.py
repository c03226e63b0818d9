"""What is known before each value."""

from __future__ import annotations

import numpy as np
import pytest

from lockgate.stats.moments import Moments, predicted, running, unit_values


def test_the_first_value_meets_the_imagined_one_only() -> None:
    means, variances, seen = predicted(Moments(), np.array([0.2, 1.0]))
    np.testing.assert_allclose(means, [0.5, 0.7 / 2])
    np.testing.assert_allclose(variances, [0.25, (0.25 + (0.2 - 0.35) ** 2) / 2])
    assert seen.n == 2
    assert float(np.asarray(seen.total)) == pytest.approx(1.2)


def test_streams_are_apart_and_nothing_of_the_value_itself_is_used() -> None:
    values = np.random.default_rng(1).random((3, 40))
    means, variances, seen = predicted(Moments(), values)
    for stream in range(3):
        alone = predicted(Moments(), values[stream])
        np.testing.assert_array_equal(means[stream], alone[0])
        np.testing.assert_array_equal(variances[stream], alone[1])
    changed = values.copy()
    changed[:, 20] = 1 - changed[:, 20]
    np.testing.assert_array_equal(predicted(Moments(), changed)[0][:, :21], means[:, :21])
    np.testing.assert_array_equal(predicted(Moments(), changed)[1][:, :21], variances[:, :21])
    assert np.shape(seen.squares) == (3,)


def test_running_sums_go_on_from_where_they_stood() -> None:
    np.testing.assert_array_equal(running(2.0, np.array([1.0, 3.0])), [2.0, 3.0, 6.0])
    np.testing.assert_array_equal(running(np.array([2.0, 0.0]), np.ones((2, 1))), [[2.0, 3.0], [0.0, 1.0]])


@pytest.mark.parametrize("values", [[0.5, 1.01], [-1e-9], [float("nan")]])
def test_values_outside_the_interval_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match=r"values must lie in \[0, 1\]; found"):
        unit_values(values)
