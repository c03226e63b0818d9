"""Which examples a candidate and the champion are compared on: the same ones, where both held them out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from lockgate.domain.evaluation import Evaluation
from lockgate.stages.decide.gates.metrics import FEWEST, Examples

_SHARE = 0.5  # of the smaller evaluation: with fewer in common, pairing would throw away more than it gains


@dataclass(frozen=True, slots=True)
class Pairing:
    """Row i of both sides is the same example if `paired`; `rows` are their places in the candidate's evaluation then.

    `how` is the sentence for people.
    """

    candidate: Examples
    champion: Examples
    paired: bool
    how: str
    rows: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))

    @property
    def same_predictions(self) -> bool:
        return self.paired and bool(np.array_equal(self.candidate.prediction, self.champion.prediction))

    def at(self, rows: NDArray[np.intp]) -> Pairing:
        """Some of the pairs."""
        return replace(self, candidate=self.candidate.at(rows), champion=self.champion.at(rows), rows=self.rows[rows])


def pair(candidate: Evaluation, champion: Evaluation) -> Pairing:
    """The two evaluations cut to what both held out, or whole and unpaired if that is too little.

    Equal ids with different labels are not the same examples: then the ids join nothing, and the comparison is unpaired.
    """
    ours, theirs = Examples.of(candidate), Examples.of(champion)
    place = {name: row for row, name in enumerate(champion.ids)}
    shared = [(row, place[name]) for row, name in enumerate(candidate.ids) if name in place]
    if len(shared) < max(FEWEST, _SHARE * min(len(ours), len(theirs))):
        return Pairing(ours, theirs, paired=False, how=f"unpaired: only {len(shared):,} examples were held out by both")
    rows = np.array(shared, dtype=np.intp)
    mine, yours = ours.at(rows[:, 0]), theirs.at(rows[:, 1])
    differing = int(np.count_nonzero(mine.label != yours.label))
    if differing:
        how = f"unpaired: {differing:,} of {len(shared):,} examples with equal ids have different labels"
        return Pairing(ours, theirs, paired=False, how=how)
    which = "all" if len(shared) == len(ours) else "those"
    how = f"in pairs, on {which} {len(shared):,} held-out examples" + ("" if which == "all" else " that both have")
    return Pairing(mine, yours, paired=True, how=how, rows=rows[:, 0])
