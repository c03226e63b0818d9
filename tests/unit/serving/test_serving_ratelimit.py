"""How often a key may ask: the rule, and one count for all workers of a machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.keys import Rate
from lockgate.boundary.limits import Failures, decide
from lockgate.serving.gateway.ratelimit import SLOTS, SharedLimits

ONE, TWO = "0" * 12, "a" * 12
HAMMER = """
import sys, time
from pathlib import Path
from lockgate.boundary.keys import Rate
from lockgate.serving.gateway.ratelimit import SharedLimits

limits, rate, end = SharedLimits(Path(sys.argv[1])), Rate(500.0, 50), time.monotonic() + 1.0
sys.stdin.readline()
let_in = 0
while (now := time.monotonic()) < end:
    let_in += not limits.wait("a" * 12, rate, now)
    time.sleep(0.0002)
print(let_in)
"""


@given(st.floats(0.01, 1000.0), st.integers(1, 50), st.lists(st.floats(0.0, 2.0), max_size=200), st.floats(0.0, 1e9))
def test_no_stretch_of_time_sees_more_than_its_share_and_the_burst(
    per_second: float, burst: int, gaps: list[float], start: float
) -> None:
    rate, now, due, admitted = Rate(per_second, burst), start, 0.0, []
    for gap in gaps:
        now += gap / per_second
        due, wait = decide(due, now, rate)
        if not wait:
            admitted.append(now)
        else:
            assert not decide(due, now + wait + 1e-6, rate)[1], "who waits as long as was said is let in"
    for first in range(len(admitted)):
        span = admitted[-1] - admitted[first]
        assert len(admitted) - first <= span * per_second * (1 + 1e-6) + burst + 1e-3


def test_a_steady_caller_at_the_rate_is_never_refused() -> None:
    rate, due = Rate(10.0, 1), 0.0
    for step in range(1000):
        due, wait = decide(due, 1000.0 + step / 10.0, rate)
        assert not wait


def test_a_clock_that_began_again_costs_a_burst_and_not_days() -> None:
    due, wait = decide(1e9, 5.0, Rate(10.0, 20))
    assert wait == pytest.approx(0.1)
    assert not decide(due, 5.0 + wait, Rate(10.0, 20))[1]


def test_a_rate_that_was_raised_holds_at_once() -> None:
    due = 0.0
    for _ in range(10):
        due, _ = decide(due, 0.0, Rate(0.1, 10))  # the next one would be due in ten seconds
    assert decide(due, 0.0, Rate(100.0, 10))[1] == pytest.approx(0.01)


def test_workers_count_together_and_keys_apart(tmp_path: Path) -> None:
    workers, rate = [SharedLimits(tmp_path / "limits") for _ in range(3)], Rate(1.0, 4)
    waits = [workers[turn % 3].wait(ONE, rate, 100.0) for turn in range(6)]
    assert waits == [0.0] * 4 + [1.0] * 2
    assert not workers[0].wait(TWO, rate, 100.0)
    assert not SharedLimits(tmp_path / "limits").wait(ONE, rate, 101.0), "a worker that is new knows what was"


def test_keys_that_want_the_same_place_get_different_ones(tmp_path: Path) -> None:
    here, there, rate = SharedLimits(tmp_path / "limits"), SharedLimits(tmp_path / "limits"), Rate(1.0, 1)
    same = [f"{7 + SLOTS * step:012x}" for step in range(3)]
    assert [here.wait(key, rate, 5.0) for key in same] == [0.0] * 3
    assert [there.wait(key, rate, 5.0) for key in reversed(same)] == [1.0] * 3


def test_a_full_table_gives_a_place_all_the_same(tmp_path: Path) -> None:
    limits, rate = SharedLimits(tmp_path / "limits"), Rate(1.0, 1)
    for number in range(SLOTS):
        limits.wait(f"{number:012x}", rate, 5.0)
    assert not limits.wait(f"{SLOTS + 3:012x}", rate, 5.0)
    assert limits.wait(f"{SLOTS + 3:012x}", rate, 5.0)


def test_the_file_is_its_owners(tmp_path: Path) -> None:
    SharedLimits(tmp_path / "limits")
    assert (tmp_path / "limits").stat().st_mode & 0o777 == 0o600


def test_processes_that_hammer_at_once_get_what_one_would(tmp_path: Path) -> None:
    words = [sys.executable, "-c", HAMMER, str(tmp_path / "limits")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    processes = [subprocess.Popen(words, text=True, env=os.environ, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    let_in = sum(int(process.communicate("go\n", timeout=30)[0]) for process in processes)
    assert 200 <= let_in <= 1.1 * (500 + 50)  # a burst, and 500 for each second that both ran; less where the machine is busy


def test_failures_are_forgotten_when_there_are_too_many_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lockgate.boundary.limits.MOST_PEERS", 2)
    failures = Failures(Rate(0.1, 1))
    assert [bool(failures.wait(peer, 0.0)) for peer in ("a", "a", "b", "c", "a")] == [False, True, False, False, False]


def test_addresses_of_ipv4_in_ipv6_are_as_different_as_they_are() -> None:
    failures = Failures(Rate(0.1, 1))
    peers = ["[::ffff:10.0.0.1]", "[::ffff:10.0.0.2]", "10.0.0.2", "[2001:db8::1]", "[2001:db8::2]"]
    assert [bool(failures.wait(peer, 0.0)) for peer in peers] == [False, False, True, False, True]
