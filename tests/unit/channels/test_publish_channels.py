"""A channel's pointer follows from what stands where, is signed, and never goes backwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs

from lockgate.boundary.pointers import follow, publish
from lockgate.boundary.routes import Arm, Revision, Role, Route, RouteTable, Shadow
from lockgate.boundary.trust import trusting
from lockgate.domain.models import Stage
from lockgate.integrations.local.channels import LocalChannels
from lockgate.kernel.errors import Corrupt, Invalid
from lockgate.ports.state import ROUTES, VERSIONS, PublishedRoutes
from lockgate.stages.deliver.channels import channels
from lockgate.testing import builders as a
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.channels import MemoryChannels
from lockgate.testing.clock import VirtualClock
from lockgate.testing.signer import KeySigner
from lockgate.testing.state import MemoryState
from lockgate.usecases.publish_channels import ChannelPublisher, signers, standing_pointer
from lockgate.usecases.publish_routes import publish_routes
from lockgate.usecases.world import World

PRODUCTION, STAGING = f"{a.MODEL}@production", f"{a.MODEL}@staging"
SIGNER = KeySigner()


class Desk:
    def __init__(self, signer: KeySigner = SIGNER) -> None:
        self.world = World(MemoryState(), MemoryArtifacts(), VirtualClock())
        self.store = MemoryChannels()
        self.publisher = ChannelPublisher(self.world, signer, self.store)

    def stand(self, **stages: Stage) -> list[str]:
        """v1=Stage.PRODUCTION, …: publishes routes and channels; the channels that were published."""
        with self.world.state.write() as tx:
            for name, stage in stages.items():
                number = int(name[1:])
                papers = {"provenance": a.digest(f"provenance {number}"), "sbom": a.digest(f"sbom {number}")}
                tx.put(VERSIONS, a.version(number, stage=stage, **papers))
            publish_routes(tx, a.MODEL)
        return self.turn()

    def turn(self) -> list[str]:
        return [one.channel for one in self.publisher.turn()]

    def arms(self, channel: str) -> list[tuple[int, str, float]]:
        found = standing_pointer(self.store, channel)
        assert found is not None
        return [(arm.version, arm.role.value, arm.weight) for arm in found.route.arms]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_production_is_the_route_and_staging_one_of_its_own(desk: Desk) -> None:
    assert sorted(desk.stand(v1=Stage.PRODUCTION, v2=Stage.STAGING, v3=Stage.STAGING)) == [PRODUCTION, STAGING]
    assert desk.arms(PRODUCTION) == [(1, "champion", 1.0), (2, "pinned", 0.0), (3, "pinned", 0.0)]
    assert desk.arms(STAGING) == [(3, "champion", 1.0), (2, "pinned", 0.0)]
    content = desk.store.read(PRODUCTION)
    assert content is not None
    pointer = follow(content, PRODUCTION, trusting([SIGNER.public_key]))
    assert [(one.version, one.digest) for one in pointer.releases] == [(n, a.digest(f"package {n}")) for n in (1, 2, 3)]
    assert pointer.releases[0].sbom == a.digest("sbom 1")
    assert [arm.provenance for arm in pointer.route.arms] == [one.provenance for one in pointer.releases]
    assert pointer.issued_at == desk.world.clock.unix()


def test_nothing_is_published_again_while_nothing_moves(desk: Desk) -> None:
    desk.stand(v1=Stage.PRODUCTION)
    before = desk.store.read(PRODUCTION)
    assert desk.turn() == []
    assert ChannelPublisher(desk.world, SIGNER, desk.store).turn() == []  # after a restart of the controller
    with desk.world.state.write() as tx:  # another model moves, and with it the revision
        tx.put(VERSIONS, a.version(1, model="other", stage=Stage.PRODUCTION))
        publish_routes(tx, "other")
    assert desk.turn() == ["other@production"]
    assert desk.store.read(PRODUCTION) == before


def test_a_move_is_published_with_a_higher_revision(desk: Desk) -> None:
    desk.stand(v1=Stage.PRODUCTION)
    assert desk.stand(v1=Stage.ARCHIVED, v2=Stage.PRODUCTION) == [PRODUCTION]
    found = standing_pointer(desk.store, PRODUCTION)
    assert found is not None
    assert found.revision == Revision(0, 2)


def test_what_is_left_by_all_versions_says_so_and_does_not_point_at_what_was_withdrawn(desk: Desk) -> None:
    desk.stand(v1=Stage.PRODUCTION, v2=Stage.STAGING)
    assert sorted(desk.stand(v1=Stage.ARCHIVED, v2=Stage.ARCHIVED)) == [PRODUCTION, STAGING]
    assert desk.arms(PRODUCTION) == desk.arms(STAGING) == []
    assert desk.turn() == []


def test_a_version_that_is_signed_later_is_published_again_under_the_same_revision(desk: Desk) -> None:
    desk.stand(v1=Stage.PRODUCTION)
    first = standing_pointer(desk.store, PRODUCTION)
    with desk.world.state.write() as tx:
        tx.put(VERSIONS, a.version(1, stage=Stage.PRODUCTION, provenance=a.digest("another paper")))
    assert desk.turn() == [PRODUCTION]
    second = standing_pointer(desk.store, PRODUCTION)
    assert first is not None
    assert second is not None
    assert second.revision == first.revision
    assert second.issued_at > first.issued_at  # though the clock stood still: of the two the later one counts
    assert second.route.arms[0].provenance == second.releases[0].provenance == a.digest("another paper")


def test_an_older_pointer_is_never_laid_over_a_newer_one(desk: Desk) -> None:
    desk.stand(v1=Stage.PRODUCTION)
    found = standing_pointer(desk.store, PRODUCTION)
    assert found is not None
    newer = publish(structs.replace(found, revision=Revision(0, 99)), SIGNER)
    desk.store.write(PRODUCTION, newer)
    assert desk.stand(v1=Stage.ARCHIVED, v2=Stage.PRODUCTION) == []
    assert desk.store.read(PRODUCTION) == newer


class Slow(KeySigner):
    """A key in another machine: while it signs, something else happens."""

    meanwhile: list[Callable[[], object]] = []  # noqa: RUF012 - shared on purpose; the signer is frozen

    def sign(self, content: bytes) -> str:
        while self.meanwhile:
            self.meanwhile.pop()()
        return super().sign(content)


def test_what_was_signed_is_not_published_when_something_moved_meanwhile() -> None:
    desk = Desk(Slow())
    other = ChannelPublisher(desk.world, SIGNER, desk.store)
    desk.stand(v1=Stage.PRODUCTION)

    def move() -> None:
        with desk.world.state.write() as tx:
            tx.put(VERSIONS, a.version(2, stage=Stage.ARCHIVED))
            tx.put(VERSIONS, a.version(3, stage=Stage.PRODUCTION))
            publish_routes(tx, a.MODEL)
        other.turn()

    Slow.meanwhile.append(move)
    assert desk.stand(v1=Stage.ARCHIVED, v2=Stage.PRODUCTION) == []  # it would have been laid over what came meanwhile
    assert desk.arms(PRODUCTION)[0] == (3, "champion", 1.0)


def test_what_is_damaged_lost_or_signed_by_a_former_key_is_published_again(desk: Desk) -> None:
    desk.stand(v1=Stage.PRODUCTION)
    desk.store.write(PRODUCTION, b"{")
    other = ChannelPublisher(desk.world, SIGNER, desk.store)
    assert [one.channel for one in other.turn()] == [PRODUCTION]
    renewed = KeySigner("renewed")
    assert [one.channel for one in ChannelPublisher(desk.world, renewed, desk.store).turn()] == [PRODUCTION]
    content = desk.store.read(PRODUCTION) or b""
    assert follow(content, PRODUCTION, trusting([renewed.public_key])).revision == Revision(0, 1)
    assert signers(b"{") == ()


def test_a_route_to_what_the_registry_has_not_is_told_and_keeps_no_other_channel_back(desk: Desk) -> None:
    desk.stand(v1=Stage.PRODUCTION)
    gone = Route("gone", (Arm(7, a.digest("gone"), Role.CHAMPION, 1.0),))
    with desk.world.state.write() as tx:
        stands = Route("zebra", (Arm(1, a.digest("package 1"), Role.CHAMPION, 1.0),))
        tx.put(VERSIONS, a.version(1, model="zebra", stage=Stage.PRODUCTION))
        tx.put(ROUTES, PublishedRoutes(RouteTable(Revision(0, 2), (gone, stands))))
    with pytest.raises(Corrupt, match="gone@production names version 7"):
        desk.turn()
    assert "zebra@production" in desk.store.names()


def test_shadows_and_routes_without_a_champion_are_not_followed() -> None:
    arm = Arm(1, a.digest("1"), Role.CHAMPION, 1.0)
    shadowed = Route("m", (arm,), shadows=(Shadow(2, a.digest("2")),), learns=True)
    table = RouteTable(Revision(0, 1), (shadowed, Route("n", (structs.replace(arm, role=Role.PINNED),))))
    assert channels(table, ()) == {"m@production": Route("m", (arm,))}


def test_a_model_whose_name_no_channel_can_bear_has_none(desk: Desk) -> None:
    with desk.world.state.write() as tx:
        tx.put(VERSIONS, a.version(1, model="with blanks", stage=Stage.STAGING))
    assert desk.turn() == []


def test_the_folder_holds_each_pointer_whole_or_not_at_all(tmp_path: Path) -> None:
    store = LocalChannels(tmp_path / "channels")
    assert (list(store.names()), store.read(PRODUCTION)) == ([], None)
    for content in (b"1", b"22"):
        store.write(PRODUCTION, content)
        assert store.read(PRODUCTION) == content
    (store.folder / ".unfinished-x@y.json").write_bytes(b"left by who was killed")
    (store.folder / "no channel@y z.json").write_bytes(b"")
    assert store.names() == [PRODUCTION]
    assert oct(store.path(PRODUCTION).stat().st_mode)[-3:] == "644"
    for name in ("../../x", "a/b@c", "x"):
        with pytest.raises(Invalid, match="MODEL@ENVIRONMENT"):
            store.write(name, b"")
