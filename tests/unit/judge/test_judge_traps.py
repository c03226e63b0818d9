"""Where a comparison of two arms goes wrong in practice, one test for each trap.

Two are tried elsewhere: sticky users who differ, at the null, at the margin and along a ramp, in test_judge_guarantees;
requests in flight, in test_judge_router.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.histogram import bucket
from lockgate.boundary.observations import Block, Cell, UnitOutcome
from lockgate.boundary.routes import LabelEvent, Revision
from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.domain.rollouts import JudgePolicy, RampStep, Rollout, Segments
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.evidence import observations
from lockgate.stages.deliver.judge import JudgeState, begin, observe, report, thresholds
from lockgate.stages.deliver.judge.evidence import harm_evidence
from lockgate.testing import builders as a
from lockgate.testing.clock import START
from tests.unit.judge.test_judge_guarantees import ALPHA, at_most
from tests.unit.judge.traffic import ERRORS, requests, until_verdict

CHAMPION, CANARY = 1, 2
FIRST_STEP = Revision(0, 2)


def rollout(policy: JudgePolicy = ERRORS, unit: str = "request") -> Rollout:
    """Nobody meets the canary under revision 0.1, a tenth of the units under 0.2, half of them under 0.3."""
    ramp = (RampStep(0, 1, 0.0, START), RampStep(0, 2, 0.1, START), RampStep(0, 3, 0.5, START))
    return a.rollout(ramp=ramp, judge=policy, unit=unit, steps=(0.1, 0.5))


def cell(version: int, completed: int, failed: int = 0, revision: Revision = FIRST_STEP, **fields: object) -> Cell:
    failures = {"error": failed} if failed else {}
    return a.cell(version=version, revision=revision, completed=completed, failures=failures, latency={}, **fields)


def judged(given: Rollout, *ticks: tuple[Cell, ...]) -> JudgeState:
    state = begin(given.judge, given.steps, sticky=given.unit != "request")
    for cells in ticks:
        for observation in observations(given, cells, ()):
            state = observe(state, observation)
    return state


def test_trap_2_what_fell_back_is_the_failure_of_the_arm_assigned() -> None:
    """Every caller got an answer, from the champion. The cells that workers send hold the failures, of the canary."""
    state = judged(rollout(), *[(cell(CANARY, 10, failed=10), cell(CHAMPION, 90))] * 20)
    said = report(state, 0)
    assert said.verdict is JudgeVerdict.HARM
    assert said.rates["errors"][0].events == 200
    assert said.rates["errors"][1].trials == 1800  # the champion's answers in the canary's place are in no cell


def test_trap_3_a_cold_canary_is_judged_as_it_answers_and_thresholds_are_of_a_warm_baseline() -> None:
    """No span of warming up is left out of the comparison: packages are warmed up before they get traffic. A canary whose first
    hundred answers are slow all the same is not called harmful for them, and the thresholds do not know them.
    """
    policy = JudgePolicy(metrics=("latency",))
    state = observe(begin(policy, (0.1, 0.5)), Observation(0.0, ArmObservation(), _answers(500, 0.01)))
    limits = thresholds(state, 1)
    assert limits is not None
    assert max(limits.champion) < 0.011
    cold = ArmObservation(100, timed=100, exceeded=(3, 3, 3), latency={bucket(0.5): 3, bucket(0.01): 97})
    warm = ArmObservation(900, timed=900, exceeded=(450, 45, 9), latency={bucket(0.01): 900})
    assert report(observe(state, Observation(0.1, cold, warm)), 0).verdict is JudgeVerdict.WAIT
    assert thresholds(state, 1) == limits


def _answers(number: int, seconds: float) -> ArmObservation:
    return ArmObservation(number, latency={bucket(seconds): number})


def test_trap_4_what_was_shed_is_no_failure_and_no_trial() -> None:
    """A block tells of refused requests beside its cells: nobody was asked, so nobody failed."""
    cells = (cell(CANARY, 100, failed=1), cell(CHAMPION, 900, failed=9))
    quiet, busy = (Block("0", "w", 1, 0.0, 0.2, cells, shed=shed) for shed in (0, 5000))
    assert judged(rollout(), quiet.cells) == judged(rollout(), busy.cells)


def test_trap_4_a_version_that_sheds_its_own_requests_is_found_by_the_split() -> None:
    """Only half of the canary's requests found room. What is left says nothing of the canary."""
    state = judged(rollout(), *[(cell(CANARY, 50), cell(CHAMPION, 900))] * 10)
    assert report(state, 0).verdict is JudgeVerdict.ROUTER_FAULT


# 5: labels

Late: TypeAlias = Callable[[bool], float]  # the chance that the label of such an outcome comes late


