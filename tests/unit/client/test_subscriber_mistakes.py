"""A program that names the wrong key, channel or folder hears it at once, and why."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest

from lockgate.client import Subscriber
from lockgate.client.faults import Faults
from lockgate.kernel.errors import Invalid, Unavailable
from lockgate.testing.signer import KeySigner
from tests.samples.followed import House
from tests.unit.client.following import asked, following, until


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path / "house")
    house.publish(1, 1)
    return house


@pytest.mark.parametrize(
    ("channel", "source", "stranger", "told"),
    [
        ("tripled@staging", "house", False, "is not there"),
        ("tripled@production", "nowhere", False, "nowhere.* is not there"),
        ("tripled@production", "house", True, "none of the 1 trusted keys"),
    ],
)
def test_what_no_waiting_mends_is_told_at_once(
    house: House, tmp_path: Path, channel: str, source: str, told: str, *, stranger: bool
) -> None:
    keys = KeySigner("stranger").public_key if stranger else house.key
    begun = time.monotonic()
    with pytest.raises(Unavailable, match=told):
        Subscriber(channel, tmp_path / source, keys=keys, folder=tmp_path / "kept").start(30.0)
    assert time.monotonic() - begun < 10.0


def test_what_may_mend_itself_is_waited_for(house: House, tmp_path: Path) -> None:
    path = house.channels.path(house.channel)
    good = path.read_bytes()
    path.write_bytes(b"{")
    with following(house, tmp_path / "kept", on_fault=lambda _fault: path.write_bytes(good) and None) as model:
        assert asked(model) == 1


@pytest.mark.parametrize(("keys", "told"), [("", "no key was given"), (" ", "no key was given"), ("empty", "names no key")])
def test_no_key_is_said_to_be_none(house: House, tmp_path: Path, keys: str, told: str) -> None:
    path = tmp_path / "empty"
    path.write_text("# none yet\n")
    with pytest.raises(Invalid, match=told):
        Subscriber(house.channel, house.folder, keys=path if keys == "empty" else keys, folder=tmp_path / "kept")


def test_the_line_of_the_log_says_why(house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(Unavailable):
        Subscriber(house.channel, tmp_path / "nowhere", keys=house.key, folder=tmp_path / "kept").start(30.0)
    assert any("following hindered" in line and "is not there" in line for line in caplog.messages)


def test_what_begins_after_its_end_is_no_fault(house: House, tmp_path: Path) -> None:
    told: list[str] = []
    with following(house, tmp_path / "kept", on_fault=told.append) as model:
        faults: Faults = model._faults
    faults.begin("source", "broken off")
    assert (model.faults, told) == ((), [])


def test_a_changed_file_of_keys_is_seen_long_before_the_next_look_at_the_channel(house: House, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"{house.key}\n{KeySigner('other').public_key}\n")
    with following(house, tmp_path / "kept", keys=keys, interval=600.0) as model:
        with keys.open("a") as file:
            file.write(f"revoked {house.key}\n")
        until(lambda: any("goes on answering" in fault for fault in model.faults), seconds=3.5)
        assert asked(model) == 1


def test_an_answer_says_by_which_version_and_whether_in_place_of_another(house: House, tmp_path: Path) -> None:
    house.publish(2, house.route(1, house.arm(9, weight=0.5)))
    with following(house, tmp_path / "kept") as model:
        until(lambda: model.standing.ready == (1, 9))
        found = [model.answer({"x": 1e38}) for _ in range(50)]  # nine times as much is no FP32 number
    assert {(one.version, one.fallback, one.prediction_ids) for one in found} == {(1, False, ()), (1, True, ())}
