"""When a version is held back, and which units it keeps: nobody who met the canary goes back, and the end moves the rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.routes import Revision, Role, Route, Thresholds
from lockgate.boundary.selector import choose, unit_key
from lockgate.domain.holds import HoldEnd, HoldState
from lockgate.domain.models import ModelVersion, Stage
from lockgate.domain.rollouts import JudgePolicy, Phase, RampStep, Rollout, Strategy
from lockgate.stages.deliver.hold_back import begun, ended, from_revision, leaves_behind
from lockgate.stages.deliver.rollout import weight_at
from lockgate.stages.deliver.routes import route
from lockgate.testing import builders as a
from lockgate.testing.clock import START

RAMP = (RampStep(0, 1, 0.0, START), RampStep(0, 2, 0.05, START), RampStep(0, 3, 0.5, START))
THRESHOLDS = Thresholds(1, (0.95,), (0.01,), (0.02,))


def promoted(**fields: Any) -> Rollout:
    defaults = {"phase": Phase.PROMOTED, "step": 1, "ramp": RAMP, "hold_back": 0.05, "held": 3600.0, "thresholds": THRESHOLDS}
    return a.rollout(**{**defaults, **fields})


def version(number: int, stage: Stage) -> ModelVersion:
    return a.version(number, stage=stage)


def served(hold: bool = True, **more: Any) -> Route:  # noqa: FBT001, FBT002
    """Version 2 in Production, version 1 retained and perhaps held back."""
    kept = begun(promoted(), "hold-1", START) if hold else None
    standing = more.pop("standing", [version(2, Stage.PRODUCTION)])
    found = route(a.MODEL, standing, more.pop("rollouts", []), version(1, Stage.ARCHIVED), hold=kept)
    assert found is not None
    return found


def arms(of: Route) -> list[tuple[int, Role, float]]:
    return [(arm.version, arm.role, arm.weight) for arm in of.arms]


def answering(of: Route, unit: str) -> int:
    return of.arms[choose(unit_key(of.salt, unit), [arm.weight for arm in of.arms])].version


@pytest.mark.parametrize(
    ("fields", "leaves"),
    [
        ({}, True),
        ({"strategy": Strategy.SHADOW, "steps": ()}, True),
        ({"hold_back": 0.0}, False),
        ({"strategy": Strategy.REPLACE, "steps": ()}, False),
        ({"strategy": Strategy.BLUE_GREEN, "steps": ()}, False),
        ({"strategy": Strategy.AB, "steps": ()}, False),
        ({"phase": Phase.ABORTED}, False),
        ({"environment": "staging"}, False),
        ({"baseline": None, "baseline_digest": None}, False),
        ({"judge": JudgePolicy(metrics=("agreement",))}, False),
    ],
)
def test_what_was_judged_and_promoted_leaves_the_version_before_behind(fields: dict[str, Any], leaves: bool) -> None:  # noqa: FBT001
    rollout = promoted(**fields)
    assert leaves_behind(rollout) is leaves
    if not leaves:
        with pytest.raises(ValueError, match="leaves no version behind"):
            begun(rollout, "hold-1", START)


def test_a_hold_is_one_more_step_of_its_rollouts_ramp() -> None:
    """So the label of a prediction counts by the weight under which it was made, before the promotion and after it."""
    hold = from_revision(begun(promoted(), "hold-1", START), Revision(0, 7), START)
    assert [weight_at(hold, 0, n) for n in (0, 1, 2, 3, 6, 7, 99)] == [None, 0.0, 0.05, 0.5, 0.5, 0.95, 0.95]
    assert hold.until - hold.since == timedelta(hours=1)


def test_predictions_beside_a_shadow_are_no_evidence_after_its_promotion() -> None:
    """Nobody got the shadow's answers, so the labels of that time speak of one arm only."""
    rollout = promoted(strategy=Strategy.SHADOW, steps=(), ramp=(RampStep(0, 1, 0.0, START), RampStep(0, 2, 0.2, START)))
    hold = from_revision(begun(rollout, "hold-1", START), Revision(0, 7), START)
    assert [weight_at(hold, 0, n) for n in (2, 6, 7)] == [None, None, 0.95]


def test_what_cannot_be_compared_afterwards_is_not() -> None:
    hold = begun(promoted(judge=JudgePolicy(metrics=("agreement", "errors"))), "hold-1", START)
    assert hold.judge.metrics == ("errors",)


def test_how_a_hold_ends_is_kept() -> None:
    hold = ended(a.hold(), HoldEnd.LOST, START + timedelta(1), "a file is missing")
    assert (hold.state, hold.end, hold.detail, hold.ended_at) == (
        HoldState.ENDED,
        HoldEnd.LOST,
        "a file is missing",
        START + timedelta(1),
    )


def test_the_champion_stands_first_and_the_held_back_version_last_and_only_once() -> None:
    found = served()
    assert arms(found) == [(2, Role.CHAMPION, 0.95), (1, Role.HELD_BACK, 0.05)]
    assert (found.salt, found.unit, found.rollout, found.thresholds) == ("salt-1", "header:x-user-id", "hold-1", THRESHOLDS)
    assert [found.on_trial(arm) for arm in found.arms] == [True, False]
    assert arms(served(hold=False)) == [(2, Role.CHAMPION, 1.0), (1, Role.RETAINED, 0.0)]
    assert not any(served(hold=False).on_trial(arm) for arm in served(hold=False).arms)


def test_a_held_back_version_that_goes_to_staging_has_one_arm() -> None:
    assert arms(served(standing=[version(2, Stage.PRODUCTION), version(1, Stage.STAGING)])) == [
        (2, Role.CHAMPION, 0.95),
        (1, Role.HELD_BACK, 0.05),
    ]


def test_without_its_promoted_version_alone_in_production_a_hold_has_no_share() -> None:
    """Whoever changes what stands there ends the hold in the same transaction or the next tick; no request falls in between."""
    assert arms(served(standing=[version(3, Stage.PRODUCTION)])) == [(3, Role.CHAMPION, 1.0), (1, Role.RETAINED, 0.0)]
    canary = a.rollout(version=3, digest=a.digest("package 3"), baseline=2)
    assert arms(served(rollouts=[canary]))[:2] == [(3, Role.CANARY, 0.05), (2, Role.CHAMPION, 0.95)]


@given(st.lists(st.text(min_size=1), min_size=1, max_size=100, unique=True))
def test_no_unit_goes_back_at_the_promotion_nor_at_the_end(units: list[str]) -> None:
    steps = []
    for step in (0, 1):
        on_trial = replace(promoted(), phase=Phase.PROGRESSING, step=step)
        found = route(a.MODEL, [version(1, Stage.PRODUCTION)], [on_trial], None)
        assert found is not None
        steps.append(found)
    path = [*steps, served(), served(hold=False)]
    for unit in units:
        met = [answering(one, unit) for one in path]
        assert met == sorted(met), "from version 1 to version 2, once"
        assert met[-1] == 2