@pytest.mark.parametrize("late", [lambda event: 0.9 if event else 0.2, lambda event: 0.2 if event else 0.9], ids=["bad", "good"])
def test_trap_5_labels_whose_delay_depends_on_the_outcome_are_no_false_alarm(late: Late) -> None:
    """Bad news may travel more slowly than good news, or faster, as long as it does so in both arms."""
    runs, harmed = 150, 0
    for run in range(runs):
        state, largest = begin(JudgePolicy(metrics=("labels",)), (0.25,)), -np.inf
        for number, observation in enumerate(_labels_that_come_late(np.random.default_rng(run), late)):
            state = observe(state, observation)
            if number % 3 == 0:
                largest = max(largest, harm_evidence(state)["labels"])
        harmed += largest >= -np.log(ALPHA)
    assert harmed / runs <= at_most(ALPHA, runs)


def _labels_that_come_late(random: np.random.Generator, late: Late) -> Iterator[Observation]:
    """60 predictions a tick, a fifth of them wrong in either arm; a late label comes ten ticks after its prediction."""
    due: list[list[tuple[int, bool, bool]]] = [[] for _ in range(41)]
    for tick in range(30):
        own, wrong = random.random(60) < 0.25, random.random(60) < 0.2
        for number in range(60):
            delay = 10 if random.random() < late(wrong[number]) else 0
            due[tick + delay].append((tick * 60 + number, bool(own[number]), bool(wrong[number])))
    for labels in due:
        arms = (tuple((key, int(wrong)) for key, canary, wrong in labels if canary is arm) for arm in (True, False))
        yield Observation(0.25, *(ArmObservation(labels=arm) for arm in arms))


def test_trap_5_a_label_counts_under_the_weight_of_its_prediction_and_not_of_its_coming() -> None:
    policy = JudgePolicy(metrics=("labels",), label_event=LabelEvent("wrong", 0.5))
    labels = [a.feedback(version=CANARY, revision=Revision(0, n), key=n, score=0.9, label=0.0) for n in (3, 2)]
    told = observations(rollout(policy), (), labels)
    assert [(one.weight, one.canary.labels) for one in told] == [(0.1, ((2, 1),)), (0.5, ((3, 1),))]


def test_trap_6_who_chose_the_version_is_no_evidence() -> None:
    """What a rule or the caller sent comes under no revision of the table, and so under none of the ramp."""
    chosen = (cell(CANARY, 500, failed=500, revision=Revision()), cell(CHAMPION, 500, revision=Revision()))
    assert observations(rollout(), chosen, ()) == ()


# 7: both arms


def test_trap_7_when_both_arms_fail_the_comparison_is_silent_and_the_objective_speaks() -> None:
    """The canary takes the machine down with it: time-outs in both arms alike."""
    silent, _ = until_verdict(begin(ERRORS, (0.1,)), requests(0.1, 0.5, 0.5, ticks=60))
    assert silent.verdict is not JudgeVerdict.HARM
    limited = replace(ERRORS, objectives={"errors": 0.02})
    said, _ = until_verdict(begin(limited, (0.1,)), requests(0.1, 0.5, 0.5, ticks=60))
    assert (said.verdict, said.metrics) == (JudgeVerdict.HARM, ("objective.errors",))


# 8: order

ALL = JudgePolicy(metrics=("errors", "latency"), segments=Segments("field:x", ("a", "b")), objectives={"errors": 0.1})
revisions = st.sampled_from((Revision(0, 1), Revision(0, 2), Revision(0, 3)))


@st.composite
def cells(draw: st.DrawFn) -> Cell:
    completed = draw(st.integers(1, 20))
    timed = draw(st.booleans())
    return cell(
        draw(st.sampled_from((CHAMPION, CANARY))),
        completed,
        failed=draw(st.integers(0, completed)),
        revision=draw(revisions),
        thresholds_id=int(timed),
        exceeded=tuple(draw(st.integers(0, completed)) for _ in range(3)) if timed else (),
        segment=draw(st.sampled_from(("", "a", "b", "c"))),
        last_at=draw(st.sampled_from((0.0, 1e9, 1e9 + 30))),
    )


@given(st.lists(cells(), max_size=8), st.randoms())
def test_trap_8_the_order_of_blocks_within_a_tick_does_not_matter(tick: list[Cell], random: Random) -> None:
    shuffled = list(tick)
    random.shuffle(shuffled)
    assert report(judged(rollout(ALL), tuple(tick)), 0) == report(judged(rollout(ALL), tuple(shuffled)), 0)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1)), max_size=30), st.randoms())
def test_trap_8_nor_does_it_for_what_harm_counts_of_sticky_units(records: list[tuple[int, int]], random: Random) -> None:
    """Under one weight a unit has one arm, and its first event is one event whichever came first."""
    tick = [cell(CANARY if key < 3 else CHAMPION, 1, bits, units=(UnitOutcome(key, bits),)) for key, bits in records]
    shuffled = list(tick)
    random.shuffle(shuffled)
    one, other = (judged(rollout(ALL, "header:x-user"), tuple(told)) for told in (tick, shuffled))
    assert one.tallies["errors"].first == other.tallies["errors"].first
    assert one.arrivals.counted == other.arrivals.counted
