"""The clock of tests."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lockgate.testing.clock import START, VirtualClock


def test_both_times_advance_together() -> None:
    clock = VirtualClock()
    assert (clock.now(), clock.monotonic()) == (START, 0.0)
    clock.advance(7 * 86400)
    clock.advance(0.5)
    assert clock.now() == START + timedelta(days=7, seconds=0.5)
    assert clock.monotonic() == 7 * 86400 + 0.5


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="does not go back"):
        VirtualClock().advance(-1)
