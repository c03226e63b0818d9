"""Rollouts of one model over two years, whose chance of a false HARM comes out of a yearly budget."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from math import log

import pytest

from lockgate.domain.rollouts import Phase, Plan, Rollout, Signal, Strategy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.ports.state import JOURNAL
from lockgate.usecases.replay_rollout import replay_rollout
from lockgate.usecases.steer_rollout import steer
from lockgate.usecases.world import World
from tests.journeys.airports import BEN, CANARY, ELSEWHERE, POLICY, Airports, a_world, ask_for, look

BUDGETED = replace(CANARY, judge=replace(POLICY, alpha=0.01, alpha_per_year=0.1))


def send_home(world: World, rollout: Rollout) -> Rollout:
    world.clock.advance(3600)  # type: ignore[attr-defined]
    return steer(world, rollout.id, Signal.ABORT, BEN)


def told_at_start(world: World, rollout: Rollout) -> object:
    with world.state.read() as tx:
        return tx.events(subject=rollout.id, limit=1)[0].happened.details.get("alpha")


def test_many_rollouts_make_each_one_surer_until_a_year_has_passed() -> None:
    world = a_world(BUDGETED, champions=None, versions=20)
    tried = [send_home(world, ask_for(world, version)) for version in range(2, 13)]
    assert [one.judge.alpha for one in tried[:5]] == [0.01] * 5
    assert tried[9].judge.alpha == pytest.approx(0.00273, rel=0.01)
    assert sum(one.judge.alpha for one in tried) < 0.1
    assert [told_at_start(world, one) for one in (tried[4], tried[9])] == [None, tried[9].judge.alpha]
    world.clock.advance(timedelta(days=366).total_seconds())  # type: ignore[attr-defined]
    assert ask_for(world, 13).judge.alpha == 0.01


def test_the_verdict_the_journal_and_the_replay_go_by_the_rollouts_own() -> None:
    world = a_world(BUDGETED, champions=None, versions=20)
    for version in range(2, 13):
        send_home(world, ask_for(world, version))
    opened = ask_for(world, 13)
    assert opened.plan_alpha == 0.01
    bar = -log(opened.judge.alpha)
    assert bar > log(400)
    airports = Airports(world, failing={(ELSEWHERE, 13): 0.2, (ELSEWHERE, 1): 0.02})
    harmful = airports.run(opened, {ELSEWHERE: 20}, 200)
    assert (harmful.phase, harmful.verdict) == (Phase.ABORTED, JudgeVerdict.HARM)
    with world.state.read() as tx:
        rows = tx.find(JOURNAL, rollout=opened.id)
    harm = [row.evidence.get("harm", 0.0) for row in rows]
    assert max(harm[:-1]) < bar <= harm[-1]
    assert any(log(100) <= one for one in harm[:-1])  # by the plan's α it would have been said before
    assert replay_rollout(world, opened.id).same


def test_a_plan_without_a_budget_goes_on_as_it_did() -> None:
    world = a_world(CANARY, champions=None, versions=12)
    tried = [send_home(world, ask_for(world, version)) for version in range(2, 12)]
    assert {(one.judge.alpha, one.plan_alpha) for one in tried} == {(POLICY.alpha, None)}


def test_segments_and_shadows_of_a_model_share_its_year() -> None:
    """The budget is the model's, whatever part of its traffic a rollout is about and by whatever strategy."""
    world = a_world(BUDGETED, versions=20)
    for version in range(2, 7):
        send_home(world, ask_for(world, version, "JFK"))
    assert look(world, ask_for(world, 7, "LGA")).judge.alpha < 0.01
    shadow = Plan(Strategy.SHADOW, judge=BUDGETED.judge)
    shadows = a_world(shadow, champions=None, versions=20)
    tried = [send_home(shadows, ask_for(shadows, version)) for version in range(2, 8)]
    assert tried[-1].judge.alpha < 0.01
