"""What may be wrong with a version, and what should come of it: the scenarios of a rehearsal, as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lockgate.domain.rollouts import JudgePolicy
from lockgate.kernel.quantities import format_share
from lockgate.stages.deliver.rehearsal.traffic import Traffic

TENTH = 10
LEAST_ERRORS = 0.001  # "twice the champion's errors" is nothing where the champion never fails: then it is twice this


class End(StrEnum):
    """How a rehearsed rollout stood when it ended, or when the hours were over."""

    PROMOTED = "promoted"
    STOPPED = "stopped"  # HARM: the champion answers everybody again
    INCONCLUSIVE = "inconclusive"  # held for a person
    ROUTER_FAULT = "router-fault"  # held for a person
    WAITING = "waiting"
    CHAMPION = "champion-won"  # of a contest
    CONTENDER = "contender-won"  # of a contest: another one than the version that was requested


WON = (End.PROMOTED, End.CHAMPION, End.CONTENDER)  # a contest has a winner


@dataclass(frozen=True, slots=True)
class Fault:
    """How the version on trial differs from the champion.

    errors: its own error rate; None: `errors_ratio` times the champion's. latency_ratio: each answer takes so many times as long.
    late_share, late_by: this share of its answers takes so many seconds longer. labels_ratio: the judged event is so many times
    as frequent. router_ratio: units meet it so many times as often as the weight says. both: the champion has the same fault.
    silent: nobody asks. differing: the share of answers in which a shadow differs from the champion; None: as many as where
    nothing is wrong, but twice what its labels are worse by. unlabelled: labels never come.
    """

    errors: float | None = None
    errors_ratio: float = 1.0
    latency_ratio: float = 1.0
    late_share: float = 0.0
    late_by: float = 0.0
    labels_ratio: float = 1.0
    router_ratio: float = 1.0
    both: bool = False
    silent: bool = False
    differing: float | None = None
    unlabelled: bool = False

    def error_rate(self, champion: float) -> float:
        if self.errors is not None:
            return self.errors
        return champion if self.errors_ratio == 1.0 else min(1.0, self.errors_ratio * max(champion, LEAST_ERRORS))

    def event_rate(self, champion: float) -> float:
        return min(1.0, self.labels_ratio * champion)

    def differs(self, traffic: Traffic) -> float:
        if self.differing is not None:
            return self.differing
        rate = traffic.labels.event_rate if traffic.labels else 0.0
        return min(1.0, max(traffic.differing or 0.0, 2 * abs(self.event_rate(rate) - rate)))


@dataclass(frozen=True, slots=True)
class Scenario:
    """right: the ends that are as they should be; the figures tell how soon the first of them comes. metric: without it among
    the judged ones there is nothing to be seen. every: only each so-many-th run is made, where all are long and alike.
    """

    name: str
    fault: Fault
    right: tuple[End, ...]
    metric: str | None = None
    every: int = 1


_STOPPED = (End.STOPPED,)

SCENARIOS = (
    Scenario("harmless", Fault(), (End.PROMOTED,)),
    Scenario("errors-x5", Fault(errors_ratio=5), _STOPPED, "errors"),
    Scenario("errors-x2", Fault(errors_ratio=2), _STOPPED, "errors"),
    Scenario("outage", Fault(errors=1.0), _STOPPED, "errors"),
    Scenario("latency-x1.5", Fault(latency_ratio=1.5), _STOPPED, "latency"),
    Scenario("latency-x2", Fault(latency_ratio=2), _STOPPED, "latency"),
    Scenario("slow-tail", Fault(late_share=0.02, late_by=0.2), _STOPPED, "latency"),
    Scenario("labels-x1.25", Fault(labels_ratio=1.25), _STOPPED, "labels"),
    Scenario("router-skew", Fault(router_ratio=1.2), (End.ROUTER_FAULT,)),
    Scenario("no-traffic", Fault(silent=True), (End.WAITING,), every=TENTH),
    Scenario("both-fail", Fault(errors=1.0, both=True), (End.INCONCLUSIVE, End.WAITING), "errors", TENTH),
)
INJECTED = "injected"


def injected(fault: Fault) -> Scenario:
    """A scenario of the user's own: something is wrong, so it should be stopped."""
    return Scenario(INJECTED, fault, _STOPPED)


def visible(scenario: Scenario, policy: JudgePolicy) -> bool:
    """Whether the judge looks at what the scenario changes."""
    return scenario.metric is None or scenario.metric in policy.metrics


def story(fault: Fault, traffic: Traffic) -> str:
    """What is different, in this traffic's figures: `errors 1% → 5%`."""
    if fault.silent:
        return "nobody asks"
    told = []
    rate = fault.error_rate(traffic.errors)
    if fault.both:
        told.append(f"errors {_share(rate)} in both arms")
    elif rate != traffic.errors:
        told.append(f"errors {_share(traffic.errors)} → {_share(rate)}")
    if fault.latency_ratio != 1:
        told.append(f"latency × {fault.latency_ratio:g}")
    if fault.late_share:
        told.append(f"{_share(fault.late_share)} of answers {1000 * fault.late_by:g} ms later")
    if fault.labels_ratio != 1 and traffic.labels:
        before = traffic.labels.event_rate
        told.append(f"label events {_share(before)} → {_share(fault.event_rate(before))}")
    if traffic.differing is not None:
        told.append(f"{_share(fault.differs(traffic))} of the answers differ")
    if fault.unlabelled:
        told.append("labels never come")
    if fault.router_ratio != 1:
        told.append(f"the router gives it {fault.router_ratio:g} × its share")
    return ", ".join(told) or "nothing is different"


def _share(value: float) -> str:
    return format_share(float(f"{value:.3g}"))
