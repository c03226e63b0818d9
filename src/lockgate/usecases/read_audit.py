"""Questions to the audit log: is it whole, and what stood where at a time?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lockgate.domain.events import GENESIS, Action, chain_hash
from lockgate.domain.models import Stage
from lockgate.ports.state import Reader
from lockgate.usecases.world import World

PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Checked:
    events: int
    whole: bool
    broken_at: int | None  # seq of the first event that does not fit
    sentence: str


@dataclass(frozen=True, slots=True)
class Standing:
    model: str
    version: int
    stage: Stage
    since: datetime
    actor: str


def verify_audit(world: World) -> Checked:
    """Walk the chain from its beginning: every event must follow its predecessor, and say what its hash covers."""
    seq, previous = 0, GENESIS
    with world.state.read() as tx:
        while page := tx.events(after=seq, limit=PAGE):
            for event in page:
                fits = event.seq == seq + 1 and event.prev_hash == previous
                if not fits or event.hash != chain_hash(event.seq, event.happened, event.prev_hash):
                    sentence = f"the audit log is broken at event {event.seq}: it, or the one before, was changed or removed"
                    return Checked(seq, whole=False, broken_at=event.seq, sentence=sentence)
                seq, previous = event.seq, event.hash
    return Checked(seq, whole=True, broken_at=None, sentence=f"the audit log is whole: {seq} events, last hash {previous}")


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
