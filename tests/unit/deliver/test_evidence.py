"""What of all that workers saw is evidence about a rollout."""

from __future__ import annotations

from lockgate.boundary.observations import Cell, UnitOutcome
from lockgate.boundary.routes import Revision
from lockgate.domain.evidence import ArmObservation
from lockgate.domain.rollouts import RampStep, Rollout
from lockgate.stages.deliver.evidence import observations
from lockgate.testing import builders as a
from lockgate.testing.clock import START


def rollout() -> Rollout:
    return a.rollout(ramp=(RampStep(0, 1, 0.0, START), RampStep(0, 2, 0.05, START)))


def seen(*cells: Cell) -> tuple[ArmObservation, ArmObservation] | None:
    """Canary and baseline at the first step; None if nothing was seen."""
    found = observations(rollout(), cells, ())
    return (found[0].canary, found[0].baseline) if found else None


def cell(version: int, **fields: object) -> Cell:
    return a.cell(version=version, revision=Revision(0, 2), **fields)


def test_what_a_shadow_answered_is_no_evidence_for_either_arm() -> None:
    shadows = [
        cell(version, completed=90, failures={"error": 90}, units=(UnitOutcome(1, 1),), shadow=True, disagreed=5)
        for version in (1, 2)
    ]
    assert seen(*shadows) is None
    assert seen(*shadows, cell(1), cell(2)) == seen(cell(1), cell(2))


def test_whatever_kinds_of_failures_there_are_they_are_added_up() -> None:
    found = seen(cell(2, failures={"aborted": 2, "timeout": 1, "a kind that is new": 3}), cell(1, failures={"aborted": 1}))
    assert found is not None
    canary, baseline = found
    assert (canary.completed, canary.failed, baseline.failed) == (10, 6, 1)
