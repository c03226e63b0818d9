"""A data plane on another machine shows a key of its own, which can be revoked without the others noticing."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.boundary.key_file import KEY_FILE, KeyFile
from lockgate.boundary.keys import KeyScope
from lockgate.entrypoints.api.app import create_app
from lockgate.testing.clock import VirtualClock
from tests.samples.asgi import TOKEN, Client
from tests.samples.story import Story
from tests.unit.serving.key_desk import KeyDesk


@pytest.fixture
def desk(empty: Story, tmp_path: Path) -> KeyDesk:
    clock = empty.world.clock
    assert isinstance(clock, VirtualClock)
    return KeyDesk(tmp_path, clock)


@pytest.fixture
def remote(empty: Story, desk: KeyDesk) -> Client:
    return Client(create_app(empty.world, home=None, control_token=TOKEN, keys=KeyFile(desk.folder / KEY_FILE)))


def status(client: Client, text: str) -> int:
    return client.get("/control/v1/routes", {"authorization": f"Bearer {text}"}).status


def test_a_key_for_the_control_channel_opens_it_until_it_is_revoked(remote: Client, desk: KeyDesk) -> None:
    mine, other = desk.add("mine", KeyScope.CONTROL), desk.add("other", KeyScope.CONTROL)
    assert [status(remote, text) for text in (mine, other, TOKEN)] == [204, 204, 204]
    desk.revoke("mine", desk.clock.now())
    assert [status(remote, text) for text in (mine, other, TOKEN)] == [401, 204, 204]


def test_no_other_key_does(remote: Client, desk: KeyDesk) -> None:
    others = [scope for scope in KeyScope if scope is not KeyScope.CONTROL]
    assert status(remote, desk.add("all but one", *others)) == 401
    text = desk.add("soon gone", KeyScope.CONTROL, lifetime=1.0)
    assert status(remote, text[:-1]) == 401
    assert status(remote, text) == 204
    desk.clock.advance(1.0)
    assert status(remote, text) == 401


def test_a_broken_file_leaves_the_control_token_as_it_was(remote: Client, desk: KeyDesk) -> None:
    mine = desk.add("mine", KeyScope.CONTROL)
    assert status(remote, mine) == 204
    desk.store.path.write_text("{")
    assert [status(remote, text) for text in (mine, TOKEN, "wrong")] == [204, 204, 401]
