"""Say it otherwise, or take it back. Only who wrote a comment may; what it said before stays among the events."""

from __future__ import annotations

from dataclasses import replace

from lockgate.domain.events import Action
from lockgate.domain.people import Actor
from lockgate.domain.remarks import Comment
from lockgate.kernel.errors import NotFound, Refused
from lockgate.ports.state import COMMENTS, Reader
from lockgate.usecases.add_comment import check_text, comment_happened
from lockgate.usecases.world import World


def edit_comment(world: World, comment_id: str, actor: Actor, text: str) -> Comment:
    """The comment with another text.

    Raises:
        NotFound: no such comment. Refused: it is somebody else's. Invalid: an empty or overlong text.
    """
    check_text(text)
    with world.state.write() as tx:
        edited = replace(_own(tx, comment_id, actor), text=text, edited_at=world.clock.now())
        tx.put(COMMENTS, edited)
        tx.record(comment_happened(Action.COMMENT_EDITED, edited, actor, {"comment": text}))
        return edited


def delete_comment(world: World, comment_id: str, actor: Actor) -> Comment:
    """The comment as it was.

    Raises:
        NotFound: no such comment. Refused: it is somebody else's.
    """
    with world.state.write() as tx:
        comment = _own(tx, comment_id, actor)
        tx.remove(COMMENTS, comment.id)
        tx.record(comment_happened(Action.COMMENT_DELETED, replace(comment, edited_at=world.clock.now()), actor, {}))
        return comment


def _own(tx: Reader, comment_id: str, actor: Actor) -> Comment:
    comment = tx.get(COMMENTS, comment_id)
    if comment is None:
        raise NotFound(f"there is no comment {comment_id!r}")
    if comment.by != actor.name:
        raise Refused(
            f"comment {comment.id} is {comment.by}'s; {actor.name} may not change it", hint="Add a comment of your own."
        )
    return comment
