"""When a batch goes and how large it is: the arithmetic, and what comes of it in a real queue on a loop whose time is virtual."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from statistics import mean
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.serving.isolation.batcher import Batcher
from lockgate.serving.isolation.batching import Answered, Failed, Outcome, Result, Runner, Work, work_of
from lockgate.serving.isolation.pace import Limits, Pace, Ran, Waiting, after, first, wait
from lockgate.testing.clock import VirtualClock

LIMITS = Limits(objective=0.1, window=0.01, step=16, first_rows=32)
times = st.floats(0.0, 10.0)


def waiting(requests: int = 1, **changes: Any) -> Waiting:
    told: dict[str, Any] = {"rows": requests, "bytes": 8, "gathered": True, "since": 0.0, "oldest": 0.0, "nearest": 100.0}
    return Waiting(requests=requests, **told | changes)


@given(pace=st.builds(Pace, times, times, times), now=times, requests=st.integers(1, 9))
def test_a_request_that_finds_the_model_idle_is_never_delayed(pace: Pace, now: float, requests: int) -> None:
    assert wait(pace, LIMITS, waiting(requests, gathered=False), now) == 0.0


def test_a_batch_waits_for_the_company_that_usually_comes_and_no_longer() -> None:
    pace = Pace(rows=32, window=0.004, company=3.0)
    assert wait(pace, LIMITS, waiting(2), now=0.001) == pytest.approx(0.003)
    assert wait(pace, LIMITS, waiting(2), now=0.004) == 0.0
    assert wait(pace, LIMITS, waiting(3), now=0.001) == 0.0
    assert wait(pace, LIMITS, waiting(2, rows=32), now=0.001) == 0.0
    assert wait(pace, LIMITS, waiting(2, bytes=LIMITS.bytes), now=0.001) == 0.0


@given(nearest=st.floats(0.0, 1.0), window=times, oldest=st.floats(-1.0, 0.0))
def test_nobody_waits_for_company_past_the_deadline_or_the_objective(nearest: float, window: float, oldest: float) -> None:
    pause = wait(Pace(32, window, 9.0), LIMITS, waiting(2, nearest=nearest, oldest=oldest), now=0.0)
    assert pause <= nearest / 2
    assert pause <= max(0.0, oldest + LIMITS.objective / 2)


def ran(requests: int, seconds: float, **changes: Any) -> Ran:
    told: dict[str, Any] = {"rows": requests, "left": 0, "waited": 0.0, "full": False}
    return Ran(requests=requests, seconds=seconds, **told | changes)


def test_batches_grow_by_steps_while_they_are_full_and_quick_and_shrink_by_a_share_when_they_are_slow() -> None:
    pace = first(LIMITS, base=0.001)
    assert pace.rows == 32
    assert after(pace, LIMITS, ran(32, 0.01, full=True)).rows == 48
    assert after(pace, LIMITS, ran(9, 0.01)).rows == 32
    assert after(pace, LIMITS, ran(32, 0.06)).rows == 24
    assert after(pace, LIMITS, ran(8, 0.06)).rows == 6
    assert after(Pace(1.0, 0.0, base=0.1), LIMITS, ran(1, 9.0)).rows == 1
    assert after(Pace(LIMITS.rows, 0.0), LIMITS, ran(1, 0.01, full=True)).rows == LIMITS.rows


def test_batches_do_not_shrink_where_that_would_help_nobody() -> None:
    slow = first(LIMITS, base=0.2)
    assert after(slow, LIMITS, ran(32, 0.2, full=True)).rows == 48
    assert after(slow, LIMITS, ran(32, 0.5)).rows == 24
    assert after(slow, LIMITS, ran(32, 0.01)).base == 0.01
    assert after(slow, LIMITS, ran(1, 0.3)).base > 0.2
    assert after(slow, LIMITS, ran(32, 0.3)).base == 0.2


def test_the_window_halves_when_nobody_came_and_is_never_longer_than_half_a_run() -> None:
    pace = Pace(32, 0.008, company=4.0)
    assert after(pace, LIMITS, ran(2, 0.04, waited=0.008)).window == 0.004
    assert after(pace, LIMITS, ran(4, 0.04, waited=0.002)).window > 0.008
    assert after(pace, LIMITS, ran(4, 0.002)).window == 0.001


def test_company_is_counted_at_once_and_forgotten_soon() -> None:
    pace = after(first(LIMITS), LIMITS, ran(4, 0.01, left=3))
    assert pace.company == 7
    for _ in range(12):
        pace = after(pace, LIMITS, ran(1, 0.01))
    assert pace.company == 1


class VirtualLoop(asyncio.SelectorEventLoop):
    """Sleeps by moving its clock."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(_Jump(clock))
        self._virtual = clock

    def time(self) -> float:
        return self._virtual.monotonic()


