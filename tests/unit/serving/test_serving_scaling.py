"""How many workers there should be, from what they say of themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.kernel.errors import Invalid
from lockgate.serving.server.gauge import Gauge, Load, read
from lockgate.serving.server.scaling import GROW_AFTER, SHRINK_AFTER, Bounds, Scale, follow, parse_bounds

BOUNDS = Bounds(1, 4)


def loads(*busy: float, delay: float = 0.0) -> list[Load]:
    return [Load(1, 0.0, delay, one) for one in busy]


def after(seconds: float, seen: Callable[[int], list[Load]], scale: Scale, bounds: Bounds = BOUNDS) -> Scale:
    """Follow what is seen four times a second."""
    for tick in range(int(seconds * 4) + 1):
        scale = follow(scale, seen(scale.workers), bounds, tick / 4)
    return scale


def test_a_worker_is_added_when_requests_wait_and_go_on_waiting() -> None:
    assert after(GROW_AFTER - 0.25, lambda n: loads(*[0.3] * n, delay=0.1), Scale(1)).workers == 1
    assert after(GROW_AFTER, lambda n: loads(*[0.3] * n, delay=0.1), Scale(1)).workers == 2


def test_a_burst_that_ends_starts_nothing() -> None:
    scale = after(0.5, lambda n: loads(*[1.0] * n), Scale(1))
    scale = follow(scale, loads(0.1), BOUNDS, 0.75)
    assert follow(scale, loads(1.0), BOUNDS, 1.25) == Scale(1, 1.25, None)


def test_workers_that_are_busy_to_the_brim_get_company_before_anybody_waits() -> None:
    assert after(GROW_AFTER, lambda n: loads(*[0.95] * n), Scale(1)).workers == 2


def test_one_goes_when_the_others_could_do_the_work_with_ease() -> None:
    assert after(SHRINK_AFTER - 1, lambda n: loads(*[0.1] * n), Scale(3)).workers == 3
    assert after(SHRINK_AFTER, lambda n: loads(*[0.1] * n), Scale(3)).workers == 2
    assert after(SHRINK_AFTER * 2, lambda n: loads(*[0.4] * n), Scale(2)).workers == 2, "one alone would be too busy"


def test_while_one_is_being_born_nothing_is_decided() -> None:
    assert after(GROW_AFTER * 10, lambda n: loads(*[1.0] * (n - 1)), Scale(2)).workers == 2


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 10)), max_size=200), st.integers(1, 3), st.integers(0, 3))
def test_the_number_stays_within_its_bounds_and_moves_by_one(seen: list[tuple[float, float]], least: int, more: int) -> None:
    bounds = Bounds(least, least + more)
    scale = Scale(least)
    for tick, (busy, delay) in enumerate(seen):
        following = follow(scale, loads(*[busy] * scale.workers, delay=delay), bounds, float(tick))
        assert bounds.least <= following.workers <= bounds.most
        assert abs(following.workers - scale.workers) <= 1
        scale = following


def test_bounds_are_a_number_or_a_range() -> None:
    assert parse_bounds("2") == (2, 2)
    assert parse_bounds("1-4") == (1, 4)
    for nonsense in ("", "0", "-1", "4-1", "two", "1-", "1-x", "1-2-3"):
        with pytest.raises(Invalid, match="workers"):
            parse_bounds(nonsense)


def test_what_a_worker_wrote_last_is_what_is_read(tmp_path: Path) -> None:
    assert read(tmp_path / "load", "worker-1") is None
    gauge = Gauge(tmp_path / "load", "worker-1")
    assert read(tmp_path / "load", "worker-1") is None
    for load in (Load(7, 1.0, 0.5, 0.9), Load(7, 2.0, 0.25, 0.5)):
        gauge.write(load)
        assert read(tmp_path / "load", "worker-1") == load
    gauge.close()
