"""One run for several requests: everybody gets the own answer, a fault stays where it came from, and nobody waits in vain."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.kernel.errors import Invalid
from lockgate.runtimes.model import Array, RuntimeFailure
from lockgate.serving.isolation.batching import LATE, Answered, Failed, Result, Runner, Work, work_of
from lockgate.testing.clock import VirtualClock

FOREVER = 1e9


class Picky:
    """Doubles its input; what it does on a poisoned row is the test's. runs: the rows of each run."""

    def __init__(self, poison: Callable[[Sequence[float]], None] = lambda _: None) -> None:
        self._poison = poison
        self.runs: list[list[float]] = []

    def run(self, feeds: Mapping[str, Array]) -> Sequence[Array]:
        values = feeds["x"][:, 0].tolist()
        self.runs.append(values)
        self._poison(values)
        return [2.0 * feeds["x"]]


def raising_on(*poisoned: float) -> Picky:
    def poison(values: Sequence[float]) -> None:
        if set(values) & set(poisoned):
            raise ValueError("poisoned\nat great length")

    return Picky(poison)


class Requests:
    """Requests of one row each, or several, and what became of them."""

    def __init__(self, *rows: Sequence[float], deadlines: Sequence[float] = ()) -> None:
        self.results: list[list[Result]] = [[] for _ in rows]
        self.work = [self._work(index, values, deadlines) for index, values in enumerate(rows)]

    def _work(self, index: int, values: Sequence[float], deadlines: Sequence[float]) -> Work:
        deadline = deadlines[index] if deadlines else FOREVER
        feeds = {"x": np.array(values, float).reshape(-1, 1)}
        return work_of(feeds, 0.0, deadline, self.results[index].append)

    def run(self, model: Picky, clock: VirtualClock | None = None) -> None:
        def reply(results: Sequence[tuple[Work, Result]]) -> None:
            for work, result in results:
                work.reply(result)

        Runner(model, clock or VirtualClock()).run(self.work, reply)

    @property
    def answers(self) -> list[list[float] | str]:
        """Each exactly one: its scores, or the kind of its failure."""
        return [_told(result) for (result,) in self.results]


def _told(result: Result) -> list[float] | str:
    return result.kind if isinstance(result, Failed) else result.outputs[0][:, 0].tolist()


@given(st.lists(st.lists(st.floats(-100, 100), min_size=1, max_size=4), min_size=1, max_size=12))
def test_everybody_gets_the_own_rows_out_of_one_run(rows: list[list[float]]) -> None:
    requests, model = Requests(*rows), Picky()
    requests.run(model)
    assert requests.answers == [[2.0 * value for value in values] for values in rows]
    assert len(model.runs) == 1


@pytest.mark.parametrize("size", [2, 3, 8, 31, 32])
def test_one_poisoned_request_fails_alone_and_costs_few_runs(size: int) -> None:
    for poisoned in range(size):
        requests, model = Requests(*([float(number)] for number in range(size))), raising_on(poisoned)
        requests.run(model)
        assert requests.answers == [[2.0 * number] if number != poisoned else "error" for number in range(size)]
        assert len(model.runs) - 1 <= 2 * math.ceil(math.log2(size))


@given(st.sets(st.integers(0, 15)))
def test_several_poisoned_requests_fail_alone_within_a_bound(poisoned: set[int]) -> None:
    requests, model = Requests(*([float(number)] for number in range(16))), raising_on(*poisoned)
    requests.run(model)
    assert requests.answers == [[2.0 * number] if number not in poisoned else "error" for number in range(16)]
    assert len(model.runs) <= 2 * 16 - 1


def test_a_fault_is_told_by_its_first_line() -> None:
    requests = Requests([1.0])
    requests.run(raising_on(1.0))
    assert requests.results[0] == [Failed("error", "ValueError: poisoned")]


