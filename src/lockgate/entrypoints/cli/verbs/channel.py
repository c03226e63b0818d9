"""channel list, channel show, channel publish."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lockgate.entrypoints.cli import Sentences
from lockgate.entrypoints.cli.session import Session, ago, verb

if TYPE_CHECKING:
    from lockgate.boundary.pointers import Pointer
    from lockgate.domain.subscribers import Subscriber
    from lockgate.integrations.local.channels import LocalChannels


@click.group(cls=Sentences)
def channel() -> None:
    """See what running programs follow, as flight-delay@production, and lay it down where they can fetch it."""


@verb("list")
def list_channels(session: Session) -> None:
    """List the channels: where each points, since when, and how many programs follow it."""
    from lockgate.usecases.publish_channels import standing_pointer

    store, now = _published(session), session.world.clock.unix()
    found = [one for name in store.names() if (one := standing_pointer(store, name)) is not None]
    followers = {one.channel: _followers(session, one) for one in found}
    rows = [
        (one.channel, _answering(one), str(one.revision), ago(now - one.issued_at), len(followers[one.channel])) for one in found
    ]
    told = [_told(one, followers[one.channel]) for one in found]
    columns = ("channel", "answers", "revision", "age", "followed by")
    session.answer(told, lambda: session.table("Channels", columns, rows, "none: a version in Staging or Production makes one"))


@verb()
@click.argument("name", metavar="MODEL@ENVIRONMENT")
def show(session: Session, name: str) -> None:
    """Show where a channel points, who signed that, since when, and who follows it."""
    from lockgate.kernel.errors import NotFound
    from lockgate.usecases.publish_channels import signers, standing_pointer

    store = _published(session)
    pointer = standing_pointer(store, name)
    if pointer is None:
        raise NotFound(f"there is no channel {name!r}", hint="See those that there are: lockgate channel list")
    followers, signed_by = _followers(session, pointer), signers(store.read(name) or b"")
    session.answer({**_told(pointer, followers), "signed_by": signed_by}, lambda: _show(session, pointer, followers, signed_by))


def _show(session: Session, pointer: Pointer, followers: list[Subscriber], signed_by: tuple[str, ...]) -> None:
    now = session.world.clock.unix()
    signers = ", ".join(one[:12] for one in signed_by)
    click.echo(f"{pointer.channel}: revision {pointer.revision}, {ago(now - pointer.issued_at)} ago, signed by {signers}")
    arms = [
        (part, arm.version, arm.role.value, f"{arm.weight:.2%}", "yes" if arm.provenance else "no")
        for part, route in [("", pointer.route), *((part.segment, part.route) for part in pointer.route.parts)]
        for arm in route.arms
    ]
    if not any(part for part, *_ in arms):
        session.table("Versions", ("version", "role", "share", "signed"), [row[1:] for row in arms], "nothing answers here")
    else:
        session.table("Versions", ("segment", "version", "role", "share", "signed"), arms)
    rows = [
        (
            one.standing.host,
            str(one.standing.revision),
            one.standing.running if one.standing.running is not None else "none",
            f"{ago(now - one.seen_at)} ago",
            "; ".join(one.standing.faults) or "none",
        )
        for one in followers
    ]
    columns = ("host", "revision", "answers by", "heard of", "faults")
    session.table("Followed by", columns, rows, "nobody that reports")


@verb()
@click.argument("name", metavar="MODEL@ENVIRONMENT")
@click.option(
    "--to", "folder", required=True, type=click.Path(path_type=Path, file_okay=False), help="Where any server serves it."
)
def publish(session: Session, name: str, folder: Path) -> None:
    """Lay a channel down in a folder: its pointer and all that this names, for a web server, a bucket or a synchronised disk."""
    from lockgate.boundary import pointers
    from lockgate.integrations.local.channels import LocalChannels
    from lockgate.usecases.export_channel import export_channel

    target = LocalChannels(folder / pointers.FOLDER)
    done = export_channel(name, _published(session), session.world.artifacts, target, folder / "artifacts")
    told = {"channel": name, "revision": str(done.pointer.revision), "new_artifacts": done.new, "bytes": done.size}
    said = f"{name}: revision {done.pointer.revision} in {folder}, {done.new} new artifacts, {done.size:,} bytes"
    session.answer(told, lambda: click.echo(said))


def _published(session: Session) -> LocalChannels:
    """The home's channels as they follow from its state now, whether a controller runs or not."""
    from lockgate.integrations.local.channels import LocalChannels
    from lockgate.usecases.publish_channels import ChannelPublisher
    from lockgate.wiring.signer import open_release_signer

    store = LocalChannels(session.home.channels)
    ChannelPublisher(session.world, open_release_signer(session.home), store).turn()
    return store


def _followers(session: Session, pointer: Pointer) -> list[Subscriber]:
    from lockgate.ports.state import SUBSCRIBERS

    with session.world.state.read() as tx:
        found = tx.find(SUBSCRIBERS, model=pointer.route.model)
    return [one for one in found if one.standing.channel == pointer.channel]


def _answering(pointer: Pointer) -> str:
    """`4 (90%), 5 (10%)`."""
    shares = [(arm.version, arm.weight) for arm in pointer.route.arms if arm.weight > 0]
    return ", ".join(f"{version} ({weight:.0%})" if weight < 1 else str(version) for version, weight in shares) or "nothing"


def _told(pointer: Pointer, followers: list[Subscriber]) -> dict[str, Any]:
    """For machines."""
    return {
        "channel": pointer.channel,
        "revision": str(pointer.revision),
        "issued_at": datetime.fromtimestamp(pointer.issued_at, UTC),
        "route": pointer.route,
        "releases": pointer.releases,
        "followers": [{"id": one.id, "seen_at": one.seen_at, "standing": one.standing} for one in followers],
    }


for command in (list_channels, show, publish):
    channel.add_command(command)
