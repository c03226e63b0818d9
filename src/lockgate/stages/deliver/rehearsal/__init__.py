"""A rollout before the rollout: a plan, driven by the machine and the judge of production over traffic that is drawn.

docs/explanation/rehearse.md says what is simulated, and what is not.

drive(plan, traffic, fault, random)       # one run
summary(scenario, plan, traffic, runs)    # many of them
"""

from lockgate.stages.deliver.rehearsal.catalogue import judged_event, most_differing, scenario_names, scenarios
from lockgate.stages.deliver.rehearsal.drive import Run, drive
from lockgate.stages.deliver.rehearsal.reading import duration, sentence, warnings
from lockgate.stages.deliver.rehearsal.scenarios import SCENARIOS, End, Fault, Scenario, injected, visible
from lockgate.stages.deliver.rehearsal.summary import Count, Spread, Summary, summary
from lockgate.stages.deliver.rehearsal.traffic import Labels, Latency, Traffic, uneven

__all__ = [
    "SCENARIOS",
    "Count",
    "End",
    "Fault",
    "Labels",
    "Latency",
    "Run",
    "Scenario",
    "Spread",
    "Summary",
    "Traffic",
    "drive",
    "duration",
    "injected",
    "judged_event",
    "most_differing",
    "scenario_names",
    "scenarios",
    "sentence",
    "summary",
    "uneven",
    "visible",
    "warnings",
]
