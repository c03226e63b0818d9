"""Who acts: on an open server the name that is given, recorded as not authenticated; on a closed one whoever was recognised.

`entrance.py` recognises callers before any route sees them. A route that changes something names what it is: `ActorNamed` for
writes, `DecidesNamed` for decisions, `AdminNamed` for the administration; each needs that scope of the caller's token or login.
"""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Header, Request

from lockgate.domain.access import Scope
from lockgate.domain.people import Actor, fault_in_name
from lockgate.kernel.errors import Fault, InvalidInput, Refused
from lockgate.usecases.recognise_caller import Caller

HEADER = "x-lockgate-actor"
Given = Annotated[str, Header(description="The name of who acts. Only where nobody must sign in; else the token says who acts.")]


def caller_of(request: Request) -> Caller | None:
    """Who was recognised; None where the server is open. Behind an entrance only: without one this fails, and lets nobody in."""
    return cast("Caller | None", request.state.caller)


async def writing_actor(request: Request, x_lockgate_actor: Given = "") -> Actor:
    """Who writes."""
    return _acting(request, x_lockgate_actor, Scope.WRITE)


async def deciding_actor(request: Request, x_lockgate_actor: Given = "") -> Actor:
    """Who decides."""
    return _acting(request, x_lockgate_actor, Scope.DECIDE)


async def administering_actor(request: Request, x_lockgate_actor: Given = "") -> Actor:
    """Who administers."""
    return _acting(request, x_lockgate_actor, Scope.ADMIN)


ActorNamed = Annotated[Actor, Depends(writing_actor)]
DecidesNamed = Annotated[Actor, Depends(deciding_actor)]
AdminNamed = Annotated[Actor, Depends(administering_actor)]


def _acting(request: Request, given: str, scope: Scope) -> Actor:
    """The caller, if they may.

    Raises:
        InvalidInput: nobody must sign in here, and there is no name, one that cannot be read, or one under which only Lockgate
            itself acts. Refused: the caller's token is not for this.
    """
    caller = caller_of(request)
    if caller is None:
        return Actor(_name(given), authenticated=False)
    if scope not in caller.scopes:
        raise missing_scope(caller, scope)
    return caller.actor


def missing_scope(caller: Caller, scope: Scope) -> Refused:
    what = "this browser was signed in" if caller.login else "this token was made"
    has = ", ".join(sorted(caller.scopes))
    hint = f"Take a token with the scope `{scope.value}`: lockgate user token {caller.actor.name} --scope {scope.value}"
    return Refused(f"the scope {scope.value!r} is needed; {what} for {has} only", hint=hint)


def _name(given: str) -> str:
    try:
        name = given.encode("latin-1").decode("utf-8").strip()
    except UnicodeError:
        name = ""
    fault = fault_in_name(name)
    if fault is not None:
        raise InvalidInput("the request", [Fault(HEADER, fault)], hint=f"Say who acts: `{HEADER}: NAME`.")
    return name
