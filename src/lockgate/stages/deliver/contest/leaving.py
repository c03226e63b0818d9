"""Challengers that leave a contest though nothing was proven of them: their packages cannot be loaded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from lockgate.boundary.acknowledgements import Acknowledgement, Readiness
from lockgate.boundary.routes import Revision
from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.domain.rollouts import Rollout
from lockgate.stages.deliver.readiness import readiness


def without_unloadable(rollout: Rollout, workers: Iterable[Acknowledgement], since: Revision) -> Rollout:
    """The contest with the reason written on each challenger that a worker cannot load.

    As it was where that would leave no challenger: then the rollout itself cannot be loaded. Other rollouts have no challengers.
    since: the first revision that asks for the packages.
    """
    known = list(workers)
    still_in = [one for one in rollout.contestants[1:] if not one.out]
    states = {one.version: readiness(known, one.digest, since) for one in still_in}
    reasons = {version: reason for version, (state, reason) in states.items() if state is Readiness.FAILED}
    if not reasons or len(reasons) == len(still_in):
        return rollout
    arms = tuple(replace(one, gone=reasons.get(one.version, one.gone)) for one in rollout.contestants)
    return replace(rollout, contestants=arms)


def leavings(before: Rollout, after: Rollout) -> tuple[Observation, ...]:
    """What the judge is told of it, for the journal: an observation of nothing but who left; none where nobody did."""
    pairs = enumerate(zip(before.contestants, after.contestants, strict=True))
    gone = tuple(place for place, (was, now) in pairs if now.gone and not was.gone)
    if not gone:
        return ()
    others, nobody = len(after.contestants) - 1, ArmObservation()
    weights = (1.0, *(0.0,) * others)
    return (Observation(0.0, nobody, nobody, others=(nobody,) * (others - 1), weights=weights, gone=gone),)
