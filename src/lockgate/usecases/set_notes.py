"""Describe a model or a version, and put tags on it. Nothing is decided by either."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from lockgate.domain.events import Action, Happened
from lockgate.domain.people import Actor
from lockgate.domain.remarks import Notes
from lockgate.kernel.errors import Invalid
from lockgate.ports.state import NOTES, Reader, Writer
from lockgate.usecases.find_things import model_named, version_of
from lockgate.usecases.world import World

LONGEST_DESCRIPTION = 65_535  # characters, as below
LONGEST_KEY = 250
LONGEST_VALUE = 5_000
MOST_TAGS = 100
NO_TAGS: Mapping[str, str | None] = MappingProxyType({})


def set_notes(
    world: World,
    model: str,
    version: int,
    actor: Actor,
    *,
    description: str | None = None,
    tags: Mapping[str, str | None] = NO_TAGS,
) -> Notes:
    """The notes with what was changed. version: 0: of the model itself.

    description: None: as it is. tags: those to set; None as a value takes the tag away. What changes nothing is no event.

    Raises:
        NotFound: no such model or version. Invalid: something is too long, or too many tags.
    """
    with world.state.write() as tx:
        return write_notes(tx, model, version, actor, world.clock.now(), description=description, tags=tags)


def write_notes(
    tx: Writer,
    model: str,
    version: int,
    actor: Actor,
    now: datetime,
    *,
    description: str | None,
    tags: Mapping[str, str | None],
) -> Notes:
    """As `set_notes`."""
    before = notes_of(tx, model, version)
    merged = {key: value for key, value in {**before.tags, **tags}.items() if value is not None}
    after = Notes(model, version, now, before.description if description is None else description, merged)
    _check(after)
    said, says = _said(before), _said(after)
    if said == says:
        return before
    tx.put(NOTES, after)
    subject, details = f"{model}/{version}" if version else model, {"from": said, "to": says}
    tx.record(Happened(Action.NOTES_SET, actor.name, actor.authenticated, now, subject, model, version, dict(details)))
    return after


def notes_of(tx: Reader, model: str, version: int = 0) -> Notes:
    """Empty ones, as old as what they are of, where nobody wrote any.

    Raises:
        NotFound: no such model or version.
    """
    subject = version_of(tx, model, version) if version else model_named(tx, model)
    return tx.get(NOTES, model, version) or Notes(model, version, subject.created_at)


def _said(notes: Notes) -> dict[str, object]:
    return {"description": notes.description, "tags": dict(sorted(notes.tags.items()))}


def _check(notes: Notes) -> None:
    if len(notes.description) > LONGEST_DESCRIPTION:
        raise Invalid(f"a description of {len(notes.description)} characters found, at most {LONGEST_DESCRIPTION} expected")
    if len(notes.tags) > MOST_TAGS:
        raise Invalid(f"{len(notes.tags)} tags found, at most {MOST_TAGS} expected", hint="Delete those that nobody reads.")
    for key, value in notes.tags.items():
        if not 0 < len(key.strip()) <= len(key) <= LONGEST_KEY:
            raise Invalid(f"the tag {key[:40]!r} has a name of {len(key)} characters, 1 to {LONGEST_KEY} expected")
        if len(value) > LONGEST_VALUE:
            raise Invalid(f"the tag {key!r} has {len(value)} characters, at most {LONGEST_VALUE} expected")
