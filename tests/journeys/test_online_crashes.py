"""Whatever happens to a learner, the same lessons make the same checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.boundary.manifest import decode
from lockgate.kernel.errors import Unavailable
from lockgate.ports.state import Writer
from lockgate.testing.learners import RUNTIME, MemoryLearners
from lockgate.testing.state import MemoryState
from lockgate.usecases.learn_lessons import learn_lessons
from lockgate.usecases.live_models import LiveModels
from lockgate.usecases.replay_learning import replay_learning
from tests.journeys.online import (
    EVERY,
    Stream,
    begin,
    learned_alone,
)


class Faulty(MemoryState):
    """Fails at the end of the n-th transaction from when it is told to: nothing of it is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.fails_in = 0

    @contextmanager
    def write(self) -> Iterator[Writer]:
        with super().write() as tx:
            yield tx
            self.fails_in -= 1
            if self.fails_in == 0:
                raise Unavailable("the disk is full")


ROWS = Stream().rows(430)
ONCE = learned_alone(ROWS)


@settings(max_examples=25)
@given(
    cuts=st.lists(st.integers(1, 429), max_size=6),
    size=st.integers(1, 7),
    troubles=st.lists(st.sampled_from(["", "restart", "crash", "two"]), min_size=7, max_size=7),
)
def test_portions_restarts_and_crashes_make_the_same_checkpoints(cuts: list[int], size: int, troubles: list[str]) -> None:
    state = Faulty()
    service = begin(state=state)
    edges = sorted({0, 430, *cuts})
    for start, end, trouble in zip(edges, edges[1:], troubles, strict=False):
        service.log(ROWS[start:end], size)
        state.fails_in = 1 if trouble == "crash" else 0
        if trouble == "two":
            learn_lessons(service.world, LiveModels())
        if trouble == "crash":
            with pytest.raises(Unavailable):
                service.learn()
        if trouble == "restart":
            service.models = LiveModels()
        service.learn()
    made = [decode(service.world.artifacts.get(one.digest), one.digest) for one in service.checkpoints]
    assert [one.files[0].digest for one in made] == ONCE
    assert all(one.same for one in replay_learning(service.world, "m", service.checkpoints[-1].version))
    assert service.learning.learned == 430


def test_of_two_learners_at_once_one_wins() -> None:
    service = begin()
    service.log(service.stream.rows(EVERY))
    other = LiveModels()

    class Slow(MemoryLearners):
        """While it opens the package, the other learner takes its whole turn."""

        def open(self, *given: Any) -> Any:
            service.world.learners[RUNTIME] = MemoryLearners()  # type: ignore[index]
            while learn_lessons(service.world, other):
                pass
            return super().open(*given)

    service.world.learners[RUNTIME] = Slow()  # type: ignore[index]
    service.learn()
    assert len(service.checkpoints) == 1
    assert service.learning.learned == EVERY
