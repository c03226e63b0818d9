"""Let a gate count as passed although it did not, for a time and with a name under it; or take that back.

Only people may whom the policy gives a role for it. Without such a rule nobody may: a gate that anybody can wave through is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from lockgate.domain.events import Action, Happened
from lockgate.domain.people import Actor
from lockgate.domain.policy import WaiverRule
from lockgate.domain.waivers import Waiver
from lockgate.kernel.errors import Conflict, Fault, InvalidInput, NotFound, Refused
from lockgate.kernel.ids import new_id
from lockgate.kernel.quantities import format_duration
from lockgate.ports.state import MODELS, RUNS, SCANS, WAIVERS, Reader
from lockgate.stages.decide import roles
from lockgate.stages.decide.gates import supply_chain
from lockgate.stages.decide.spec import GatesSpec
from lockgate.usecases.find_things import policy_of
from lockgate.usecases.world import World

GATES = tuple(GatesSpec.model_fields)
LONGEST_WHY = 4_000
_FAR = timedelta(days=10_000)  # beyond what any policy allows, and within what a date can say
_LOOKED_AT = 20  # of the latest runs, for what rules there are


def grant_waiver(
    world: World, actor: Actor, model: str, gate: str, *, why: str, until: datetime | timedelta, rule: str = "", version: int = 0
) -> Waiver:
    """until: the moment, or how long from now. rule: as the project file writes it; "": every rule of the gate. version: one that
    is there, or the next; 0: every version.

    Raises:
        Refused: the policy does not give this person the right. NotFound: no such model. InvalidInput: what is asked for makes no
        sense; all faults at once.
    """
    now = world.clock.now()
    length = until if isinstance(until, timedelta) else until - now
    ends, text = now + min(length, _FAR), " ".join(rule.split())
    asked = Waiver(new_id("waiver"), model, gate, actor.name, why.strip(), now, ends, text, version)
    with world.state.write() as tx:
        allowed = _check_may(tx, actor)
        _check(tx, asked, allowed, length)
        tx.put(WAIVERS, asked)
        details = {"until": ends.isoformat(), "why": asked.why}
        tx.record(_happened(Action.WAIVER_GRANTED, asked, actor, now, details))
    return asked


def withdraw_waiver(world: World, actor: Actor, waiver_id: str, *, why: str) -> Waiver:
    """From now on what was measured counts again.

    Raises:
        Refused: as for granting. NotFound: no such waiver. Conflict: it holds no more. InvalidInput: no reason is given.
    """
    now = world.clock.now()
    with world.state.write() as tx:
        _check_may(tx, actor)
        found = tx.get(WAIVERS, waiver_id)
        if found is None:
            raise NotFound(f"there is no waiver {waiver_id!r}", hint="See them all: lockgate waivers")
        if found.withdrawn_at is not None or found.until <= now:
            ended = f"was withdrawn at {found.withdrawn_at}" if found.withdrawn_at else f"ended at {found.until}"
            raise Conflict(f"waiver {waiver_id} {ended}")
        _raise([_why_fault(why)])
        withdrawn = replace(found, withdrawn_at=now)
        tx.put(WAIVERS, withdrawn)
        details = {"granted_by": found.by, "why": why.strip()}
        tx.record(_happened(Action.WAIVER_WITHDRAWN, found, actor, now, details))
    return withdrawn


def waivers_of(world: World, model: str | None = None) -> list[Waiver]:
    """Of a model or of all, the newest first; also those that hold no more."""
    with world.state.read() as tx:
        return tx.find(WAIVERS, newest_first=True, model=model) if model else tx.find(WAIVERS, newest_first=True)


def _check_may(tx: Reader, actor: Actor) -> WaiverRule:
    policy = policy_of(tx)
    rule = policy.waivers
    if rule is None or not rule.roles:
        hint = "An administrator names roles under `waivers: {from: [ROLE], longest: 7d}` of the policy: lockgate policy set FILE"
        raise Refused("nobody may waive a gate here: the policy has no rule for it", hint=hint)
    if roles.roles_of(policy, actor).isdisjoint(rule.roles):
        needed = ", ".join(rule.roles)
        raise Refused(f"{actor.name} may not waive a gate: a role of {needed} is needed", hint=f"Ask somebody who is {needed}.")
    return rule


def _check(tx: Reader, asked: Waiver, allowed: WaiverRule, length: timedelta) -> None:
    known = tx.get(MODELS, asked.model)
    if known is None and not tx.count(RUNS, model=asked.model):
        raise NotFound(f"there is no model {asked.model!r}, and no run of one", hint="See the models: lockgate models")
    next_version = (known.latest_version if known else 0) + 1
    about = (_gate_fault(asked), _rule_fault(tx, asked), _version_fault(asked, next_version))
    _raise([*about, _why_fault(asked.why), _until_fault(length, allowed)])


def _raise(faults: list[Fault | None]) -> None:
    if found := [fault for fault in faults if fault is not None]:
        hint = "Ask again with these mended; `waivers: longest` of the policy says how long one may hold: lockgate policy show"
        raise InvalidInput("the waiver", found, hint=hint)


def _gate_fault(asked: Waiver) -> Fault | None:
    return None if asked.gate in GATES else Fault("gate", f"{asked.gate!r} found, one of {', '.join(GATES)} expected")


def _rule_fault(tx: Reader, asked: Waiver) -> Fault | None:
    """A waiver for a rule that is spelt otherwise would wait for ever, unseen."""
    if not asked.rule:
        return None
    runs = tx.find(RUNS, model=asked.model, newest_first=True, limit=_LOOKED_AT)
    judged = {gate.rule: None for run in runs for gate in run.gates if gate.gate == asked.gate}
    if asked.gate == supply_chain.GATE:  # scans find what no run did
        judged |= {supply_chain.rule_of(one): None for scan in tx.find(SCANS, model=asked.model) for one in scan.found}
    if asked.rule in judged:
        return None
    known = ", ".join(repr(rule) for rule in judged) or "none"
    return Fault("rule", f"{asked.rule!r} found, a rule expected that a run has judged: {known}")


def _version_fault(asked: Waiver, next_version: int) -> Fault | None:
    if 0 <= asked.version <= next_version:
        return None
    return Fault("version", f"{asked.version} found, a version up to {next_version}, the next, expected, or 0 for all")


def _why_fault(why: str) -> Fault | None:
    length = len(why.strip())
    return None if 0 < length <= LONGEST_WHY else Fault("why", f"{length} characters found, 1 to {LONGEST_WHY} expected")


def _until_fault(length: timedelta, allowed: WaiverRule) -> Fault | None:
    seconds = length.total_seconds()
    if 0 < seconds <= allowed.longest:
        return None
    expected = f"more than nothing and at most {format_duration(allowed.longest)} expected, as the policy says"
    return Fault("until", f"a lifetime of {format_duration(float(round(seconds)))} found, {expected}")


def _happened(action: Action, waiver: Waiver, actor: Actor, at: datetime, details: Mapping[str, str]) -> Happened:
    about = {"waiver": waiver.id, "gate": waiver.gate, "rule": waiver.rule}
    return Happened(action, actor.name, actor.authenticated, at, waiver.id, waiver.model, waiver.version, {**about, **details})
