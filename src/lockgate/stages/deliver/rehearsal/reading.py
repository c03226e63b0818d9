"""What a rehearsal's figures mean, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.domain.rollouts import Plan
from lockgate.kernel.quantities import format_share
from lockgate.stages.deliver.rehearsal.scenarios import WON, End
from lockgate.stages.deliver.rehearsal.summary import Count, Stuck, Summary
from lockgate.stages.deliver.rehearsal.traffic import Traffic

ENOUGH = 0.9  # of the runs: a plan that promotes a harmless version less often is worth a warning

_ENDED = {
    End.PROMOTED: "promoted",
    End.STOPPED: "stopped",
    End.INCONCLUSIVE: "held for a person as INCONCLUSIVE",
    End.ROUTER_FAULT: "held for a person as ROUTER_FAULT",
    End.WAITING: "still waiting when the hours were over",
    End.CHAMPION: "won by the champion",
    End.CONTENDER: "won by a contender",
}
_TOLD_IF_NEVER = {End.PROMOTED: "never promoted", End.STOPPED: "never falsely stopped"}
_UNITS = ((86_400.0, 2, "days"), (3600.0, 2, "h"), (60.0, 2, "min"), (1.0, 0, "s"))


def sentence(summary: Summary) -> str:
    """What the figures of one scenario say."""
    if not summary.runs:
        return f"{summary.scenario}: no run was finished in the time that was given (--seconds)."
    ends = [end for end in End if summary.ends[end].runs]
    ends.sort(key=lambda end: (end not in summary.right, -summary.ends[end].runs))
    never = [end for end in _TOLD_IF_NEVER if end not in (*summary.right, *ends)]
    told = [_end(summary, end) for end in ends]
    told += [f"{_TOLD_IF_NEVER[end]} ({interval(summary.ends[end])})" for end in never]
    if summary.won is not None and not {*WON, End.STOPPED} & set(summary.right):
        told.append(f"a winner though none is right in {summary.won.runs} of {summary.won.of} ({interval(summary.won)})")
    return f"{summary.scenario} ({summary.story}): {'; '.join(told)}."


def _end(summary: Summary, end: End) -> str:
    count = summary.ends[end]
    told = f"{_ENDED[end]} in {count.runs} of {count.of} runs"
    if end not in summary.right:
        return f"{told} ({interval(count)})"
    by = f" by {' and '.join(summary.metrics)}" if end is End.STOPPED and summary.metrics else ""
    return told + by + (_delay(summary) if end is not End.WAITING else "")


def _delay(summary: Summary) -> str:
    """With a clause of its own, or nothing where most runs did not come so far."""
    requests, exposed, units = (one.median for one in (summary.requests, summary.exposed_requests, summary.exposed_units))
    if requests is None or exposed is None or summary.seconds.median is None:
        return ""
    p90 = "never" if summary.requests.p90 is None else f"{summary.requests.p90:,.0f}"
    after = f"after {requests:,.0f} requests in the median (p90 {p90}), which is {duration(summary.seconds.median)}"
    return f", {after}; {_met(summary, exposed, units)}"


def _met(summary: Summary, exposed: float, units: float | None) -> str:
    """Whom the version's answers reached."""
    if summary.won is not None and summary.exposed_share.median is not None and summary.share.median is not None:
        part, end = format_share(round(summary.exposed_share.median, 2)), format_share(round(summary.share.median, 2))
        return f"{exposed:,.0f} of them it answered ({part}), {end} of all in the end"
    if not exposed:
        counted = summary.units.median
        return f"{counted:,.0f} pairs counted, and nobody met its answers" if counted else "nobody met its answers"
    met = "" if units is None or units == exposed else f", to {units:,.0f} units"
    return f"{exposed:,.0f} of them it answered{met}"


def interval(count: Count) -> str:
    return f"95 %: {_two_digits(100 * count.low)} to {_two_digits(100 * count.high)} %"