class _Jump(selectors.SelectSelector):
    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._clock.advance(timeout or 0.0)
        return super().select(0)


class Machine(Executor):
    """The model's thread: a run takes `fixed` + `each` · rows seconds of virtual time. runs: (when, requests, rows)."""

    def __init__(self, fixed: float, each: float, clock: VirtualClock) -> None:
        self._fixed, self._each, self._clock = fixed, each, clock
        self.runs: list[tuple[float, int, int]] = []
        self.busy_since: float | None = None

    def run(self, batch: Sequence[Work], on_results: Callable[[Sequence[tuple[Work, Result]]], None]) -> Outcome:
        """As batching.Runner."""
        seconds = self._seconds(batch)
        on_results([(work, Answered([work.feeds["x"]], seconds)) for work in batch])
        return Outcome(seconds, whole=True)

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        batch = args[0]
        self.runs.append((self._clock.monotonic(), len(batch), sum(work.rows for work in batch)))
        asyncio.get_running_loop().call_later(self._seconds(batch), lambda: future.set_result(fn(*args)))
        return future

    def _seconds(self, batch: Sequence[Work]) -> float:
        return self._fixed + self._each * sum(work.rows for work in batch)


class Bench:
    """A batcher on a virtual loop, and callers."""

    def __init__(self, fixed: float = 0.01, each: float = 0.0, limits: Limits = LIMITS, **options: Any) -> None:
        self.clock = VirtualClock()
        self.machine = Machine(fixed, each, self.clock)
        self._limits, self._options = limits, options
        self.latencies: list[float] = []

    def play(self, scene: Callable[[Bench], Any]) -> None:
        async def main() -> None:
            runner = cast("Runner", self.machine)
            self.batcher = Batcher(runner, self.machine, self._limits, self.clock, **self._options)
            await scene(self)

        loop = VirtualLoop(self.clock)
        try:
            loop.run_until_complete(main())
        finally:
            loop.close()

    async def ask(self, rows: int = 1, patience: float = 1e9, width: int = 1) -> Result:
        turn: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        now = self.clock.monotonic()
        self.batcher.submit(work_of({"x": np.ones((rows, width))}, now, now + patience, turn.set_result))
        result = await turn
        self.latencies.append(self.clock.monotonic() - now)
        return result

    async def client(self, seconds: float, think: float) -> None:
        """Asks, thinks, and asks again."""
        while self.clock.monotonic() < seconds:
            await self.ask()
            await asyncio.sleep(think)


def test_a_lone_caller_is_answered_in_the_time_of_the_run() -> None:
    bench = Bench()
    bench.play(lambda it: it.client(seconds=5.0, think=0.001))
    assert max(bench.latencies) == pytest.approx(0.01)


