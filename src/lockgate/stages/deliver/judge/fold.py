"""Observations into state, one after the other. Cells that carry counts are folded in constant time, units one by one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeAlias

from lockgate.boundary.histogram import merge
from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.kernel.errors import Conflict, Invalid
from lockgate.stages.deliver.judge.ledger import Ledger, Taken, tally_of
from lockgate.stages.deliver.judge.router import Arrivals
from lockgate.stages.deliver.judge.rules import Family
from lockgate.stages.deliver.judge.segments import Segment, SegmentLedgers
from lockgate.stages.deliver.judge.state import JudgeState, Seen
from lockgate.stages.deliver.judge.tally import Tally, cell, counted

Records: TypeAlias = tuple[tuple[int, int], ...]


def observe(state: JudgeState, observation: Observation) -> JudgeState:
    """The state after one more observation.

    The ledgers are filled in place and go over to the state that is returned; the one given can still be reported on, not
    folded on. An observation under a weight of 0 or 1 (orphaned workers sent everything home, say) met one arm only and
    compares nothing: its requests are counted, it is no evidence.

    Raises:
        Conflict: the state was folded on already; replay the journal to get it again.
        Invalid: the observation does not fit the policy; nothing was folded.
    """
    if state.ledgers.folded != state.folded:
        raise Conflict(
            f"this state holds {state.folded} observations and its ledger {state.ledgers.folded}: it was folded on already",
            hint="go on from the state that observe returned, or replay the journal from the beginning",
        )
    _check(state, observation)
    state = _warmed(state, observation.baseline)
    if 0 < observation.weight < 1:
        state = _evidence(state, observation)
        state = _segment_evidence(state, observation)
    state.ledgers.folded += 1
    return replace(
        state,
        folded=state.folded + 1,
        requests=state.requests + observation.canary.completed + observation.baseline.completed,
        exposed_requests=state.exposed_requests + observation.canary.completed,
    )


def _check(state: JudgeState, observation: Observation) -> None:
    for arm in (observation.canary, observation.baseline):
        if arm.units and not state.sticky:
            raise Invalid("the observation carries units, but the rollout's unit is the request", hint="begin with sticky=True")
        if arm.timed and len(arm.exceeded) != len(state.policy.quantiles):
            raise Invalid(f"the observation has {len(arm.exceeded)} exceedances, expected {len(state.policy.quantiles)}")
        if arm.bins and len(arm.bins) != (expected := state.predictions.bins):
            raise Invalid(f"the observation has answers in {len(arm.bins)} bins, expected {expected}")


def _warmed(state: JudgeState, baseline: ArmObservation) -> JudgeState:
    """What thresholds and bins are set by."""
    if state.policy.predictions and baseline.scores:
        state = replace(state, predictions=state.predictions.warmed(baseline.scores))
    if not baseline.latency or sum(state.warm_up.values()) >= state.policy.latency_warm_up:
        return state
    counts = dict(state.warm_up)
    merge(counts, baseline.latency)
    return replace(state, warm_up=counts)


@dataclass(frozen=True, slots=True)
class _Arrived:
    """What both arms' units, their labelled units, and their units' timed requests added under one weight; canary first."""

    units: tuple[Taken, Taken]
    labelled: tuple[Taken, Taken]
    timed: tuple[Taken, Taken] = field(default_factory=lambda: (Taken(), Taken()))


def _evidence(state: JudgeState, observation: Observation) -> JudgeState:
    arrived = _arrived(state, observation)
    tallies = dict(state.tallies)
    for family in state.rules.families:
        for event, tally in _added(state, family, observation, arrived).items():
            tallies[event] = tallies[event].plus(tally)
    seen = dict(state.seen)
    seen[observation.weight] = _plus(seen.get(observation.weight, Seen()), observation, arrived)
    return replace(
        state,
        tallies=tallies,
        seen=seen,
        arrivals=_arrivals(state, observation, *arrived.units),
        predictions=state.predictions.plus(observation) if state.policy.predictions else state.predictions,
        exposed_units=state.exposed_units + arrived.units[0].exposed,
    )


def _segment_evidence(state: JudgeState, observation: Observation) -> JudgeState:
    """The same requests once more, as those of their segment."""
    segment = state.segments.get(observation.segment)
    if segment is None:
        return state
    arrived = _arrived_in_segment(state, state.ledgers.segments[observation.segment], observation)
    tallies = dict(segment.tallies)
    for family in state.rules.families:
        if family.metric in tallies:
            tallies[family.metric] = tallies[family.metric].plus(_added(state, family, observation, arrived)[family.metric])
    units = segment.units + sum(taken.new for taken in arrived.units)
    return replace(state, segments={**state.segments, observation.segment: Segment(units, tallies)})


def _arrivals(state: JudgeState, observation: Observation, canary: Taken, baseline: Taken) -> Arrivals:
    if not observation.canary.completed + observation.baseline.completed:
        return state.arrivals
    new = cell(observation.weight, canary.new, baseline.new)
    return state.arrivals.plus(new, observation.until, state.policy.settled)


def _arrived(state: JudgeState, observation: Observation) -> _Arrived:
    labelled = _labelled(state, state.ledgers.labels, observation)
    if not state.sticky:
        n, m = observation.canary.completed, observation.baseline.completed
        return _Arrived((Taken(new=n, units=n, exposed=n), Taken(new=m, units=m)), labelled)
    visits, slow = state.ledgers.units, _compared(state, observation)
    own, own_timed = visits.take(observation.canary.units, observation.weight, canary=True, slow=slow)
    other, other_timed = visits.take(observation.baseline.units, observation.weight, canary=False, slow=slow)
    return _Arrived((own, other), labelled, (own_timed, other_timed))


def _compared(state: JudgeState, observation: Observation) -> int:
    """Which bits of a unit's record say that a threshold was exceeded; 0 where the requests were compared with none.

    A record does not say whether its request was compared. An observation compared in part (that of the tick which brings the
    thresholds, unless it comes in two) counts as compared: the others are quick ones, in both arms alike.
    """
    if not observation.canary.timed + observation.baseline.timed:
        return 0
    return next((family.mask for family in state.rules.families if family.metric == "latency"), 0)


def _arrived_in_segment(state: JudgeState, ledgers: SegmentLedgers, observation: Observation) -> _Arrived:
    labelled = _labelled(state, ledgers.labels, observation)
    if not state.sticky:
        n, m = observation.canary.completed, observation.baseline.completed
        return _Arrived((Taken(new=n), Taken(new=m)), labelled)
    return _Arrived(_take(ledgers.units, observation.weight, observation.canary.units, observation.baseline.units), labelled)


def _labelled(state: JudgeState, ledger: Ledger, observation: Observation) -> tuple[Taken, Taken]:
    if "labels" not in state.policy.metrics:
        return Taken(), Taken()
    return _take(ledger, observation.weight, observation.canary.labels, observation.baseline.labels)


def _take(ledger: Ledger, weight: float, canary: Records, baseline: Records) -> tuple[Taken, Taken]:
    return ledger.take(canary, weight, canary=True), ledger.take(baseline, weight, canary=False)


def _added(state: JudgeState, family: Family, observation: Observation, arrived: _Arrived) -> dict[str, Tally]:
    """The tallies of a family's events in one observation."""
    canary, baseline, weight = observation.canary, observation.baseline, observation.weight
    if family.metric == "labels":
        return _by_unit(family, weight, arrived.labelled)
    if family.metric == "errors":
        if state.sticky:
            return _by_unit(family, weight, arrived.units)
        return {"errors": counted(weight, (canary.completed, canary.failed), (baseline.completed, baseline.failed))}
    if state.sticky:
        return _by_unit(family, weight, arrived.timed)
    return {
        event: counted(weight, (canary.timed, _exceeded(canary, i)), (baseline.timed, _exceeded(baseline, i)))
        for i, event in enumerate(family.events)
    }


def _by_unit(family: Family, weight: float, taken: tuple[Taken, Taken]) -> dict[str, Tally]:
    return {event: tally_of(bit, weight, *taken) for bit, event in enumerate(family.events)}


def _exceeded(arm: ArmObservation, quantile: int) -> int:
    return arm.exceeded[quantile] if arm.timed else 0


def _plus(seen: Seen, observation: Observation, arrived: _Arrived) -> Seen:
    canary, baseline = arrived.units
    return Seen(
        seen.units + canary.units + baseline.units,
        seen.canary_units + canary.units,
        seen.canary_requests + observation.canary.completed,
        seen.labelled + sum(taken.units for taken in arrived.labelled),
    )
