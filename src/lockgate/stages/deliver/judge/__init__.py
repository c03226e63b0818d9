"""The judge: does the canary harm, is it safe, or is it too early to say? A fold over observations.

docs/explanation/judge.md says what it guarantees, and where that ends.

state = begin(policy, steps, sticky=...)
state = observe(state, observation)       # for each observation of the journal, in its order
report(state, step).verdict
"""

from lockgate.stages.deliver.judge.fold import observe
from lockgate.stages.deliver.judge.latency import thresholds
from lockgate.stages.deliver.judge.predictions import Difference, edges
from lockgate.stages.deliver.judge.report import SMALL_SEGMENTS, Look, Rate, Report, report, reports
from lockgate.stages.deliver.judge.router import Assigned
from lockgate.stages.deliver.judge.state import JudgeState, begin

__all__ = [
    "SMALL_SEGMENTS",
    "Assigned",
    "Difference",
    "JudgeState",
    "Look",
    "Rate",
    "Report",
    "begin",
    "edges",
    "observe",
    "report",
    "reports",
    "thresholds",
]
