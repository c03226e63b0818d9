"""Questions to the audit log: is it whole, and what stood where at a time?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lockgate.domain.events import Action
from lockgate.domain.models import Stage
from lockgate.ports.state import Reader
from lockgate.stages.decide.audit import Audit, verify
from lockgate.usecases.world import World

PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Standing:
    model: str
    version: int
    stage: Stage
    since: datetime
    actor: str


def verify_audit(world: World) -> Audit:
    """Walk the chain from its beginning: every event must follow its predecessor, and say what its hash covers."""
    with world.state.read() as tx:
        return verify(lambda after, limit: tx.events(after=after, limit=limit))


def standing_at(world: World, moment: datetime) -> list[Standing]:
    """Which version stood in which stage then, by the events up to that moment."""
    standing: dict[tuple[str, int], Standing] = {}
    with world.state.read() as tx:
        for standing_now in _moves(tx, moment):
            standing[standing_now.model, standing_now.version] = standing_now
    order = (Stage.PRODUCTION, Stage.STAGING, Stage.ARCHIVED)
    shown = [one for one in standing.values() if one.stage in order]
    return sorted(shown, key=lambda one: (one.model, order.index(one.stage), one.version))


def _moves(tx: Reader, moment: datetime) -> list[Standing]:
    moves: list[Standing] = []
    seq = 0
    while page := tx.events(after=seq, limit=PAGE):
        for event in page:
            seq = event.seq
            said = event.happened
            if said.at > moment:
                return moves
            if said.action is Action.STAGE_APPLIED:
                moves.append(Standing(said.model, said.version, Stage(said.details["to"]), said.at, said.actor))
            elif said.action is Action.STAGE_ARCHIVED:
                moves.append(Standing(said.model, said.version, Stage.ARCHIVED, said.at, said.actor))
    return moves
