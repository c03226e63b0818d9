"""Take a name for a model before there is a version of it."""

from __future__ import annotations

from collections.abc import Mapping

from lockgate.domain.events import Action, Happened
from lockgate.domain.models import RegisteredModel
from lockgate.domain.people import Actor
from lockgate.kernel.errors import Conflict, Invalid
from lockgate.ports.state import MODELS
from lockgate.stages.fields import check_name
from lockgate.usecases.set_notes import NO_TAGS, write_notes
from lockgate.usecases.world import World


def create_model(
    world: World, name: str, actor: Actor, description: str | None = None, tags: Mapping[str, str | None] = NO_TAGS
) -> RegisteredModel:
    """A model without versions; the first run of a project of that name makes the first one.

    Raises:
        Invalid: no project could have the name, or the notes are too long. Conflict: it is taken.
    """
    try:
        check_name(name)
    except ValueError as error:
        raise Invalid(f"model name {name[:100]!r} found, {error}") from error
    now = world.clock.now()
    with world.state.write() as tx:
        model = RegisteredModel(name, now)
        if not tx.add(MODELS, model):
            raise Conflict(f"there is a model {name!r} already", hint=f"See it: lockgate versions {name}")
        tx.record(Happened(Action.MODEL_CREATED, actor.name, actor.authenticated, now, name, name))
        write_notes(tx, name, 0, actor, now, description=description, tags=tags)
        return model
