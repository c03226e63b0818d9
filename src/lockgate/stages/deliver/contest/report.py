"""The verdict on a contest, and the figures that people see with it: the same report as a canary's, with all arms."""

from __future__ import annotations

from lockgate.domain.contests import ArmFigures
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.contest.evidence import beats, fault, harm, harm_bar, winner_bar
from lockgate.stages.deliver.contest.state import ContestState
from lockgate.stages.deliver.contest.weights import probabilities
from lockgate.stages.deliver.judge.bounds import router_bound, safe_bound
from lockgate.stages.deliver.judge.report import SMALLEST, Rate, Report
from lockgate.stages.deliver.judge.router import Assigned, assigned
from lockgate.stats.confidence import rate_interval

GOAL = "goal"


def report(state: ContestState, *, extensions: int = 0) -> Report:
    """The judge's word.

    ROUTER_FAULT is looked at first. HARM: every challenger was dropped. WINNER: an arm that is still in is proven better than
    every other that is, after `min_units` outcomes. INCONCLUSIVE: none of these, after `max_units` units met a challenger, or as
    many requests as those units' windows hold. `extensions` adds as many budgets.
    """
    pairs = {(k, j): beats(state, k, j) for k in state.left for j in state.left if k != j}
    router, winner = fault(state), _winner(state, pairs)
    verdict = _verdict(state, router, winner, 1 + extensions)
    figures = _figures(state)
    requests = sum(one.requests for one in figures)
    exposed_units = sum(one.units for one in figures[1:])
    rates = [Rate(one.trials, one.events) for one in figures]
    return Report(
        verdict=verdict,
        metrics=(GOAL,) if verdict is JudgeVerdict.WINNER else (),
        evidence=_named(state, pairs, router),
        harm_bar=harm_bar(state),
        safe_bar=safe_bound(state.policy),
        router_bar=router_bound(state.policy),
        requests=requests,
        exposed_requests=requests - figures[0].requests,
        exposed_units=exposed_units,
        step_units=exposed_units + figures[0].units,
        step_canary_units=exposed_units,
        rates={GOAL: (rates[1], rates[0])},
        assigned=_assigned(state),
        arms=figures,
        winner=winner if verdict is JudgeVerdict.WINNER else None,
    )


def _winner(state: ContestState, pairs: dict[tuple[int, int], float]) -> int | None:
    if sum(tally.trials for tally in state.tallies) < state.policy.min_units:
        return None
    surest = {k: min((e for (arm, _), e in pairs.items() if arm == k), default=SMALLEST) for k in state.left}
    best = max(surest, key=lambda k: surest[k])
    return best if surest[best] >= winner_bar(state) else None


def _verdict(state: ContestState, router: float, winner: int | None, budgets: int) -> JudgeVerdict:
    if router >= router_bound(state.policy):
        return JudgeVerdict.ROUTER_FAULT
    if len(state.left) == 1:
        return JudgeVerdict.HARM
    if winner is not None:
        return JudgeVerdict.WINNER
    units, requests = (sum(getattr(tally, name) for tally in state.tallies[1:]) for name in ("units", "requests"))
    budget = state.policy.max_units * budgets
    if units >= budget or requests >= budget * state.policy.requests_per_unit:
        return JudgeVerdict.INCONCLUSIVE
    return JudgeVerdict.WAIT


def _figures(state: ContestState) -> tuple[ArmFigures, ...]:
    """Each arm's interval at alpha / n, so that all of them hold together; docs/explanation/contests.md says why they may."""
    trials, events = [tally.trials for tally in state.tallies], [tally.events for tally in state.tallies]
    low, high = rate_interval(trials, events, state.policy.alpha / state.arms)
    best = probabilities(state)
    return tuple(
        ArmFigures(
            tally.requests,
            tally.units,
            tally.trials,
            tally.events,
            float(low[arm]),
            float(high[arm]),
            best[arm],
            arm in state.dropped,
        )
        for arm, tally in enumerate(state.tallies)
    )


def _named(state: ContestState, pairs: dict[tuple[int, int], float], router: float) -> dict[str, float]:
    """`beats/K/J`, `harm/K` (arms by their place, the champion's is 0), `router`."""
    found = {f"beats/{k}/{j}": value for (k, j), value in pairs.items()}
    found |= {f"harm/{k}": harm(guard) for k, guard in enumerate(state.guards, 1)}
    return {name: max(value, SMALLEST) for name, value in (found | {"router": router}).items()}


def _assigned(state: ContestState) -> Assigned:
    """All challengers together."""
    each = [assigned(one) for one in state.arrivals]
    units = max(one.units for one in each)
    return Assigned(units, sum(one.canary for one in each), sum(one.expected for one in each))
