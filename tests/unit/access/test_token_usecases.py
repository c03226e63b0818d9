"""Keys are made and revoked in the file and in the audit log together, or in neither."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from lockgate.boundary.key_file import KEY_FILE
from lockgate.boundary.keys import Key, KeyScope, closes
from lockgate.domain.events import Action
from lockgate.integrations.local.keys import LocalKeys
from lockgate.kernel.errors import Conflict, Unavailable
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.builders import ANNA
from lockgate.testing.clock import VirtualClock
from lockgate.testing.state import MemoryState
from lockgate.usecases.create_token import KEEP, Made, Wanted, create_token
from lockgate.usecases.revoke_token import revoke_token
from lockgate.usecases.world import World

DAY = 86400.0


class FullDisk(LocalKeys):
    """Reads, and cannot write."""

    def write(self, keys: Sequence[Key]) -> None:
        raise Unavailable(f"no room for {len(keys)} keys")


@pytest.fixture
def world(state: MemoryState, artifacts: MemoryArtifacts, clock: VirtualClock) -> World:
    return World(state, artifacts, clock)


@pytest.fixture
def keys(tmp_path: Path) -> LocalKeys:
    return LocalKeys(tmp_path / KEY_FILE)


def make(world: World, keys: LocalKeys, name: str, lifetime: float | None = None) -> Made:
    return create_token(world, keys, ANNA, Wanted(name, {KeyScope.INFER}, lifetime=lifetime))


def names(keys: LocalKeys) -> list[str]:
    return [key.name for key in keys.read() or ()]


def actions(world: World) -> list[Action]:
    with world.state.read() as tx:
        return [event.happened.action for event in tx.events()]


def test_what_ended_long_ago_leaves_the_file_and_stays_in_the_audit_log(
    world: World, keys: LocalKeys, clock: VirtualClock
) -> None:
    make(world, keys, "stays")
    make(world, keys, "expires", DAY)
    revoke_token(world, keys, ANNA, make(world, keys, "revoked").key.id)
    clock.advance(KEEP.total_seconds())
    make(world, keys, "a day before")
    assert names(keys) == ["stays", "expires", "revoked", "a day before"]
    clock.advance(timedelta(days=1, seconds=1).total_seconds())
    make(world, keys, "a day after")
    assert names(keys) == ["stays", "a day before", "a day after"]
    assert actions(world).count(Action.TOKEN_CREATED) == 5


def test_the_first_is_the_first_that_opens_the_data_plane(world: World, keys: LocalKeys) -> None:
    apps = [create_token(world, keys, ANNA, Wanted("app", {KeyScope.SUBSCRIBE})) for _ in range(2)]
    assert [made.first for made in (*apps, make(world, keys, "mine"), make(world, keys, "other"))] == [False, False, True, False]


def test_what_ended_long_ago_stays_where_only_it_closes_the_data_plane(
    world: World, keys: LocalKeys, clock: VirtualClock
) -> None:
    for name in ("older", "newer"):
        revoke_token(world, keys, ANNA, make(world, keys, name).key.id)
    clock.advance(2 * KEEP.total_seconds())
    create_token(world, keys, ANNA, Wanted("app", {KeyScope.SUBSCRIBE}))
    assert names(keys) == ["newer", "app"]
    assert closes(keys.read() or ())


def test_a_file_that_cannot_be_written_leaves_no_event(world: World, keys: LocalKeys) -> None:
    made = make(world, keys, "mine")
    for change in (
        lambda: make(world, FullDisk(keys.path), "other"),
        lambda: revoke_token(world, FullDisk(keys.path), ANNA, made.key.id),
    ):
        with pytest.raises(Unavailable):
            change()
    assert actions(world) == [Action.TOKEN_CREATED]
    assert names(keys) == ["mine"]


def test_there_are_so_many_keys_and_no_more(world: World, keys: LocalKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lockgate.integrations.local.keys.MOST_KEYS", 2)
    make(world, keys, "one")
    make(world, keys, "two")
    with pytest.raises(Conflict, match="at most 2"):
        make(world, keys, "three")
    assert names(keys) == ["one", "two"]


def test_a_key_that_expired_can_be_revoked_all_the_same(world: World, keys: LocalKeys, clock: VirtualClock) -> None:
    made = make(world, keys, "mine", DAY)
    clock.advance(2 * DAY)
    assert revoke_token(world, keys, ANNA, made.key.id).revoked_at == clock.now()
