"""A preview: who reaches the version, when it ends, and what is kept of those who asked. And the yes that steps need."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.routes import Rule
from lockgate.domain.models import Stage
from lockgate.domain.projects import Answers, TrafficRule
from lockgate.domain.rollouts import Phase, Rollout, Shown, Signal, StepApproval, Strategy
from lockgate.stages.deliver.evidence import shown
from lockgate.stages.deliver.rollout import (
    advance,
    asked_for,
    awaited_step,
    has_judge,
    preview_ends,
    said_yes,
    skipped_yes,
    when_safe,
)
from lockgate.stages.deliver.routes import route
from lockgate.testing import builders as a
from lockgate.testing.clock import START


def green(phase: Phase = Phase.PREVIEW, **fields: object) -> Rollout:
    shown_at = None if phase is Phase.PREPARING else START
    own = {"strategy": Strategy.BLUE_GREEN, "steps": (), "step": -1, "unit": "request"}
    return a.rollout(**{**own, "phase": phase, "shown_at": shown_at, **fields})


@pytest.mark.parametrize("phase", [Phase.PREPARING, Phase.PREVIEW])
def test_nobody_is_assigned_to_green_and_only_in_its_preview_a_header_leads_there(phase: Phase) -> None:
    asked = Answers(rules=(TrafficRule(("green",), 1, header="x-lockgate-preview"),))
    found = route(a.MODEL, [a.version(1, stage=Stage.PRODUCTION)], [green(phase)], None, asked)
    assert found is not None
    assert [(arm.version, arm.weight) for arm in found.arms] == [(2, 0.0), (1, 1.0)]
    preview = Rule(2, ("green",), header="x-lockgate-preview")
    assert found.rules[0] == (preview if phase is Phase.PREVIEW else Rule(1, ("green",), header="x-lockgate-preview"))


def test_a_canary_has_no_preview() -> None:
    found = route(a.MODEL, [a.version(1, stage=Stage.PRODUCTION)], [a.rollout()], None)
    assert found is not None
    assert found.rules == ()


@given(st.floats(0.001, 28 * 86400.0))
def test_a_preview_ends_so_many_seconds_after_it_began(seconds: float) -> None:
    began = advance(green(Phase.PREPARING, preview=seconds), Signal.SHOWN, START)
    assert preview_ends(began) == START + timedelta(seconds=seconds)
    assert preview_ends(replace(began, preview=None)) is None
    assert preview_ends(advance(began, Signal.PROMOTE, START)) is None


def test_what_green_answered_to_those_who_asked_is_added_up_and_nothing_else_is() -> None:
    before = green(shown=Shown(3, {"error": 1}))
    aside = [
        a.cell(version=2, completed=5, failures={"error": 2, "timeout": 1}),
        a.cell(version=1, completed=100, failures={"error": 100}),
        a.cell(version=2, completed=7, model="another"),
        a.cell(version=2, completed=7, shadow=True),
    ]
    assert shown(before, aside) == Shown(8, {"error": 3, "timeout": 1})
    assert before.shown == Shown(3, {"error": 1}), "what is kept is not changed"


def test_there_is_nothing_to_judge_under_blue_green() -> None:
    assert not has_judge(green())


def asking(*said: str, needed: int = 2) -> Rollout:
    approvals = tuple(StepApproval(1, name, START) for name in said)
    return a.rollout(phase=Phase.AWAITING, step=0, steps=(0.05, 0.5), yes=(0, needed), approvals=approvals)


def test_people_are_asked_about_the_next_step_only_while_it_is_asked_for() -> None:
    assert (awaited_step(asking("ben")), asked_for(asking("ben"), 1), said_yes(asking("ben"), 1)) == (1, 1, ("ben",))
    for phase in set(Phase) - {Phase.AWAITING}:
        assert awaited_step(replace(asking(), phase=phase)) is None


def test_who_said_yes_before_the_step_was_asked_for_again_is_asked_again() -> None:
    held = advance(asking("ben"), Signal.ROUTER_FAULT, START)
    proven = advance(held, Signal.RESUME, START)
    again = advance(proven, when_safe(proven), START)
    assert (again.phase, asked_for(again, 1)) == (Phase.AWAITING, 2)


def test_asking_for_one_step_keeps_what_was_said_to_others() -> None:
    before = replace(asking("ben"), phase=Phase.PROGRESSING, step=1, steps=(0.05, 0.1, 0.5), yes=(0, 1, 1))
    assert said_yes(advance(before, Signal.ASK, START), 1) == ("ben",)


def test_a_promotion_now_would_skip_the_first_step_ahead_that_needs_a_yes() -> None:
    assert skipped_yes(asking()) == 1
    assert skipped_yes(asking("ben", "cleo")) is None
    assert skipped_yes(replace(asking(), step=1)) is None, "it is behind"
    assert skipped_yes(green()) is None
