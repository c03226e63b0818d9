"""The learner's turns: by lease, at the pace of what there is to do, and through what fails for a while."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from lockgate.domain.learning import LearningState
from lockgate.entrypoints.learner.__main__ import EVERY, LOOK_EVERY, PAUSE_AFTER_ERROR, Turns, serve
from lockgate.entrypoints.supervisor.up import Addresses, commands
from lockgate.kernel.errors import Unavailable
from lockgate.ports.state import LEASES
from lockgate.usecases.learn_lessons import learn_lessons
from lockgate.usecases.live_models import LiveModels
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world
from tests.journeys.online import Stream, begin

TURN = "lockgate.entrypoints.learner.__main__.learn_lessons"


def test_it_takes_turns_while_there_is_something_and_looks_seldom_when_there_is_not() -> None:
    service = begin()
    turns = Turns(service.world)
    service.log(Stream().rows(1200))
    while service.learning.learned < 1200:
        assert turns.take() == 0.0
    assert turns.take() == EVERY


def test_who_does_not_hold_the_lease_waits() -> None:
    service = begin()
    first, second = Turns(service.world), Turns(service.world)
    service.log(Stream().rows(10))
    assert first.take() == 0.0
    service.log(Stream().rows(10))
    assert second.take() == LOOK_EVERY
    assert service.learning.learned == 10
    service.world.clock.advance(10)  # type: ignore[attr-defined]  # the first one died
    assert [second.take(), second.take()] == [0.0, 0.0]  # it catches up, and goes on
    assert service.learning.learned == 20


def test_a_store_that_is_away_for_a_while_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    service = begin()
    service.log(Stream().rows(10))
    turns = Turns(service.world)

    def away(world: World, models: LiveModels) -> bool:
        raise Unavailable("the database does not answer")

    monkeypatch.setattr(TURN, away)
    assert turns.take() == PAUSE_AFTER_ERROR
    monkeypatch.setattr(TURN, learn_lessons)
    assert turns.take() == 0.0
    assert service.learning.state is LearningState.OPEN
    assert service.learning.learned == 10


def test_told_to_stop_it_ends_and_gives_the_lease_back(tmp_path: Path) -> None:
    home, stopping = Home(tmp_path / "home"), threading.Event()
    thread = threading.Thread(target=serve, args=(home, stopping))
    home.folder.mkdir()
    thread.start()
    stopping.set()
    thread.join(20)
    assert not thread.is_alive()
    with open_world(home).state.read() as tx:
        assert tx.get(LEASES, "learner") is None


def test_a_server_has_one(tmp_path: Path) -> None:
    words = commands(Home(tmp_path), Addresses())["learner"]
    assert words[1:3] == ["-m", "lockgate.entrypoints.learner"]
    assert "--watch-stdin" in words
