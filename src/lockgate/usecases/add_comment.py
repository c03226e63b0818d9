"""Say something about a version: kept beside it, and among its events."""

from __future__ import annotations

from collections.abc import Mapping

from lockgate.domain.events import Action, Event, Happened
from lockgate.domain.people import Actor
from lockgate.domain.remarks import Comment
from lockgate.kernel.errors import Invalid
from lockgate.kernel.ids import new_id
from lockgate.ports.state import COMMENTS
from lockgate.usecases.find_things import version_of
from lockgate.usecases.world import World

LONGEST = 65_535


def add_comment(world: World, model: str, version: int, actor: Actor, text: str) -> Event:
    """The event of a new comment. Raises as `comment_on`."""
    return comment_on(world, model, version, actor, text)[1]


def comment_on(world: World, model: str, version: int, actor: Actor, text: str) -> tuple[Comment, Event]:
    """Keep the text, or say what is wrong with it.

    Raises:
        NotFound: no such version. Invalid: an empty or overlong text.
    """
    check_text(text)
    now = world.clock.now()
    with world.state.write() as tx:
        version_of(tx, model, version)
        comment = Comment(new_id("comment"), model, version, actor.name, now, text)
        tx.add(COMMENTS, comment)
        return comment, tx.record(comment_happened(Action.COMMENT_ADDED, comment, actor, {"comment": text}))


def check_text(text: str) -> None:
    if not 0 < len(text.strip()) <= len(text) <= LONGEST:
        found = len(text) if text.strip() else 0
        hint = "Say something, such as: lockgate comment MODEL VERSION 'better on rain'"
        raise Invalid(f"a comment of {found} characters found, 1 to {LONGEST} expected", hint=hint)


def comment_happened(action: Action, comment: Comment, actor: Actor, details: Mapping[str, str]) -> Happened:
    at, subject = comment.edited_at or comment.at, f"{comment.model}/{comment.version}"
    said = {"id": comment.id, **details}
    return Happened(action, actor.name, actor.authenticated, at, subject, comment.model, comment.version, dict(said))