def test_two_callers_that_take_turns_are_brought_together() -> None:
    """Without a window each would wait for the run of the other, every time."""

    async def both(it: Bench) -> None:
        await asyncio.gather(it.client(3.0, think=0.001), it.client(3.0, think=0.0012))

    bench, without = Bench(), Bench(limits=Limits(window=0.0))
    bench.play(both)
    without.play(both)
    assert mean(bench.latencies) < 0.75 * mean(without.latencies)
    assert len(bench.latencies) > 1.3 * len(without.latencies)


def test_after_a_crowd_a_lone_caller_is_not_kept_waiting() -> None:
    async def crowd_then_one(it: Bench) -> None:
        await asyncio.gather(*(it.client(1.0, think=0.001) for _ in range(8)))
        it.latencies.clear()
        await it.client(3.0, think=0.001)

    bench = Bench()
    bench.play(crowd_then_one)
    assert max(bench.latencies) == pytest.approx(0.01)


def test_under_load_batches_grow_and_runs_stay_within_half_of_the_objective() -> None:
    bench = Bench(fixed=0.005, each=0.0005)
    bench.play(lambda it: asyncio.gather(*(it.client(20.0, think=0.0) for _ in range(400))))
    late = [rows for when, _, rows in bench.machine.runs if when > 5.0]
    assert max(late) * 0.0005 + 0.005 <= LIMITS.objective / 2 + LIMITS.step * 0.0005
    assert mean(late) > 50  # at 90 rows the objective ends


def test_a_model_that_is_slow_by_itself_is_asked_in_large_batches() -> None:
    bench = Bench(fixed=0.5)
    bench.play(lambda it: asyncio.gather(*(it.ask() for _ in range(300))))
    assert len(bench.machine.runs) < 10


def test_batches_count_rows_and_bytes_and_not_requests() -> None:
    async def crowd(it: Bench) -> None:
        await asyncio.gather(*(it.ask(rows=10) for _ in range(20)))

    bench = Bench(limits=Limits(first_rows=30, step=0))
    bench.play(crowd)
    assert [rows for _, _, rows in bench.machine.runs] == [10, 30, 30, 30, 30, 30, 30, 10]
    narrow = Bench(limits=Limits(bytes=8 * 20))
    narrow.play(crowd)
    assert {rows for _, _, rows in narrow.machine.runs} == {10, 20}
    large = Bench(limits=Limits(rows=4))
    large.play(lambda it: it.ask(rows=100))
    assert large.machine.runs == [(0.0, 1, 100)]  # what is larger than a batch is one by itself


def test_requests_of_different_shapes_and_those_that_must_be_alone_do_not_share_a_run() -> None:
    async def mixed(it: Bench) -> None:
        await asyncio.gather(it.ask(), it.ask(width=2), it.ask(width=2), it.ask())

    bench, alone = Bench(), Bench(alone=True)
    bench.play(mixed)
    alone.play(mixed)
    assert [requests for _, requests, _ in bench.machine.runs] == [1, 2, 1]
    assert [requests for _, requests, _ in alone.machine.runs] == [1, 1, 1, 1]


def test_what_waits_past_its_deadline_is_answered_while_the_model_hangs() -> None:
    async def hang(it: Bench) -> None:
        stuck = asyncio.ensure_future(it.ask())
        await asyncio.sleep(0.1)
        late = asyncio.ensure_future(it.ask(patience=1.0))
        await asyncio.sleep(1.0)
        it.batcher.sweep()
        result = await late
        assert isinstance(result, Failed)
        assert result.kind == "timeout"
        assert it.batcher.queued == 0
        stuck.cancel()

    Bench(fixed=1000.0).play(hang)


def test_the_queue_says_when_it_is_full() -> None:
    async def fill(it: Bench) -> None:
        asked = [asyncio.ensure_future(it.ask()) for _ in range(4)]
        await asyncio.sleep(0)
        assert it.batcher.full
        await asyncio.gather(*asked)
        assert not it.batcher.full

    Bench(limits=Limits(queued_requests=3)).play(fill)
    Bench(limits=Limits(queued_bytes=3 * 8)).play(fill)
