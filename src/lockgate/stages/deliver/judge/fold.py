"""Observations into state, one after the other. Cells that carry counts are folded in constant time, units one by one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from lockgate.boundary.histogram import merge
from lockgate.boundary.observations import FAILED
from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.kernel.errors import Conflict, Invalid
from lockgate.stages.deliver.judge.ledger import Ledger, Taken, tally_of
from lockgate.stages.deliver.judge.router import Arrivals
from lockgate.stages.deliver.judge.segments import Segment, SegmentLedgers
from lockgate.stages.deliver.judge.state import Family, JudgeState, Ledgers, Seen, families
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
    """What both arms' units, and their labelled units, added under one weight; canary first."""

    units: tuple[Taken, Taken]
    labelled: tuple[Taken, Taken]


def _evidence(state: JudgeState, observation: Observation) -> JudgeState:
    arrived = _arrived(state, state.ledgers, observation)
    tallies = dict(state.tallies)
    for family in families(state.policy):
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
    arrived = _arrived(state, state.ledgers.segments[observation.segment], observation)
    tallies = dict(segment.tallies)
    for family in families(state.policy):
        if family.metric in tallies:
            tallies[family.metric] = tallies[family.metric].plus(_added(state, family, observation, arrived)[family.metric])
    units = segment.units + sum(taken.new for taken in arrived.units)
    return replace(state, segments={**state.segments, observation.segment: Segment(units, tallies)})


def _arrivals(state: JudgeState, observation: Observation, canary: Taken, baseline: Taken) -> Arrivals:
    if not observation.canary.completed + observation.baseline.completed:
        return state.arrivals
    new = cell(observation.weight, canary.new, baseline.new)
    return state.arrivals.plus(new, observation.until, state.policy.settled)


def _arrived(state: JudgeState, ledgers: Ledgers | SegmentLedgers, observation: Observation) -> _Arrived:
    return _Arrived(_units(state, ledgers.units, observation), _labelled(state, ledgers.labels, observation))


def _units(state: JudgeState, ledger: Ledger, observation: Observation) -> tuple[Taken, Taken]:
    canary, baseline = observation.canary, observation.baseline
    if not state.sticky:
        n, m = canary.completed, baseline.completed
        return Taken(new=n, units=n, exposed=n), Taken(new=m, units=m)
    return _take(ledger, observation.weight, canary.units, baseline.units)


def _labelled(state: JudgeState, ledger: Ledger, observation: Observation) -> tuple[Taken, Taken]:
    if "labels" not in state.policy.metrics:
        return Taken(), Taken()
    return _take(ledger, observation.weight, observation.canary.labels, observation.baseline.labels)


def _take(ledger: Ledger, weight: float, canary: Records, baseline: Records, family: Family | None = None) -> tuple[Taken, Taken]:
    shift, mask = (family.shift, family.mask) if family else (0, FAILED)
    return (
        ledger.take(canary, weight, canary=True, shift=shift, mask=mask),
        ledger.take(baseline, weight, canary=False, shift=shift, mask=mask),
    )


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
        # A unit's record does not say whether the request was compared. An observation compared in part (that of the tick
        # which brings the thresholds, unless it comes in two) counts as compared: the others are quick ones, in both arms alike.
        timed = (canary.units, baseline.units) if canary.timed + baseline.timed else ((), ())
        return _by_unit(family, weight, _take(state.ledgers.latency, weight, *timed, family))
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
