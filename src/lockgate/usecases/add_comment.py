"""Say something about a version: kept among its events."""

from __future__ import annotations

from lockgate.domain.events import Action, Event, Happened
from lockgate.domain.people import Actor
from lockgate.kernel.errors import Invalid
from lockgate.usecases.find_things import version_of
from lockgate.usecases.world import World

LONGEST = 65_535


def add_comment(world: World, model: str, version: int, actor: Actor, text: str) -> Event:
    """Keep the text, or say what is wrong with it.

    Raises:
        NotFound: no such version. Invalid: an empty or overlong text.
    """
    if not 0 < len(text.strip()) <= LONGEST:
        raise Invalid(f"a comment of {len(text)} characters found, 1 to {LONGEST} expected")
    with world.state.write() as tx:
        version_of(tx, model, version)
        subject = f"{model}/{version}"
        details = {"comment": text}
        now = world.clock.now()
        return tx.record(
            Happened(Action.COMMENT_ADDED, actor.name, actor.authenticated, now, subject, model, version, dict(details))
        )
