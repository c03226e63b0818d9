"""Derive again from its journal what the guard of a hold-back said, row by row."""

from __future__ import annotations

from lockgate.ports.state import HOLD_ROWS
from lockgate.stages.deliver.guard import begin, follow, look
from lockgate.usecases.find_holds import hold_by
from lockgate.usecases.replay_rollout import Replay, the_same
from lockgate.usecases.world import World


def replay_hold(world: World, rollout: str) -> Replay:
    """Compare every verdict and every value of the detectors with what the journal says.

    Raises:
        NotFound: no such rollout, or it left nothing behind.
    """
    with world.state.read() as tx:
        hold = hold_by(tx, rollout)
        rows = tx.find(HOLD_ROWS, hold=hold.id)
    guard = begin(hold)
    for row in rows:
        follow(guard, row)
        said = look(guard)
        if said.verdict is not row.verdict or not the_same(said.evidence, row.evidence):
            told = f"row {row.seq} says {row.verdict.value}, the replay says {said.verdict.value}, or their values differ"
            return Replay(hold.id, len(rows), same=False, first_difference=row.seq, sentence=told)
    agreed = f"{len(rows)} minutes of {hold.id} derived again: every verdict and every value is the same"
    return Replay(hold.id, len(rows), same=True, first_difference=None, sentence=agreed)