def fail(error: BaseException) -> Picky:
    def poison(_: Sequence[float]) -> None:
        raise error

    return Picky(poison)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (SystemExit(1), "error"),
        (MemoryError(), "error"),
        (RuntimeFailure("bad", kind="output"), "output"),
        (RuntimeFailure("late", kind="timeout"), "timeout"),
        (RuntimeFailure("a lie: it lives", kind="crashed"), "error"),
    ],
)
def test_whatever_a_model_raises_is_a_failure_of_one_of_the_kinds(error: BaseException, kind: str) -> None:
    requests = Requests([1.0])
    requests.run(fail(error))
    assert requests.answers == [kind]


def test_that_memory_ran_out_is_told_also_in_a_runtimes_words() -> None:
    wrapped = RuntimeFailure("onnxruntime: no")
    wrapped.__cause__ = MemoryError()
    for error, exhausted in ((MemoryError(), True), (wrapped, True), (ValueError(), False)):
        outcome = Runner(fail(error), VirtualClock()).run(Requests([1.0]).work, lambda _: None)
        assert outcome.exhausted is exhausted


class Dropping(Picky):
    """Answers fewer rows than it was asked, if one of them is 13: as models do that drop what is missing."""

    def run(self, feeds: Mapping[str, Array]) -> Sequence[Array]:
        (scores,) = super().run(feeds)
        return [scores[scores != 26.0].reshape(-1, 1)]


def test_a_request_that_confuses_the_rows_confuses_nobody_elses() -> None:
    requests, model = Requests(*([float(number)] for number in range(16))), Dropping()
    requests.run(model)
    assert requests.answers == [[2.0 * number] if number != 13 else [] for number in range(16)]
    assert len(model.runs) - 1 <= 2 * 4


class Slow(Picky):
    def __init__(self, clock: VirtualClock, seconds: float, poison: Callable[[Sequence[float]], None]) -> None:
        super().__init__(poison)
        self._clock, self._seconds = clock, seconds

    def run(self, feeds: Mapping[str, Array]) -> Sequence[Array]:
        self._clock.advance(self._seconds)
        return super().run(feeds)


def test_what_is_past_its_deadline_is_answered_and_not_run() -> None:
    requests, model, clock = Requests([1.0], [2.0], deadlines=(5.0, 15.0)), Picky(), VirtualClock()
    clock.advance(5.0)
    requests.run(model, clock)
    assert requests.results[0] == [LATE]
    assert requests.answers[1] == [4.0]
    assert model.runs == [[2.0]]


def test_deadlines_hold_while_a_fault_is_being_looked_for() -> None:
    """Halving takes time too: who is late by then is not run again."""
    clock = VirtualClock()
    model = Slow(clock, 1.0, raising_on(0.0)._poison)
    requests = Requests(*([float(number)] for number in range(4)), deadlines=(1.5, 2.5, 2.5, FOREVER))
    requests.run(model, clock)
    assert requests.answers == ["timeout", [2.0], "timeout", [6.0]]
    assert [len(run) for run in model.runs] == [4, 2, 1, 1]


def test_seconds_are_those_of_the_run() -> None:
    clock = VirtualClock()
    requests = Requests([1.0], [2.0])
    requests.run(Slow(clock, 0.25, lambda _: None), clock)
    assert [result.seconds for (result,) in requests.results if isinstance(result, Answered)] == [0.25, 0.25]


@pytest.mark.parametrize(
    "feeds", [{}, {"x": np.ones((0, 1))}, {"x": np.ones((1, 1)), "y": np.ones((2, 1))}, {"x": np.array(1.0)}]
)
def test_inputs_without_rows_or_of_different_lengths_are_no_request(feeds: dict[str, Array]) -> None:
    with pytest.raises(Invalid, match="rows"):
        work_of(feeds, 0.0, FOREVER, lambda _: None)


def test_only_requests_of_one_shape_may_share_a_run() -> None:
    def shape(array: Array) -> object:
        return work_of({"x": array}, 0.0, FOREVER, lambda _: None).shape

    assert shape(np.ones((1, 3))) == shape(np.ones((9, 3)))
    assert (
        len({shape(np.ones((1, 3))), shape(np.ones((1, 4))), shape(np.ones((1, 3), np.float32)), shape(np.ones((1, 3, 1)))}) == 4
    )
