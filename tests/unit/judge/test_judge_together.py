"""Judges that are asked together say what each says alone, bit for bit; and benchmarks measure the judge of production."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from benchmarks.judge.policy import SEGMENTS, Block, Judges, Rates, draw, everything
from numpy.typing import NDArray

from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.domain.rollouts import JudgePolicy, Predictions, Segments
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.judge import JudgeState, Look, begin, observe, report, reports
from tests.unit.judge.traffic import ERRORS, Users, requests

FULL = replace(everything(errors=0.05), segments=Segments("field:carrier", SEGMENTS, min_units=0), router_alpha=1e-9)


def states() -> Iterator[Look]:
    """Of many kinds: nothing seen yet, weights that others do not have, steps that refute nothing, units that return."""
    yield Look(begin(JudgePolicy(), (0.5,)), 0)
    yield Look(begin(FULL, (0.01, 0.3)), 1, 2)
    for seed, (steps, policy, canary, baseline) in enumerate(
        (
            ((0.1,), ERRORS, 0.0, 0.0),
            ((0.01, 0.05, 0.1, 0.25, 0.5), JudgePolicy(), 0.02, 0.02),
            ((0.05, 0.2), replace(JudgePolicy(), predictions=Predictions()), 0.6, 0.6),
            ((0.3, 0.7), FULL, 0.2, 0.05),
            ((0.4,), ERRORS, 1.0, 1.0),
        )
    ):
        state = begin(policy, steps)
        for weight in steps:
            for one in requests(weight, canary, baseline, ticks=3 + seed, seed=seed, size=4000):
                state = observe(state, replace(one, segment="A", until=1e9 + seed))
                yield Look(state, len(steps) - 1)
    state, users = begin(ERRORS, (0.1, 0.5), sticky=True), Users(np.full(50, 0.1), np.full(50, 0.1), np.random.default_rng(1))
    for weight in (0.1, 0.1, 0.5):
        state = observe(state, users.tick(weight, 300))
        yield Look(state, 1)


def test_together_they_say_what_each_says_alone() -> None:
    looks = list(states())
    alone = [report(state, step, extensions=extensions) for state, step, extensions in looks]
    assert {said.verdict for said in alone} >= {JudgeVerdict.SAFE, JudgeVerdict.HARM, JudgeVerdict.WAIT}
    assert reports(looks) == alone
    assert reports(looks[::-1]) == alone[::-1]
    assert reports([]) == []


def test_a_step_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="step 1 of 1"):
        reports([Look(begin(ERRORS, (0.5,)), 0), Look(begin(ERRORS, (0.5,)), 1)])


@pytest.mark.parametrize("canary", [0.05, 0.1, (0.2, *[0.04] * 9)])
def test_benchmarks_look_at_many_rollouts_as_the_judge_looks_at_one(canary: float | tuple[float, ...]) -> None:
    runs, weight, size, random = 3, 0.25, 200, np.random.default_rng(1)
    judges, single = Judges(FULL, runs), [begin(FULL, (weight,)) for _ in range(runs)]
    for _ in range(60):
        block = draw(random, Rates(canary, 0.05), weight, size, runs)
        judges.see(weight, block)
        single = [_told(state, block, run, weight, size) for run, state in enumerate(single)]
        parts, said = judges.parts(), [report(state, 0) for state in single]
        for run, named in enumerate(judges.named(parts)):
            told = [said[run].evidence[f"harm/{name}"] for name in judges.names]
            np.testing.assert_allclose(parts[run], told, rtol=1e-9, atol=1e-9)
            assert bool(judges.harm(parts)[run]) is (said[run].verdict is JudgeVerdict.HARM)
            assert said[run].verdict is not JudgeVerdict.HARM or set(said[run].metrics) == named
    assert any(one.verdict is JudgeVerdict.HARM for one in said) is (canary != 0.05)


def _told(state: JudgeState, block: Block, run: int, weight: float, size: int) -> JudgeState:
    """A run's block, as observations by segment. In which one a request was slow, or did nothing of note, does not matter."""
    own = _arms(block.canary[run], int(block.own[run]))
    other = _arms(block.every[run] - block.canary[run], size - int(block.own[run]))
    for segment, canary, baseline in zip(SEGMENTS, own, other, strict=True):
        state = observe(state, Observation(weight, canary, baseline, segment=segment))
    return state


_keys = iter(range(10**9))


def _arms(events: NDArray[np.int64], completed: int) -> list[ArmObservation]:
    slow, failed, labelled = events[1:4].tolist(), events[5 : 5 + len(SEGMENTS)], events[5 + len(SEGMENTS) :]
    least = np.maximum(failed, labelled)
    least[0] += completed - least.sum()
    arms = []
    for place, (here, bad, wrong) in enumerate(zip(least.tolist(), failed.tolist(), labelled.tolist(), strict=True)):
        labels = tuple((next(_keys), int(number < wrong)) for number in range(here))
        arms.append(ArmObservation(here, bad, here, tuple(slow) if place == 0 else (0, 0, 0), labels=labels))
    return arms
