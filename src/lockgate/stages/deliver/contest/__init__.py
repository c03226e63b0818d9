"""The judge of a contest: which version wins, which one does harm, and how units are dealt out meanwhile. A fold.

docs/explanation/contests.md says what it guarantees, and where that ends.

state = begin(policy, contest, sticky=...)
state = observe(state, observation)       # for each observation of the journal, in its order
report(state).verdict
"""

from lockgate.stages.deliver.contest.explain import sentence
from lockgate.stages.deliver.contest.fold import observe
from lockgate.stages.deliver.contest.leaving import leavings, without_unloadable
from lockgate.stages.deliver.contest.observations import observations
from lockgate.stages.deliver.contest.report import report
from lockgate.stages.deliver.contest.state import ContestState, begin
from lockgate.stages.deliver.contest.weights import dealt, due, shares, with_shares

__all__ = [
    "ContestState",
    "begin",
    "dealt",
    "due",
    "leavings",
    "observations",
    "observe",
    "report",
    "sentence",
    "shares",
    "with_shares",
    "without_unloadable",
]
