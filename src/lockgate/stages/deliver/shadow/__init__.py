"""The judge of a shadow: would it do harm, is it safe, or is it too early to say? A fold over pairs of answers.

docs/explanation/judge.md says what it guarantees, and where that ends.

state = begin(policy, sticky=...)
state = observe(state, observation)       # for each observation of the journal, in its order
report(state).verdict
"""

from lockgate.stages.deliver.shadow.explain import loss_told, sentence
from lockgate.stages.deliver.shadow.fold import observe
from lockgate.stages.deliver.shadow.observations import observations
from lockgate.stages.deliver.shadow.report import report
from lockgate.stages.deliver.shadow.state import ShadowState, begin

__all__ = ["ShadowState", "begin", "loss_told", "observations", "observe", "report", "sentence"]
