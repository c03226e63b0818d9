"""Who acts, as far as a local home can know it: the name that the caller gives, recorded as not authenticated."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header

from lockgate.domain.people import CONTROLLER, POLICY, WATCH, Actor
from lockgate.kernel.errors import Fault, InvalidInput

HEADER = "x-lockgate-actor"
LONGEST_NAME = 100
_RESERVED = frozenset({POLICY.name, CONTROLLER.name, WATCH.name})


def named_actor(x_lockgate_actor: Annotated[str, Header(description="The name of who acts.")] = "") -> Actor:
    """The name that the request gives.

    Raises:
        InvalidInput: no name, one that cannot be read, or one under which only Lockgate itself acts.
    """
    try:
        name = x_lockgate_actor.encode("latin-1").decode("utf-8").strip()
    except UnicodeError:
        name = ""
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise _invalid(f"a name of 1 to {LONGEST_NAME} printable characters (UTF-8) expected")
    if name.lower() in _RESERVED:
        raise _invalid(f"only Lockgate itself acts as {name!r}")
    return Actor(name, authenticated=False)


def _invalid(message: str) -> InvalidInput:
    return InvalidInput("the request", [Fault(HEADER, message)], hint=f"Say who acts: `{HEADER}: NAME`.")


ActorNamed = Annotated[Actor, Depends(named_actor)]
