"""A subscriber that hears nothing of its channel for long goes on, but nobody meets a canary that nobody watches."""

from __future__ import annotations

import time
from math import nan
from pathlib import Path

import pytest

from lockgate.boundary.routes import Role
from lockgate.client import Subscriber
from lockgate.client.answering import Observed
from lockgate.kernel.errors import Invalid
from lockgate.testing.clock import VirtualClock
from tests.samples.followed import House
from tests.unit.client.following import asked, following, until


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path / "house")
    house.publish(1, house.route(1, house.arm(2, weight=0.5), house.arm(3, Role.HELD_BACK, 0.25)))
    return house


def met(model: Subscriber) -> set[float]:
    return {asked(model) for _ in range(100)}


def test_a_canarys_share_goes_to_the_champion_until_the_source_is_heard_again(house: House, tmp_path: Path) -> None:
    clock, seen, told = VirtualClock(), list[Observed](), list[str]()
    with following(house, tmp_path / "kept", clock=clock, observer=seen.append, on_fault=told.append) as model:
        assert met(model) == {1, 2, 3}
        pointer = house.channels.path(house.channel)
        content = pointer.read_bytes()
        pointer.unlink()
        until(lambda: model.faults)
        clock.advance(29.0)
        assert met(model) == {1, 2, 3}
        clock.advance(1.1)
        seen.clear()
        assert met(model) == {1, 3}  # what is held back keeps its share, as at the gateway
        assert not any(one.assignment.judged for one in seen)
        until(lambda: any("nothing was heard" in fault for fault in model.faults))
        house.put(content)
        until(lambda: model.faults == ())
        assert met(model) == {1, 2, 3}
    assert len(told) == len(set(told))


def test_what_is_refused_is_no_word_of_the_channel(house: House, tmp_path: Path) -> None:
    clock = VirtualClock()
    with following(house, tmp_path / "kept", clock=clock) as model:
        house.put(b"{}")
        until(lambda: model.faults)
        clock.advance(31.0)
        until(lambda: len(model.faults) == 2)
        assert met(model) == {1, 3}


def test_of_a_source_that_is_asked_seldom_three_answers_must_be_missing(house: House, tmp_path: Path) -> None:
    """The thread sleeps here for all the test: each prediction looks at the clock itself."""
    clock = VirtualClock()
    with following(house, tmp_path / "kept", clock=clock, interval=600.0) as model:
        clock.advance(1799.0)
        assert met(model) == {1, 2, 3}
        clock.advance(2.0)
        assert met(model) == {1, 3}
        assert model.version == 1


def test_a_shorter_silence_makes_it_ask_more_often(house: House, tmp_path: Path) -> None:
    with following(house, tmp_path / "kept", interval=600.0, silence=0.6) as model:
        time.sleep(1.0)
        assert met(model) == {1, 2, 3}
        assert model.faults == ()


def test_who_was_closed_hears_nothing(house: House, tmp_path: Path) -> None:
    clock = VirtualClock()
    with following(house, tmp_path / "kept", clock=clock) as model:
        pass
    assert met(model) == {1, 2, 3}
    clock.advance(31.0)
    assert met(model) == {1, 3}


@pytest.mark.parametrize("what", ["interval", "silence"])
@pytest.mark.parametrize("seconds", [0.0, -1.0, nan])
def test_seconds_that_are_none_are_refused(house: House, tmp_path: Path, what: str, seconds: float) -> None:
    settings = {what: seconds}
    with pytest.raises(Invalid, match=what):
        Subscriber(house.channel, house.folder, keys=house.key, folder=tmp_path / "kept", **settings)  # type: ignore[arg-type]
