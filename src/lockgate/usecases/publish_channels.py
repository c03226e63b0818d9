"""Tell whoever follows a channel where it points now: signed, and only when it points elsewhere than before.

The controller does it again and again. It asks the state, not whoever moved a version, so that every way of moving one is heard
of, and a process that was killed in between is made good by the next turn.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from lockgate.boundary.envelopes import decode, payload_of
from lockgate.boundary.pointers import Pointer, parse_channel, publish
from lockgate.boundary.public_keys import key_id
from lockgate.boundary.routes import Revision, Route
from lockgate.domain.models import ModelVersion, Stage
from lockgate.kernel.errors import Corrupt, Invalid
from lockgate.ports.channels import ChannelStore
from lockgate.ports.signer import Signer
from lockgate.ports.state import VERSIONS, Reader
from lockgate.stages.deliver.channels import channels, emptied, next_pointer, pointer, versions_of
from lockgate.usecases.publish_routes import route_table
from lockgate.usecases.world import World

log = logging.getLogger(__name__)
_pointers = msgspec.json.Decoder(Pointer)


class Wanted(NamedTuple):
    """The route of each channel that there should be; the versions that these name, by model and number; the table's revision."""

    routes: dict[str, Route]
    versions: dict[str, dict[int, ModelVersion]]
    revision: Revision


class Signed(NamedTuple):
    """before: what stood there when it was signed."""

    pointer: Pointer
    content: bytes
    before: bytes | None


class ChannelPublisher:
    """Remembers what it has seen to, so that a turn in which nothing moved costs one look at the state."""

    def __init__(self, world: World, signer: Signer, store: ChannelStore) -> None:
        self._world = world
        self._signer = signer
        self._store = store
        self._done: object = None

    def turn(self) -> list[Pointer]:
        """The pointers that were published.

        Raises:
            Unavailable: they cannot be written; the next turn tries again. Corrupt: a route names what the registry has not.
        """
        with self._world.state.read() as tx:
            wanted = _wanted(tx)
        if (wanted, tuple(self._store.names())) == self._done:
            return []
        signed, faults = self._due(wanted)  # before the transaction, for the key may lie in another machine
        with self._world.state.write() as tx:  # publishers take turns: nobody lays an older pointer over a newer one
            if _wanted(tx) != wanted:
                return []  # it moved meanwhile: the next turn
            for one in signed:
                self._write(one)
        if faults:
            raise Corrupt("; ".join(faults), hint="Restore the state from a backup.")
        self._done = wanted, tuple(self._store.names())
        return [one.pointer for one in signed]

    def _due(self, wanted: Wanted) -> tuple[list[Signed], list[str]]:
        """What is to be published, and what is wrong with the rest."""
        routes = dict(wanted.routes)
        for name in self._store.names():
            if name not in routes and (standing := standing_pointer(self._store, name)) is not None:
                routes[name] = emptied(standing)
        signed, faults = [], []
        for name, route in routes.items():
            try:
                versions = wanted.versions.get(route.model, {})
                signed += self._sign(pointer(name, route, versions, wanted.revision, self._world.clock.unix()))
            except Corrupt as error:
                faults.append(error.message)
        return signed, faults

    def _sign(self, wanted: Pointer) -> list[Signed]:
        before = self._store.read(wanted.channel)
        standing = standing_pointer(self._store, wanted.channel)
        if standing is not None and standing.revision > wanted.revision:
            newer, mine = str(standing.revision), str(wanted.revision)
            log.warning("newer pointer left", extra={"channel": wanted.channel, "there": newer, "here": mine})
        following = next_pointer(standing, wanted, renewed=not self._is_ours(before))
        return [] if following is None else [Signed(following, publish(following, self._signer), before)]

    def _write(self, signed: Signed) -> None:
        channel = signed.pointer.channel
        if self._store.read(channel) != signed.before:
            return  # another publisher was first
        self._store.write(channel, signed.content)
        log.info("channel published", extra={"channel": channel, "revision": str(signed.pointer.revision)})

    def _is_ours(self, content: bytes | None) -> bool:
        """Whether it bears the name of the key with which this home signs now."""
        return content is not None and key_id(self._signer.public_key) in signers(content)


def signers(content: bytes) -> tuple[str, ...]:
    """The fingerprints of the keys that a pointer says it is signed by; none if it is unreadable. Nothing is verified."""
    try:
        return tuple(one.keyid for one in decode(content, "a pointer").signatures)
    except Corrupt:
        return ()


def standing_pointer(store: ChannelStore, channel: str) -> Pointer | None:
    """What the channel points to; None if nothing that can be read was ever published. The home's own file: not verified.

    Raises:
        Invalid: this is no channel's name. Unavailable: it cannot be read.
    """
    content = store.read(channel)
    if content is None:
        return None
    what = f"the pointer of {channel}"
    try:
        return _pointers.decode(payload_of(decode(content, what), what))
    except (Corrupt, msgspec.DecodeError) as error:
        log.warning("unreadable pointer replaced", extra={"channel": channel, "reason": str(error)})
        return None


def _wanted(tx: Reader) -> Wanted:
    table = route_table(tx)
    staged = tx.find(VERSIONS, stage=Stage.STAGING.value)
    routes = {name: route for name, route in channels(table, staged).items() if _is_named(name)}
    versions: dict[str, dict[int, ModelVersion]] = {}
    for route in routes.values():
        known = versions.setdefault(route.model, {})
        known.update(_known(tx, route, [number for number in versions_of(route) if number not in known]))
    return Wanted(routes, versions, table.revision)


def _known(tx: Reader, route: Route, numbers: Sequence[int]) -> dict[int, ModelVersion]:
    found = ((number, tx.get(VERSIONS, route.model, number)) for number in numbers)
    return {number: version for number, version in found if version is not None}


def _is_named(channel: str) -> bool:
    """A model may bear a name that no channel can: then there is none."""
    try:
        parse_channel(channel)
    except Invalid:
        return False
    return True
