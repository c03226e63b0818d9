"""The traffic of a rehearsal, from what somebody says of it."""

from __future__ import annotations

from dataclasses import dataclass

from lockgate.domain.rollouts import Plan, Strategy
from lockgate.kernel.errors import Invalid
from lockgate.stages.deliver.journal import BY_REQUEST
from lockgate.stages.deliver.rehearsal import Labels, Latency, Traffic, judged_event, most_differing, uneven

TAIL = 4.0  # the 99 % quantile of the latency is so many times its median
DAY = 86_400.0
MOST_REQUESTS = 1e12  # of one run: counts stay exact

REQUESTS_PER_SECOND = 20.0
ERRORS = 0.01
MEDIAN_LATENCY = 0.01  # seconds
UNITS = 10_000
LABEL_EVENTS = 0.1
DIFFERING = 0.02  # of a shadow's answers, where agreement is not judged; where it is, half of what it allows


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody said of the traffic; None: nothing. latency: the median, in seconds, as label_delay. hours: how long one run
    is followed at most.
    """

    requests_per_second: float | None = None
    hours: float | None = None
    errors: float | None = None
    latency: float | None = None
    units: int | None = None
    label_events: float | None = None
    label_delay: float | None = None
    differing: float | None = None

    def errors_for(self, plan: Plan) -> float:
        """A shadow is asked about what was answered, and where nothing is wrong it answers."""
        return _or(self.errors, 0.0 if plan.strategy is Strategy.SHADOW else ERRORS)

    def differing_for(self, plan: Plan) -> float | None:
        if plan.strategy is not Strategy.SHADOW:
            return None
        allowed = most_differing(plan.judge)
        return _or(self.differing, DIFFERING if allowed == 1 else allowed / 2)

    def hours_for(self, labels: Labels | None) -> float:
        """A day, from the first label on."""
        return self.hours if self.hours is not None else 24.0 + (labels.delay / 3600 if labels else 0.0)

    def latency_or(self, median: float) -> Latency:
        median = median if self.latency is None else self.latency
        return Latency.lognormal(median, TAIL * median)


def assume_traffic(plan: Plan, asked: Asked) -> Traffic:
    """Traffic as it was asked for; what was not said is 20 requests a second, 1 % of them failures, 10 ms, and where units are
    sticky 10,000 of them; where labels are judged the event in 10 % of them, a day after the answer. A shadow that is as good
    never fails by itself and differs half as often as it may.

    Raises:
        Invalid: what was asked for does not fit the plan, or each other.
    """
    check_asked(plan, asked)
    labels = None
    if judged_event(plan) is not None:
        labels = Labels(_or(asked.label_events, LABEL_EVENTS), _or(asked.label_delay, DAY))
    sticky = plan.unit != BY_REQUEST
    return checked(
        Traffic(
            requests_per_second=_or(asked.requests_per_second, REQUESTS_PER_SECOND),
            errors=asked.errors_for(plan),
            latency=asked.latency_or(MEDIAN_LATENCY),
            labels=labels,
            activity=uneven(asked.units or UNITS) if sticky else (),
            hours=asked.hours_for(labels),
            differing=asked.differing_for(plan),
        )
    )


def check_asked(plan: Plan, asked: Asked) -> None:
    """
    Raises:
        Invalid: it is about units, labels or answers that differ, and the plan knows none.
    """  # noqa: D212 - there is nothing else to say
    if asked.units is not None and plan.unit == BY_REQUEST:
        hint = "Leave --units out, or name a unit that comes again: unit: header:NAME or field:NAME"
        raise Invalid(f"{asked.units} units found, none expected: in this plan each request is a unit of its own", hint=hint)
    if asked.differing is not None and plan.strategy is not Strategy.SHADOW:
        hint = "Leave --differing out, or let production say strategy: shadow"
        raise Invalid(f"answers that differ found, none expected: strategy {plan.strategy.value} compares no pairs", hint=hint)
    if judged_event(plan) is None and (asked.label_events is not None or asked.label_delay is not None):
        judged = "the fewest errors" if plan.contest else ", ".join(plan.judge.metrics)
        labels = "set a goal of labels" if plan.contest else "add labels to judge: metrics"
        hint = f"Leave --label-events and --label-delay out, or {labels}"
        raise Invalid(f"something about labels found, nothing expected: the plan judges {judged}", hint=hint)


def checked(traffic: Traffic) -> Traffic:
    """
    Raises:
        Invalid: there is more of it than can be counted.
    """  # noqa: D212 - there is nothing else to say
    requests = traffic.requests_per_second * traffic.seconds
    if requests > MOST_REQUESTS:
        raise Invalid(
            f"{requests:.3g} requests in {traffic.hours:g} h found, at most {MOST_REQUESTS:.0g} expected",
            hint="Give a lower --requests-per-second or fewer --hours",
        )
    return traffic


def _or(given: float | None, otherwise: float) -> float:
    return otherwise if given is None else given
