"""Derive a rollout's verdicts again from its journal: what was decided can be checked by anybody, at any time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isclose

from lockgate.ports.state import JOURNAL
from lockgate.stages.deliver.journal import begun, observed, report
from lockgate.stages.deliver.rollout import has_judge
from lockgate.usecases.find_things import rollout_by
from lockgate.usecases.world import World

_DIGITS = 1e-9


@dataclass(frozen=True, slots=True)
class Replay:
    rollout: str
    rows: int
    same: bool
    first_difference: int | None  # seq of the journal row
    sentence: str


def replay_rollout(world: World, rollout_id: str) -> Replay:
    """Compare every verdict and every e-value with what the journal says.

    Raises:
        NotFound: no such rollout.
    """
    with world.state.read() as tx:
        rollout = rollout_by(tx, rollout_id)
        rows = tx.find(JOURNAL, rollout=rollout_id)
    if not has_judge(rollout):
        said = f"{rollout_id} had nothing to prove: there was nothing to judge"
        return Replay(rollout_id, 0, same=True, first_difference=None, sentence=said)
    state = begun(rollout)
    for row in rows:
        state = observed(state, row.observations)
        judged = report(state, row.step, extensions=row.extensions)
        if judged.verdict is not row.verdict or not the_same(judged.evidence, row.evidence):
            said = f"row {row.seq} says {row.verdict.value}, the replay says {judged.verdict.value}, or their e-values differ"
            return Replay(rollout_id, len(rows), same=False, first_difference=row.seq, sentence=said)
    agreed = f"{len(rows)} looks of {rollout_id} derived again: every verdict and every e-value is the same"
    return Replay(rollout_id, len(rows), same=True, first_difference=None, sentence=agreed)


def the_same(derived: Mapping[str, float], told: Mapping[str, float]) -> bool:
    """Whether all that was told is derived again. A row of an earlier release told of fewer e-values than there are now.

    On one machine they are the same bit for bit. Processors with and without AVX-512 round some logarithms differently, by a unit
    in the last place; whoever replays on another one finds the same to nine digits.
    """
    return bool(told) and all(
        name in derived and isclose(derived[name], value, rel_tol=_DIGITS, abs_tol=_DIGITS) for name, value in told.items()
    )