def duration(seconds: float) -> str:
    """`0.4 s`, `90 s`, `14 min`, `5.3 h`, `2.1 days`: two of a unit at least."""
    size, name = next(((size, name) for size, least, name in _UNITS if seconds >= least * size))
    return f"{_two_digits(seconds / size)} {name}"


def _two_digits(amount: float) -> str:
    """Two at least: 0.4, 2.3, 14, 119."""
    return f"{amount:.2g}" if round(amount) < 10 else f"{amount:.0f}"  # noqa: PLR2004 - a digit less


def warnings(plan: Plan, traffic: Traffic, summaries: Sequence[Summary]) -> tuple[str, ...]:
    """What the plan cannot do at this traffic, and which key to change."""
    told = []
    for one in summaries:
        promoted = one.ends[End.PROMOTED]
        if one.right == (End.PROMOTED,) and one.runs and promoted.share < ENOUGH:
            told.append(_cannot_promote(plan, traffic, one) if one.won is None else _no_winner(plan, traffic, one))
        if one.right == (End.STOPPED,) and promoted.runs > promoted.of * plan.judge.beta:
            told.append(_within_margins(plan, one))
    return tuple(told)


def _within_margins(plan: Plan, one: Summary) -> str:
    promoted = one.ends[End.PROMOTED]
    return (
        f"{one.scenario} ({one.story}) is promoted in {promoted.runs} of {promoted.of} runs: it lies within what SAFE allows. "
        f"If it is harm to you, lower judge: margins: {_margins(plan)}."
    )


def _cannot_promote(plan: Plan, traffic: Traffic, one: Summary) -> str:
    promoted, held, waiting = (one.ends[end].runs for end in (End.PROMOTED, End.INCONCLUSIVE, End.WAITING))
    told = (
        f"a version as good as the champion is promoted in {promoted} of {one.runs} runs only: {held} end INCONCLUSIVE, "
        f"{waiting} are still waiting after {traffic.hours:.3g} h."
    )
    return told if one.stuck is None else f"{told} {_way_out(plan, one.stuck, spent=held >= waiting)}"


def _no_winner(plan: Plan, traffic: Traffic, one: Summary) -> str:
    return (
        f"{one.scenario} ({one.story}): a version that is so much better wins in {one.ends[End.PROMOTED].runs} of {one.runs} runs"
        f" only, within judge: max_units ({plan.judge.max_units}) and {traffic.hours:.3g} h: raise one, or name fewer contenders."
    )


def _way_out(plan: Plan, stuck: Stuck, *, spent: bool) -> str:
    at = f"At {format_share(stuck.weight)}"
    if stuck.short_of_units * 2 > stuck.of:
        return f"{at} they had not seen min_units ({plan.judge.min_units}): lower judge: min_units, or allow more --hours."
    unproven = f"{at} {' and '.join(stuck.metrics)} cannot be proven in time:"
    wider = f"widen judge: {_allowances(plan, stuck.metrics)}"
    if spent:
        return f"{unproven} raise judge: max_units ({plan.judge.max_units}), or {wider}."
    larger = "take fewer or larger `steps`" if plan.steps else f"raise `share` ({format_share(plan.share)})"
    return f"{unproven} {larger}, {wider}, or allow more --hours."


def _allowances(plan: Plan, metrics: Sequence[str]) -> str:
    """Which keys say how much worse a version may be; agreement has one of its own."""
    agreement = plan.judge.agreement
    said = [f"margins: {_margins(plan, metrics)}"] if any(one in plan.judge.margins for one in metrics) else []
    if agreement is not None and "agreement" in metrics:
        said.append(f"agreement: at_least ({format_share(agreement.at_least)})")
    return ", ".join(said)


def _margins(plan: Plan, metrics: Sequence[str] = ()) -> str:
    known = plan.judge.margins
    return ", ".join(
        f"{name} (ratio {known[name].ratio:g}, floor {format_share(known[name].floor)})"
        for name in metrics or plan.judge.metrics
        if name in known
    )
