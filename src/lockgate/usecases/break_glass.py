"""Let one person alone bring versions in for a while: where harm is done and those who would say yes cannot be asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from lockgate.domain.events import Action, Happened
from lockgate.domain.people import Actor
from lockgate.domain.policy import BrokenGlass
from lockgate.kernel.errors import Conflict, Invalid, NotFound, Refused
from lockgate.kernel.ids import new_id
from lockgate.ports.state import BROKEN_GLASS, Reader
from lockgate.stages.decide.roles import has_role
from lockgate.usecases.find_things import model_named, policy_of
from lockgate.usecases.world import World

LONGEST_WHY = 2000


def break_glass(world: World, actor: Actor, why: str, model: str = "") -> BrokenGlass:
    """Until its end the actor's one yes completes any quorum, also of the own request, and gates do not stop it.

    model: only versions of this one; "": of all.

    Raises:
        Refused: the policy does not let the actor. Conflict: it stands open for them already. NotFound: no such model. Invalid:
        no reason.
    """
    if not 0 < len(why.strip()) <= LONGEST_WHY:
        told = f"a reason of {len(why.strip())} characters found, 1 to {LONGEST_WHY} expected: everybody will read it"
        raise Invalid(told, hint='Say what harm is done: lockgate break-glass open --why "…"')
    now = world.clock.now()
    with world.state.write() as tx:
        if model:
            model_named(tx, model)
        seconds = _check_may(tx, actor)
        other = _open_for(tx, actor, model, now)
        if other is not None:
            until = f"{other.until:%Y-%m-%d %H:%M:%S} UTC"
            hint = f"lockgate break-glass close {other.id}"
            raise Conflict(f"{other.id} stands open for {actor.name} until {until}", hint=hint)
        broken = BrokenGlass(new_id("glass"), actor.name, why.strip(), now, now + timedelta(seconds=seconds), model)
        tx.put(BROKEN_GLASS, broken)
        details = {"why": broken.why, "until": broken.until.isoformat()}
        tx.record(_happened(Action.GLASS_BROKEN, broken, actor, now, details))
        return broken


def mend_glass(world: World, glass_id: str, actor: Actor, why: str = "") -> BrokenGlass:
    """Over before its end. Anybody may.

    Raises:
        NotFound: no such break-glass. Conflict: it is over.
    """
    now = world.clock.now()
    with world.state.write() as tx:
        broken = tx.get(BROKEN_GLASS, glass_id)
        if broken is None:
            raise NotFound(f"there is no break-glass {glass_id!r}", hint="See them: lockgate break-glass list")
        if broken.until <= now:
            raise Conflict(f"{broken.id} was over at {broken.until:%Y-%m-%d %H:%M:%S} UTC")
        mended = replace(broken, until=now)
        tx.put(BROKEN_GLASS, mended)
        tx.record(_happened(Action.GLASS_MENDED, mended, actor, now, {"why": why}))
        return mended


def glass_of(tx: Reader, actor: Actor, model: str, now: datetime) -> BrokenGlass | None:
    """The one by which the actor may act alone now: opened by them, for this model, and still theirs to open."""
    found = _open_for(tx, actor, model, now)
    rule = policy_of(tx).break_glass
    return found if rule is not None and has_role(policy_of(tx), actor, rule.roles) else None


def _open_for(tx: Reader, actor: Actor, model: str, now: datetime) -> BrokenGlass | None:
    found = [one for one in tx.find(BROKEN_GLASS) if one.by == actor.name and one.model in ("", model)]
    return next((one for one in found if one.opened_at <= now < one.until), None)


def _check_may(tx: Reader, actor: Actor) -> float:
    policy = policy_of(tx)
    if policy.break_glass is None:
        raise Refused(
            "the policy lets nobody break the glass", hint="Its owners can: `break_glass: {from: [ROLE]}`, lockgate policy set"
        )
    if not has_role(policy, actor, policy.break_glass.roles):
        roles = ", ".join(policy.break_glass.roles)
        raise Refused(
            f"{actor.name} has none of the roles that may break the glass: {roles}", hint="See who has: lockgate policy show"
        )
    return policy.break_glass.seconds


def _happened(action: Action, broken: BrokenGlass, actor: Actor, now: datetime, details: dict[str, str]) -> Happened:
    return Happened(action, actor.name, actor.authenticated, now, broken.id, broken.model, details=dict(details))
