"""Observations into state, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lockgate.boundary.observations import DISAGREED, FAILED
from lockgate.domain.evidence import Observation
from lockgate.kernel.errors import Conflict, Invalid
from lockgate.stages.deliver.shadow.losses import LossTally
from lockgate.stages.deliver.shadow.state import ShadowState
from lockgate.stages.deliver.shadow.tally import OTHER, OWN, Tally, counted


def observe(state: ShadowState, observation: Observation) -> ShadowState:
    """The state after one more observation.

    The ledgers are filled in place and go over to the state that is returned; the one given can still be reported on, not
    folded on.

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
    state.ledgers.folded += 1
    added = {"agreement": _agreement(state, observation), "errors": _errors(state, observation)}
    added["labels"] = state.ledgers.labels.take(_labels(observation))
    return replace(
        state,
        folded=state.folded + 1,
        requests=state.requests + observation.canary.completed,
        pairs=state.pairs + observation.pairs.agreed + observation.pairs.disagreed,
        labels=state.labels + len(observation.canary.labels),
        loss=_loss(state, observation),
        tallies={metric: tally.plus(added[metric]) for metric, tally in state.tallies.items()},
    )


def _check(state: ShadowState, observation: Observation) -> None:
    shadow, champion, pairs = observation.canary, observation.baseline, observation.pairs
    if shadow.units and not state.sticky:
        raise Invalid("the observation carries units, but the rollout's unit is the request", hint="begin with sticky=True")
    if [key for key, _ in shadow.labels] != [key for key, _ in champion.labels]:
        raise Invalid("the labels of shadow and champion are not those of the same predictions")
    if pairs.agreed + pairs.disagreed + shadow.failed != shadow.completed:
        raise Invalid(
            f"{pairs.agreed} pairs that agree, {pairs.disagreed} that do not and {shadow.failed} failures found, "
            f"together {shadow.completed} expected"
        )
    if wrong := next((one for one in pairs.losses if not all(0 <= loss <= 1 for loss in one[1:])), None):
        raise Invalid(f"losses of {wrong[1]} and {wrong[2]} found, from 0 to 1 expected")


def _agreement(state: ShadowState, observation: Observation) -> Tally:
    if not state.sticky:
        return counted(observation.pairs.agreed + observation.pairs.disagreed, observation.pairs.disagreed)
    answered = ((key, bits) for key, bits in observation.canary.units if not bits & FAILED)
    return state.ledgers.agreement.take((key, OWN if bits & DISAGREED else 0) for key, bits in answered)


def _errors(state: ShadowState, observation: Observation) -> Tally:
    if not state.sticky:
        return counted(observation.canary.completed, observation.canary.failed)
    return state.ledgers.errors.take((key, OWN if bits & FAILED else 0) for key, bits in observation.canary.units)


def _loss(state: ShadowState, observation: Observation) -> LossTally:
    pairs, loss = observation.pairs, state.policy.loss
    if loss is None:
        return state.loss
    first, windows = state.ledgers.losses.take(pairs.losses)
    return state.loss.plus(first, windows, loss.margin, len(pairs.losses), pairs.left_out)


def _labels(observation: Observation) -> Iterator[tuple[int, int]]:
    """Rows of one request have one key, so that a request is one outcome also where the unit is the request."""
    for (key, own), (_, other) in zip(observation.canary.labels, observation.baseline.labels, strict=True):
        yield key, OWN * own | OTHER * other
