"""The desired route follows from what stands where; the arm on trial stands first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.routes import LabelEvent, OnFailure, Role, Route, Rule
from lockgate.boundary.selector import choose, unit_key
from lockgate.domain.models import ModelVersion, Stage
from lockgate.domain.projects import Answers, TrafficRule
from lockgate.domain.rollouts import Agreement, JudgePolicy, Phase, Rollout, Strategy
from lockgate.stages.deliver.routes import route
from lockgate.testing import builders as a
from lockgate.testing.clock import START


def version(number: int, stage: Stage) -> ModelVersion:
    return a.version(number, model="m", stage=stage)


def trial(phase: Phase, step: int, environment: str = "production") -> Rollout:
    return a.rollout(
        id="rollout-2", model="m", environment=environment, phase=phase, step=step, salt="pepper", unit="header:x-user"
    )


def arms(of: Route | None) -> list[tuple[int, str, float]]:
    assert of is not None
    return [(arm.version, arm.role.value, arm.weight) for arm in of.arms]


def test_nothing_stands_nothing_is_served() -> None:
    assert route("m", [], [], None) is None


def test_a_champion_takes_all() -> None:
    assert arms(route("m", [version(1, Stage.PRODUCTION)], [], None)) == [(1, "champion", 1.0)]


def test_a_canary_that_prepares_is_loaded_and_meets_nobody() -> None:
    found = route("m", [version(1, Stage.PRODUCTION)], [trial(Phase.PREPARING, -1)], None)
    assert arms(found) == [(2, "canary", 0.0), (1, "champion", 1.0)]


def test_a_canary_takes_its_step_from_the_champion() -> None:
    found = route("m", [version(1, Stage.PRODUCTION)], [trial(Phase.PROGRESSING, 0)], None)
    assert arms(found) == [(2, "canary", 0.05), (1, "champion", 0.95)]
    assert found is not None
    assert (found.salt, found.unit, found.rollout) == ("pepper", "header:x-user", "rollout-2")


def test_what_served_before_is_kept_warm_and_staging_is_pinned() -> None:
    standing = [version(3, Stage.PRODUCTION), version(4, Stage.STAGING)]
    assert arms(route("m", standing, [], version(1, Stage.ARCHIVED))) == [
        (3, "champion", 1.0),
        (1, "retained", 0.0),
        (4, "pinned", 0.0),
    ]


def test_a_version_that_comes_into_staging_is_pinned_while_it_prepares() -> None:
    found = route("m", [version(1, Stage.PRODUCTION)], [trial(Phase.PREPARING, -1, "staging")], None)
    assert arms(found) == [(1, "champion", 1.0), (2, "pinned", 0.0)]


def test_no_version_stands_twice() -> None:
    found = route("m", [version(1, Stage.PRODUCTION)], [trial(Phase.PROGRESSING, 0)], version(2, Stage.ARCHIVED))
    assert [number for number, _, _ in arms(found)] == [2, 1]


@given(st.lists(st.text(min_size=1), min_size=1, max_size=50, unique=True))
def test_a_ramp_moves_only_units_that_were_with_the_champion(units: list[str]) -> None:
    met: set[str] = set()
    for step in (0, 1):
        found = route("m", [version(1, Stage.PRODUCTION)], [trial(Phase.PROGRESSING, step)], None)
        assert found is not None
        weights = [arm.weight for arm in found.arms]
        canary = {unit for unit in units if found.arms[choose(unit_key(found.salt, unit), weights)].role is Role.CANARY}
        assert met <= canary
        met = canary


def test_the_route_does_not_depend_on_who_asks_for_it() -> None:
    standing = [version(1, Stage.PRODUCTION)]
    assert route("m", standing, [trial(Phase.PAUSED, 1)], None) == route("m", standing, [trial(Phase.HOLDING, 1)], None)
    assert route("m", standing, [replace(trial(Phase.PAUSED, 1), rows=9)], None) == route(
        "m", standing, [trial(Phase.PAUSED, 1)], None
    )


def rule(to: Any, value: str = "yes") -> TrafficRule:
    return TrafficRule((value,), to, header="x-preview")


def rules(*asked: TrafficRule, standing: list[ModelVersion], under_way: list[Rollout] | None = None) -> list[tuple[int, str]]:
    found = route("m", standing, under_way or [], version(9, Stage.ARCHIVED), Answers(rules=asked))
    assert found is not None
    return [(one.version, one.values[0]) for one in found.rules]


def test_the_route_says_how_requests_are_answered_with_and_without_a_rollout() -> None:
    asked = Answers(OnFailure.ERROR, 2.0, ("email",), (TrafficRule(("JFK", "LGA"), 1, field="origin"),))
    for under_way, rollout in (([], None), ([trial(Phase.PROGRESSING, 0)], "rollout-2")):
        found = route("m", [version(1, Stage.PRODUCTION)], under_way, None, asked)
        assert found is not None
        assert found.rollout == rollout
        assert (found.on_failure, found.timeout, found.redacted) == (OnFailure.ERROR, 2.0, ("email",))
        assert found.rules == (Rule(1, ("JFK", "LGA"), field="origin"),)


def test_a_model_that_is_only_in_staging_is_redacted_too() -> None:
    found = route("m", [version(1, Stage.STAGING)], [], None, Answers(redacted=("email",)))
    assert found is not None
    assert found.redacted == ("email",)


def test_rules_keep_their_order_and_lead_to_whatever_is_loaded() -> None:
    standing = [version(1, Stage.PRODUCTION), version(4, Stage.STAGING)]
    asked = [rule("staging", "a"), rule(9, "retained"), rule(2, "on trial"), rule(1, "champion"), rule(4, "staged")]
    expected = [(4, "a"), (9, "retained"), (2, "on trial"), (1, "champion"), (4, "staged")]
    assert rules(*asked, standing=standing, under_way=[trial(Phase.PROGRESSING, 0)]) == expected


def test_a_rule_whose_version_is_not_served_is_left_out_and_the_next_one_holds() -> None:
    asked = [rule("staging"), rule(7), rule(1)]
    assert rules(*asked, standing=[version(1, Stage.PRODUCTION)]) == [(1, "yes")]


def test_a_version_on_its_way_into_staging_is_not_the_one_in_staging() -> None:
    standing, under_way = [version(1, Stage.PRODUCTION)], [trial(Phase.PREPARING, -1, "staging")]
    assert rules(rule("staging"), standing=standing, under_way=under_way) == []
    assert rules(rule("staging"), standing=[*standing, version(4, Stage.STAGING)], under_way=under_way) == [(4, "yes")]


def shadow(phase: Phase, number: int = 2, **fields: Any) -> Rollout:
    later = START + timedelta(seconds=number)
    defaults = {"strategy": Strategy.SHADOW, "steps": (), "step": -1 if phase is Phase.PREPARING else 0, "share": 0.5}
    made = trial(phase, 0)
    named = {"id": f"rollout-{number}", "version": number, "digest": a.digest(f"package {number}"), "started_at": later}
    return replace(made, **{**defaults, **named, **fields})


def test_a_shadow_is_loaded_answers_nobody_and_is_asked_about_its_share() -> None:
    for phase, asked in ((Phase.PREPARING, 0.0), (Phase.PROGRESSING, 0.5), (Phase.PAUSED, 0.5), (Phase.HOLDING, 0.5)):
        found = route("m", [version(1, Stage.PRODUCTION)], [shadow(phase)], None)
        assert arms(found) == [(1, "champion", 1.0), (2, "pinned", 0.0)]
        assert found is not None
        assert [(one.version, one.share) for one in found.shadows] == [(2, asked)]
        assert (found.salt, found.unit, found.rollout) == ("pepper", "header:x-user", "rollout-2")


def test_shadows_stand_in_the_order_in_which_they_started_whatever_their_phases_are() -> None:
    orders = ([shadow(Phase.PREPARING, 3), shadow(Phase.HOLDING, 2)], [shadow(Phase.HOLDING, 2), shadow(Phase.PREPARING, 3)])
    first, second = (route("m", [version(1, Stage.PRODUCTION)], order, None) for order in orders)
    assert first == second
    assert first is not None
    assert ([one.version for one in first.shadows], first.rollout) == ([2, 3], "rollout-2")


def test_pairs_are_compared_as_agreement_says_and_else_by_the_threshold_of_the_labels() -> None:
    def compared(judge: JudgePolicy) -> tuple[float | None, float]:
        found = route("m", [version(1, Stage.PRODUCTION)], [shadow(Phase.PROGRESSING, judge=judge)], None)
        assert found is not None
        return found.shadows[0].threshold, found.shadows[0].tolerance

    assert compared(JudgePolicy(agreement=Agreement(0.9, tolerance=0.01))) == (None, 0.01)
    assert compared(JudgePolicy(agreement=Agreement(0.9, threshold=0.3))) == (0.3, 1e-6)
    assert compared(JudgePolicy(label_event=LabelEvent("missed", 0.25))) == (0.25, 1e-6)
    assert compared(JudgePolicy(label_event=LabelEvent("off", 5.0))) == (None, 5.0)
    assert compared(JudgePolicy()) == (None, 1e-6)
