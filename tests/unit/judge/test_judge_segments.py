"""Harm to a few is found among the many, and named; what is no harm to anybody is none to a segment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.domain.rollouts import JudgePolicy, Segments
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.explain import sentence
from lockgate.stages.deliver.judge import begin, observe, report
from lockgate.stages.deliver.judge.evidence import harm_evidence
from tests.unit.judge.test_judge_guarantees import ALPHA, at_most
from tests.unit.judge.traffic import WATCHED, until_verdict

CARRIERS = Segments("field:carrier", ("AA", "UA"), min_units=200)
BY_CARRIER = replace(WATCHED, segments=CARRIERS)
STEPS = (0.2, 0.5)


def carriers(
    rates: dict[str, tuple[float, float]], sizes: dict[str, int], *, ticks: int, weight: float = 0.2, seed: int = 1
) -> Iterator[Observation]:
    """Requests by segment: how often canary and baseline fail, and how many there are in each tick."""
    random = np.random.default_rng(seed)
    for _ in range(ticks):
        for segment, (canary, baseline) in rates.items():
            own = int(random.binomial(sizes[segment], weight))
            other = sizes[segment] - own
            yield Observation(
                weight,
                ArmObservation(own, int(random.binomial(own, canary))),
                ArmObservation(other, int(random.binomial(other, baseline))),
                segment=segment,
            )


def test_a_canary_that_is_neutral_for_all_and_doubles_the_errors_of_a_tenth_is_harm_to_that_tenth() -> None:
    sizes = {"AA": 100, "UA": 400, "": 500}
    rates = {"AA": (0.2, 0.1), "UA": (0.0888, 0.1), "": (0.0888, 0.1)}
    said, _ = until_verdict(begin(BY_CARRIER, STEPS), carriers(rates, sizes, ticks=200))
    assert (said.verdict, said.metrics) == (JudgeVerdict.HARM, ("segment.carrier=AA",))
    assert sentence(said).startswith("The canary does harm: segment.carrier=AA errors ")


def test_a_segment_with_few_units_is_not_named_and_its_evidence_counts() -> None:
    policy = replace(BY_CARRIER, segments=replace(CARRIERS, min_units=10**6))
    rates, sizes = {"": (0.01, 0.1), "AA": (0.9, 0.1)}, {"AA": 50, "": 950}
    said, _ = until_verdict(begin(policy, STEPS), carriers(rates, sizes, ticks=100))
    assert (said.verdict, said.metrics) == (JudgeVerdict.HARM, ("segments",))
    assert sentence(said) == "The canary does harm: segments that have had too few units to be named."


def test_harm_to_all_is_named_as_that() -> None:
    rates, sizes = {"AA": (0.3, 0.01), "": (0.3, 0.01)}, {"AA": 20, "": 80}
    said, _ = until_verdict(begin(BY_CARRIER, STEPS), carriers(rates, sizes, ticks=100))
    assert said.verdict is JudgeVerdict.HARM
    assert "errors" in said.metrics


def test_what_belongs_to_no_declared_segment_counts_for_the_whole_only() -> None:
    state = begin(BY_CARRIER, STEPS)
    for segment in ("", "DL"):
        state = observe(state, Observation(0.2, ArmObservation(20, 9), ArmObservation(80, 1), segment=segment))
    assert state.tallies["errors"].first == {0.2: (20, 18)}
    assert harm_evidence(state)["segment.carrier=AA"] == pytest.approx(0.0)


arms = st.integers(0, 9).flatmap(lambda n: st.builds(ArmObservation, st.just(n), st.integers(0, n)))
segments = st.sampled_from(("", "AA", "UA"))
journals = st.lists(st.builds(Observation, st.sampled_from(STEPS), arms, arms, segment=segments), max_size=9)


@given(journals)
def test_segments_take_nothing_from_the_whole(journal: list[Observation]) -> None:
    parted, whole = begin(BY_CARRIER, STEPS), begin(WATCHED, STEPS)
    for observation in journal:
        parted, whole = observe(parted, observation), observe(whole, replace(observation, segment=""))
    assert parted.tallies == whole.tallies
    assert parted.seen == whole.seen
    assert parted.arrivals == whole.arrivals
    assert [report(parted, 1).evidence[name] for name in ("safe/errors@0", "router")] == [
        report(whole, 1).evidence[name] for name in ("safe/errors@0", "router")
    ]


def test_a_label_counts_in_its_segment_once() -> None:
    policy = JudgePolicy(metrics=("labels",), segments=CARRIERS)
    twice = Observation(0.2, ArmObservation(labels=((1, 1), (1, 1))), ArmObservation(labels=((2, 1),)), segment="AA")
    state = begin(policy, STEPS)
    for _ in range(3):
        state = observe(state, twice)
    assert state.segments["AA"].tallies["labels"].first == {0.2: (2, 1)}


# Sticky units: a unit's first event among its requests in the segment


def visits(*keys_and_bits: tuple[int, int]) -> ArmObservation:
    return ArmObservation(len(keys_and_bits), sum(bits for _, bits in keys_and_bits), units=keys_and_bits)


def test_a_unit_counts_once_in_each_segment_in_which_something_happened_to_it() -> None:
    state = begin(BY_CARRIER, STEPS, sticky=True)
    for segment in ("AA", "UA", "AA"):
        state = observe(state, Observation(0.2, visits((1, 1), (1, 1)), visits((2, 0)), segment=segment))
    assert state.tallies["errors"].first == {0.2: (1, 1)}
    assert {value: one.tallies["errors"].first for value, one in state.segments.items()} == {
        "AA": {0.2: (1, 1)},
        "UA": {0.2: (1, 1)},
    }
    assert {value: one.units for value, one in state.segments.items()} == {"AA": 2, "UA": 2}


def travellers(risk: NDArray[np.float64], random: np.random.Generator, *, ticks: int) -> Iterator[Observation]:
    """Users who differ in how they fail and in what they ask for; a canary that changes nothing; a ramp from 5 to 25 %."""
    place, leaning = random.random(len(risk)), random.random(len(risk))
    for tick in range(ticks):
        weight = 0.05 if tick < ticks // 3 else 0.25
        who = random.integers(0, len(risk), 60)
        inside, failed, own = random.random(60) < leaning[who], random.random(60) < risk[who], place[who] < weight
        for segment, there in (("AA", inside), ("UA", ~inside)):
            yield Observation(weight, *(_visits(who, failed, there & arm) for arm in (own, ~own)), segment=segment)


def _visits(who: NDArray[np.int64], failed: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> ArmObservation:
    return visits(*zip(who[chosen].tolist(), failed[chosen].astype(int).tolist(), strict=True))


def test_sticky_users_who_differ_are_no_false_alarm_in_any_segment() -> None:
    """Each segment's e-value by itself: at α = 10 % it may reach 10 in at most a tenth of the runs, at whatever look."""
    runs, reached = 150, {"segment.carrier=AA": 0, "segment.carrier=UA": 0}
    for run in range(runs):
        random = np.random.default_rng(run)
        state, largest = begin(BY_CARRIER, (0.05, 0.25), sticky=True), dict.fromkeys(reached, -np.inf)
        for number, observation in enumerate(travellers(random.beta(0.15, 1.2, 60), random, ticks=24)):
            state = observe(state, observation)
            if number % 4 == 3:
                largest |= {name: max(largest[name], harm_evidence(state)[name]) for name in reached}
        for name in reached:
            reached[name] += largest[name] >= -np.log(ALPHA)
    assert max(reached.values()) / runs <= at_most(ALPHA, runs)
