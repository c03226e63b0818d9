"""The rollout's machine: every pair of phase and signal, and what a walk through it can and cannot do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.domain.rollouts import Phase, RampStep, Rollout, Signal, StepApproval, Strategy
from lockgate.kernel.machine import IllegalSignal
from lockgate.stages.deliver.rollout import MACHINE, advance, asked_for, under_way, weight, weight_at, when_ready, when_safe
from lockgate.testing import builders as a
from lockgate.testing.clock import START

STEPS = (0.05, 0.25, 0.5)


def rollout(phase: Phase = Phase.PREPARING, step: int = -1, steps: tuple[float, ...] = STEPS) -> Rollout:
    return a.rollout(phase=phase, step=step, steps=steps)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("signal", Signal)
def test_every_pair_is_in_the_table_or_refused_without_a_change(phase: Phase, signal: Signal) -> None:
    before = rollout(phase, step=-1 if phase is Phase.PREPARING else 0)
    if MACHINE.accepts(phase, signal):
        assert advance(before, signal, START).phase is MACHINE.after(phase, signal)
    else:
        with pytest.raises(IllegalSignal, match=signal.value):
            advance(before, signal, START)
        assert before == rollout(phase, step=before.step)


def test_what_has_ended_takes_no_signal() -> None:
    assert [phase for phase in Phase if MACHINE.final(phase)] == [Phase.PROMOTED, Phase.ABORTED]


def test_harm_ends_a_rollout_whatever_a_person_said() -> None:
    phases = [phase for phase in Phase if MACHINE.accepts(phase, Signal.HARM)]
    assert phases == [Phase.PROGRESSING, Phase.AWAITING, Phase.PAUSED, Phase.HOLDING]
    assert {MACHINE.after(phase, Signal.HARM) for phase in phases} == {Phase.ABORTED}


def test_a_canary_climbs_its_steps_and_is_promoted_only_when_the_last_is_proven() -> None:
    now = rollout()
    weights = [weight(now)]
    for _ in STEPS:
        signal = when_ready(now) if now.phase is Phase.PREPARING else when_safe(now)
        now = advance(now, signal, START)
        weights.append(weight(now))
    now = advance(now, when_safe(now), START)
    assert (weights, now.phase, weight(now)) == ([0.0, 0.05, 0.25, 0.5], Phase.PROMOTED, 1.0)


@pytest.mark.parametrize(
    ("strategy", "phase"),
    [
        (Strategy.REPLACE, Phase.PROMOTED),
        (Strategy.SHADOW, Phase.PROGRESSING),
        (Strategy.BLUE_GREEN, Phase.PREVIEW),
    ],
)
def test_what_it_means_to_be_ready_is_the_strategys(strategy: Strategy, phase: Phase) -> None:
    """Nobody gets a shadow's answers, nor green's before the switch."""
    before = a.rollout(phase=Phase.PREPARING, strategy=strategy, steps=(), step=-1)
    after = advance(before, when_ready(before), START)
    assert (after.phase, weight(after)) == (phase, 1.0 if phase is Phase.PROMOTED else 0.0)
    assert (after.shown_at == START) is (phase is Phase.PREVIEW)


def test_a_step_that_needs_a_yes_begins_when_enough_people_have_said_it() -> None:
    proven = replace(rollout(Phase.PROGRESSING, 0), yes=(0, 2))
    assert when_safe(proven) is Signal.ASK
    awaiting = advance(proven, Signal.ASK, START)
    assert (awaiting.step, asked_for(awaiting, 1)) == (0, 2)
    by_ben = StepApproval(1, "ben", START)
    assert asked_for(replace(awaiting, approvals=(by_ben, by_ben)), 1) == 1, "the same person twice is one person"
    approved = replace(awaiting, approvals=(by_ben, StepApproval(1, "cleo", START)))
    assert asked_for(approved, 1) == 0
    assert weight(advance(approved, Signal.APPROVED, START)) == STEPS[1]
    assert when_safe(advance(approved, Signal.APPROVED, START)) is Signal.SAFE, "the step after it asks nobody"


def test_granting_a_held_rollout_more_exposure_is_counted() -> None:
    held = advance(rollout(Phase.PROGRESSING, 0), Signal.INCONCLUSIVE, START)
    assert advance(held, Signal.RESUME, START).extensions == 1
    paused = advance(rollout(Phase.PROGRESSING, 0), Signal.PAUSE, START)
    assert advance(paused, Signal.RESUME, START).extensions == 0


@given(st.lists(st.sampled_from(Signal), max_size=30))
def test_no_walk_leaves_the_steps_or_forgets_its_end(signals: list[Signal]) -> None:
    now = rollout()
    for signal in signals:
        if signal in (Signal.SAFE, Signal.ASK) and now.step + 1 >= len(STEPS):
            continue  # the controller asks when_safe; there is no step after the last
        if MACHINE.accepts(now.phase, signal):
            now = advance(now, signal, START)
        assert -1 <= now.step < len(STEPS)
        assert 0.0 <= weight(now) <= 1.0
        assert under_way(now) is (now.ended_at is None)
        assert (weight(now) == 1.0) is (now.phase is Phase.PROMOTED)


def test_a_revision_belongs_to_the_weight_that_held_when_it_was_in_force() -> None:
    ramp = (RampStep(0, 5, 0.0, START), RampStep(0, 7, 0.05, START), RampStep(0, 9, 0.25, START))
    ramped = replace(rollout(), ramp=ramp)
    assert [weight_at(ramped, 0, n) for n in (4, 5, 6, 7, 8, 9, 100)] == [None, 0.0, 0.0, 0.05, 0.05, 0.25, 0.25]
    assert weight_at(ramped, 1, 0) == 0.25, "a later epoch is later, whatever its number"
