"""Observations into state, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lockgate.boundary.observations import FAILED
from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.kernel.errors import Conflict, Invalid
from lockgate.stages.deliver import judge
from lockgate.stages.deliver.contest.evidence import harm, harm_bar
from lockgate.stages.deliver.contest.ledger import Ledger, Taken
from lockgate.stages.deliver.contest.state import ContestState, Tally
from lockgate.stages.deliver.judge import JudgeState
from lockgate.stages.deliver.judge.router import Arrivals
from lockgate.stages.deliver.judge.tally import cell

_COMPARED = 2  # arms that must have had a share


def observe(state: ContestState, observation: Observation) -> ContestState:
    """The state after one more observation, in which each challenger that is proven to do harm is dropped, for good, and each
    that left.

    The ledgers are filled in place and go over to the state that is returned; the one given can still be reported on, not
    folded on. What came while one arm had all units compares nothing: it is no evidence.

    Raises:
        Conflict: the state was folded on already; replay the journal to get it again.
        Invalid: the observation does not fit the contest; nothing was folded.
    """
    if state.ledgers.folded != state.folded:
        raise Conflict(
            f"this state holds {state.folded} observations and its ledger {state.ledgers.folded}: it was folded on already",
            hint="go on from the state that observe returned, or replay the journal from the beginning",
        )
    arms = _arms(state, observation)
    state.ledgers.folded += 1
    left = tuple(arm for arm in observation.gone if arm not in state.dropped)
    state = replace(state, folded=state.folded + 1, dropped=(*state.dropped, *left))
    if sum(weight > 0 for weight in observation.weights) < _COMPARED:
        return replace(state, guards=_warmed(state.guards, observation))
    seen = [_arm(state, arm) for arm in arms]
    state = replace(
        state,
        guards=tuple(_guard(state, k, seen, observation) for k in range(1, state.arms)),
        arrivals=tuple(_arrived(state, k, seen, observation) for k in range(1, state.arms)),
        tallies=tuple(tally.plus(one.tally) for tally, one in zip(state.tallies, seen, strict=True)),
        first=_first(state, seen, observation),
    )
    harmed = (k for k in state.left if k and harm(state.guards[k - 1]) >= harm_bar(state))
    return replace(state, dropped=(*state.dropped, *harmed))


def _arms(state: ContestState, observation: Observation) -> tuple[ArmObservation, ...]:
    """The champion's first."""
    arms = (observation.baseline, observation.canary, *observation.others)
    if len(arms) != state.arms or len(observation.weights) != state.arms:
        raise Invalid(f"{len(arms)} arms and {len(observation.weights)} weights found, {state.arms} of each expected")
    quantiles = len(state.policy.quantiles)
    for arm in arms:
        if arm.units and not state.sticky:
            raise Invalid("the observation carries units, but the rollout's unit is the request", hint="begin with sticky=True")
        if arm.timed and len(arm.exceeded) != quantiles:
            raise Invalid(f"the observation has {len(arm.exceeded)} exceedances, expected {quantiles}")
    return arms


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one arm added. guarded: what guards are told of it. first: goal events that are their units' first. new: units."""

    guarded: ArmObservation
    tally: Tally
    first: int
    new: int


def _arm(state: ContestState, arm: ArmObservation) -> _Seen:
    units = state.ledgers.units.take(arm.units)
    new = len(units.opened) if state.sticky else arm.completed
    trials, events, first = _goal(state, arm, units)
    guarded = replace(arm, units=tuple(units.news), labels=())
    return _Seen(guarded, Tally(arm.completed, new, trials, events), first, new)


def _goal(state: ContestState, arm: ArmObservation, units: Taken) -> tuple[int, int, int]:
    """Trials, goal events among them, and goal events that are their units' first.

    A unit's first outcome is its trial. Its first event may come later, and in another arm: so the two are counted apart.
    """
    if state.contest.goal.event is not None:
        return _counted(_labels(state.ledgers.labels, arm))
    return _counted(units) if state.sticky else (arm.completed, arm.failed, arm.failed)


def _labels(ledger: Ledger, arm: ArmObservation) -> Taken:
    """Rows of one request have one key, so that a request is one outcome also where the unit is the request."""
    return ledger.take(arm.labels)


def _counted(taken: Taken) -> tuple[int, int, int]:
    happened = sum(bits & FAILED for bits in taken.opened)
    return len(taken.opened), happened, sum(bits & FAILED for _, bits in taken.news)


def _guard(state: ContestState, k: int, seen: Sequence[_Seen], observation: Observation) -> JudgeState:
    """The challenger beside the champion, of whose units together it got this share."""
    guard, own, champion = state.guards[k - 1], observation.weights[k], observation.weights[0]
    if own == 0 or champion == 0:
        return guard
    pair = Observation(own / (own + champion), seen[k].guarded, seen[0].guarded)
    return judge.observe(guard, pair)


def _warmed(guards: tuple[JudgeState, ...], observation: Observation) -> tuple[JudgeState, ...]:
    """Before the first step the champion's latencies are kept, to set thresholds by."""
    latencies = Observation(0.0, ArmObservation(), ArmObservation(latency=observation.baseline.latency))
    return tuple(judge.observe(guard, latencies) for guard in guards)


def _arrived(state: ContestState, k: int, seen: Sequence[_Seen], observation: Observation) -> Arrivals:
    before, weight = state.arrivals[k - 1], observation.weights[k]
    new, own = sum(one.new for one in seen), seen[k].new
    if not 0 < weight < 1 or not any(one.tally.requests for one in seen):
        return before
    return before.plus(cell(weight, own, new - own), observation.until, state.policy.settled)


def _first(state: ContestState, seen: Sequence[_Seen], observation: Observation) -> dict[tuple[float, ...], tuple[int, ...]]:
    added = tuple(one.first for one in seen)
    if not any(added):
        return state.first
    had = state.first.get(observation.weights, (0,) * state.arms)
    return {**state.first, observation.weights: tuple(one + more for one, more in zip(had, added, strict=True))}
