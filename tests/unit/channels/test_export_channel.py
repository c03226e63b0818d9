"""A channel laid down in a folder is all that a subscriber needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.boundary.pointers import publish
from lockgate.integrations.local.channels import LocalChannels
from lockgate.kernel.errors import Corrupt, NotFound, Refused
from lockgate.usecases.export_channel import Exported, export_channel
from tests.samples.followed import CHANNEL, House
from tests.unit.client.following import asked, following


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "home")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "site"


def export(house: House, site: Path, channel: str = CHANNEL) -> Exported:
    return export_channel(channel, house.channels, house.artifacts, LocalChannels(site / "channels"), site / "artifacts")


def test_the_folder_can_be_followed_and_what_is_there_is_not_written_again(house: House, site: Path, tmp_path: Path) -> None:
    house.publish(1, 1)
    assert export(house, site).new == 3  # manifest, model, provenance
    assert export(house, site).new == 0
    with following(house, tmp_path / "kept", source=site) as model:
        assert asked(model) == 1
    house.artifacts.put(b"an evaluation")
    house.publish(2, house.route(2, house.arm(1)))
    done = export(house, site)
    assert (done.new, done.pointer.revision.n) == (3, 2)
    assert len(list((site / "artifacts").glob("??/*"))) == 6  # and nothing that no channel names


def test_what_was_interrupted_is_completed_and_a_pointer_names_nothing_that_is_not_there(house: House, site: Path) -> None:
    house.publish(1, 1)
    path = house.artifacts.path(house.releases[1].provenance)
    content = path.read_bytes()
    path.unlink()
    with pytest.raises(NotFound, match="no artifact"):
        export(house, site)
    assert LocalChannels(site / "channels").names() == []
    path.write_bytes(content)
    assert export(house, site).new == 1


def test_what_is_damaged_is_not_laid_down(house: House, site: Path) -> None:
    house.publish(1, 1)
    path = house.artifacts.path(house.releases[1].provenance)
    path.chmod(0o600)
    path.write_bytes(b"x")
    with pytest.raises(Corrupt):
        export(house, site)
    assert not list((site / "artifacts").glob("*/.unfinished*"))


def test_a_folder_that_is_ahead_is_left(house: House, site: Path) -> None:
    house.publish(2, 1)
    export(house, site)
    house.put(publish(house.pointer(1, house.route(1)), house.signer))
    with pytest.raises(Refused, match=r"revision 0\.1 here, and the folder has 0\.2"):
        export(house, site)


def test_a_channel_that_is_not_there_is_told_with_those_that_are(house: House, site: Path) -> None:
    house.publish(1, 1)
    with pytest.raises(NotFound, match=CHANNEL):
        export(house, site, "other@production")
