"""What of all that workers saw is evidence about a rollout."""

from __future__ import annotations

import pytest

from lockgate.boundary.observations import Cell, UnitOutcome
from lockgate.boundary.routes import LabelEvent, Revision
from lockgate.domain.evidence import ArmObservation
from lockgate.domain.rollouts import JudgePolicy, Predictions, RampStep, Rollout, Segments
from lockgate.kernel.errors import Invalid
from lockgate.stages.deliver.evidence import observations
from lockgate.testing import builders as a
from lockgate.testing.clock import START


def rollout(judge: JudgePolicy | None = None) -> Rollout:
    ramp = (RampStep(0, 1, 0.0, START), RampStep(0, 2, 0.05, START))
    return a.rollout(ramp=ramp, judge=judge or JudgePolicy())


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


# Segments

CARRIERS = JudgePolicy(
    metrics=("errors", "labels"), label_event=LabelEvent("wrong", 0.5), segments=Segments("field:carrier", ("AA", "UA"))
)


def test_cells_of_declared_segments_stay_apart_and_all_others_are_added_up() -> None:
    cells = [cell(version, segment=segment) for version in (1, 2) for segment in ("UA", "", "AA", "DL")]
    told = observations(rollout(CARRIERS), cells, ())
    assert [(one.segment, one.canary.completed, one.baseline.completed) for one in told] == [
        ("", 20, 20),
        ("AA", 10, 10),
        ("UA", 10, 10),
    ]


def test_a_rollout_that_declares_no_segments_tells_of_none() -> None:
    told = observations(rollout(), [cell(2, segment=segment) for segment in ("UA", "", "AA")], ())
    assert [(one.segment, one.canary.completed) for one in told] == [("", 30)]


def test_a_label_belongs_to_the_segment_that_its_prediction_id_names() -> None:
    labels = [a.feedback(version=2, revision=Revision(0, 2), key=n, score=0.9, label=0.0, segment=n) for n in (0, 1, 2, 3)]
    told = observations(rollout(CARRIERS), (), labels)
    assert {one.segment: one.canary.labels for one in told} == {"": ((0, 1), (3, 1)), "AA": ((1, 1),), "UA": ((2, 1),)}


def test_a_label_that_is_a_number_is_held_against_the_score() -> None:
    told = observations(
        rollout(JudgePolicy(metrics=("errors", "labels"), label_event=LabelEvent("off", 5.0))),
        (),
        [a.feedback(version=2, revision=Revision(0, 2), key=n, score=30.0, label=25.0 - n) for n in range(3)],
    )
    assert [one.canary.labels for one in told] == [((0, 0), (1, 1), (2, 1))]


# What is in flight, and scores


def test_an_observation_reaches_as_far_as_its_last_request() -> None:
    told = observations(rollout(), [cell(1, last_at=7.0), cell(2, last_at=9.0), cell(2, last_at=8.0)], ())
    assert [one.until for one in told] == [9.0]


def test_scores_are_told_only_where_predictions_are_compared() -> None:
    cells = [
        cell(1, scores={3: 4}),
        cell(1, scores={3: 1, 5: 5}),
        cell(2, bins_id=1, bins=(1, 2)),
        cell(2, bins_id=1, bins=(3, 4)),
    ]
    (kept,) = observations(rollout(JudgePolicy(predictions=Predictions())), cells, ())
    assert (kept.baseline.scores, kept.canary.bins) == ({3: 5, 5: 5}, (4, 6))
    (passed,) = observations(rollout(), cells, ())
    assert (passed.baseline.scores, passed.canary.bins) == ({}, ())


def test_scores_of_the_time_before_the_first_step_are_kept_and_nothing_else_but_latencies() -> None:
    early = a.cell(version=1, revision=Revision(0, 1), scores={3: 4}, bins_id=1, bins=(9,))
    (kept,) = observations(rollout(JudgePolicy(predictions=Predictions())), [early], ())
    assert kept.baseline == ArmObservation(latency={100: 10}, scores={3: 4})


def test_bins_that_do_not_fit_each_other_are_refused() -> None:
    cells = [cell(1, bins_id=1, bins=(1, 2)), cell(1, bins_id=1, bins=(1, 2, 3))]
    with pytest.raises(Invalid, match="cells with 2 and with 3 bins found"):
        observations(rollout(JudgePolicy(predictions=Predictions())), cells, ())
