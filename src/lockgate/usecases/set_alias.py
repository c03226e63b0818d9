"""Give a version another name, or take the name away. What follows from Production is not given by hand."""

from __future__ import annotations

import re
from datetime import datetime

from lockgate.domain.events import Action, Happened
from lockgate.domain.models import CHAMPION, Alias
from lockgate.domain.people import Actor
from lockgate.kernel.errors import Invalid, NotFound, Refused
from lockgate.ports.state import ALIASES, Reader
from lockgate.stages.decide import aliases
from lockgate.stages.decide.binding import check_seen
from lockgate.usecases.find_things import model_named, policy_of, version_of
from lockgate.usecases.world import World

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.:-]{0,98}[A-Za-z0-9])?", re.ASCII)
_NUMBER = re.compile(r"[vV]?[0-9]+|latest", re.ASCII)  # what would be read as a version's number


def set_alias(world: World, model: str, name: str, version: int, actor: Actor, if_digest: str | None = None) -> Alias:
    """The name says this version from now on, whatever it said before. if_digest: of the version, as the caller saw it.

    Raises:
        NotFound: no such version. Conflict: it is not what was seen. Refused: the name follows from Production, or the policy
        gives it to others. Invalid: no such name can be.
    """
    now = world.clock.now()
    with world.state.write() as tx:
        found = version_of(tx, model, version)
        check_seen(found, found.digest, if_digest)
        _check(tx, model, name, actor)
        before, alias = tx.get(ALIASES, model, name), Alias(model, name, version)
        if before != alias:
            tx.put(ALIASES, alias)
            tx.record(_happened(Action.ALIAS_SET, alias, actor, now, before.version if before else None))
        return alias


def remove_alias(world: World, model: str, name: str, actor: Actor) -> Alias:
    """What the name said last.

    Raises:
        NotFound: no such model or alias. Refused, Invalid: as `set_alias`.
    """
    now = world.clock.now()
    with world.state.write() as tx:
        model_named(tx, model)
        _check(tx, model, name, actor)
        alias = alias_named(tx, model, name)
        tx.remove(ALIASES, model, name)
        tx.record(_happened(Action.ALIAS_REMOVED, alias, actor, now, alias.version))
        return alias


def alias_named(tx: Reader, model: str, name: str) -> Alias:
    """
    Raises:
        NotFound: the model has no such alias.
    """  # noqa: D212 - there is nothing else to say
    alias = tx.get(ALIASES, model, name)
    if alias is None:
        names = ", ".join(sorted(one.name for one in tx.find(ALIASES, model=model))) or "none"
        raise NotFound(f"{model} has no alias {name!r}; its aliases: {names}")
    return alias


def check_may_move(tx: Reader, name: str, actor: Actor) -> None:
    """
    Raises:
        Refused: the policy gives the alias to roles of which the actor has none.
    """  # noqa: D212 - there is nothing else to say
    aliases.check_may_move(policy_of(tx), name, actor)


def _check(tx: Reader, model: str, name: str, actor: Actor) -> None:
    what, _, segment = name.partition(":")
    if what == CHAMPION:
        goal = f"--to Production --segment {segment!r}" if segment else "--to Production"
        raise Refused(
            f"alias {name!r} says what stands in Production, and is not set by hand",
            hint=f"Ask for that: lockgate request {model} VERSION {goal}. To go back: lockgate rollback {model}",
        )
    if not _NAME.fullmatch(name):
        raise Invalid(f"alias {name!r:.120} found, 1 to 100 of letters, digits and - _ . : between them expected")
    if _NUMBER.fullmatch(name):
        raise Invalid(f"alias {name!r} would be read as a version; another name expected")
    check_may_move(tx, name, actor)


def _happened(action: Action, alias: Alias, actor: Actor, now: datetime, before: int | None) -> Happened:
    details: dict[str, object] = {"alias": alias.name, "before": before}
    subject = f"{alias.model}/{alias.version}"
    return Happened(action, actor.name, actor.authenticated, now, subject, alias.model, alias.version, details)
