"""Make a key with which a caller may ask the data plane for something."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lockgate.boundary.keys import LONGEST_NAME, WHOLE_SERVER, Key, KeyScope, Rate, closes, new_key
from lockgate.domain.events import Action, Happened
from lockgate.domain.people import Actor
from lockgate.kernel.errors import Invalid
from lockgate.ports.keys import KeyStore
from lockgate.ports.state import MODELS
from lockgate.usecases.world import World

KEEP = timedelta(days=90)  # after which a key that opens nothing leaves the file; its events stay


@dataclass(frozen=True, slots=True)
class Made:
    """text: what the caller sends, kept nowhere. first: until now nobody needed a key at the data plane. unknown: models that are
    not registered.
    """

    key: Key
    text: str
    first: bool
    unknown: Sequence[str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """models: none means all. lifetime: seconds; None is for ever."""

    name: str
    scopes: Collection[KeyScope]
    models: Sequence[str] = ()
    rate: Rate | None = None
    lifetime: float | None = None


def create_token(world: World, keys: KeyStore, actor: Actor, wanted: Wanted) -> Made:
    """The file is changed before the event is committed: there may be a key nobody was told of, and never an event without one.

    Raises:
        Invalid: what is wanted makes no sense.
    """
    _check(wanted)
    with world.state.write() as tx:
        now = world.clock.now()
        known = keys.read()
        key, text = new_key(
            wanted.name,
            wanted.scopes,
            now,
            models=wanted.models,
            rate=wanted.rate,
            expires_at=now + timedelta(seconds=wanted.lifetime) if wanted.lifetime is not None else None,
        )
        unknown = [model for model in wanted.models if tx.get(MODELS, model) is None]
        tx.record(Happened(Action.TOKEN_CREATED, actor.name, actor.authenticated, now, key.id, details=_details(key)))
        keys.write([*_kept(known or (), now), key])
    first = closes([key]) and (known is None or not closes(known))
    return Made(key, text, first, unknown)


def _check(wanted: Wanted) -> None:
    if not 0 < len(wanted.name.strip()) <= LONGEST_NAME or not wanted.name.isprintable():
        raise Invalid(f"name {wanted.name!r} found, 1 to {LONGEST_NAME} printable characters expected")
    if not wanted.scopes:
        raise Invalid("no scope found, at least one expected", hint=f"One of {', '.join(KeyScope)}.")
    if "" in wanted.models:
        raise Invalid("an empty name of a model found", hint="lockgate models shows their names.")
    whole = sorted(WHOLE_SERVER.intersection(wanted.scopes))
    if wanted.models and whole:
        raise Invalid(f"the scope {whole[0].value!r} concerns every model, and this key would be for some", hint="Make two keys.")


def _details(key: Key) -> dict[str, Any]:
    return {
        "name": key.name,
        "scopes": sorted(key.scopes),
        "models": list(key.models),
        "rate": [key.rate.per_second, key.rate.burst] if key.rate else None,
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
    }


def _kept(known: Sequence[Key], now: datetime) -> Sequence[Key]:
    """Without those that ended long ago; but where keys closed the data plane, one that does stays, however long it is gone."""
    kept = [key for key in known if not _long_gone(key, now)]
    closing = [key for key in known if closes([key])]
    return kept if not closing or any(key in closing for key in kept) else [closing[-1], *kept]


def _long_gone(key: Key, now: datetime) -> bool:
    ends = [end for end in (key.revoked_at, key.expires_at) if end is not None]
    return bool(ends) and min(ends) < now - KEEP
