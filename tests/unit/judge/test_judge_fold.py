"""The fold: the same journal gives the same state, however often it is told, stored in between, or cut into observations."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.domain.rollouts import JudgePolicy, Margin, Predictions, Segments
from lockgate.kernel.errors import Conflict, Invalid, InvalidInput
from lockgate.stages.deliver.judge import JudgeState, begin, observe, report
from tests.unit.judge.traffic import requests

ALL = JudgePolicy(
    metrics=("errors", "latency", "labels"),
    requests_per_unit=3,
    latency_warm_up=20,
    objectives={"labels": 0.3, "errors": 0.1},
    segments=Segments("field:x", ("a", "b"), min_units=5),
)
STEPS = (0.05, 0.25, 0.5)

small = st.integers(0, 12)
labels = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1)), max_size=6).map(tuple)
units = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 15)), max_size=8).map(tuple)
histograms = st.dictionaries(st.integers(0, 300), st.integers(1, 5), max_size=4)


@st.composite
def arms(draw: st.DrawFn, *, sticky: bool) -> ArmObservation:
    records = draw(units) if sticky else ()
    completed = len(records) if sticky else draw(small)
    failed = sum(bits & 1 for _, bits in records) if sticky else draw(st.integers(0, completed))
    timed = draw(st.sampled_from((0, completed)))
    exceeded = tuple(draw(st.integers(0, timed)) for _ in range(3)) if timed else ()
    return ArmObservation(completed, failed, timed, exceeded, draw(histograms), records, draw(labels))


@st.composite
def journals(draw: st.DrawFn) -> tuple[bool, list[Observation]]:
    sticky = draw(st.booleans())
    seen = st.builds(
        Observation,
        st.sampled_from((*STEPS, 0.0)),
        arms(sticky=sticky),
        arms(sticky=sticky),
        segment=st.sampled_from(("", "a", "b", "c")),
        until=st.sampled_from((0.0, 1e9, 1e9 + 3, 1e9 + 20)),
    )
    return sticky, draw(st.lists(seen, max_size=12))


def told(journal: list[Observation], state: JudgeState) -> JudgeState:
    for observation in journal:
        state = observe(state, observation)
    return state


@given(journals())
def test_a_journal_told_twice_gives_the_same_state_and_the_same_words(case: tuple[bool, list[Observation]]) -> None:
    sticky, journal = case
    one, two = (told(journal, begin(ALL, STEPS, sticky=sticky)) for _ in range(2))
    assert one == two
    assert [report(one, step) for step in range(3)] == [report(two, step) for step in range(3)]


@given(journals(), st.data())
def test_a_state_that_was_stored_in_between_goes_on_the_same(case: tuple[bool, list[Observation]], data: st.DataObject) -> None:
    sticky, journal = case
    cut = data.draw(st.integers(0, len(journal)))
    stored = msgspec.msgpack.encode(told(journal[:cut], begin(ALL, STEPS, sticky=sticky)))
    resumed = told(journal[cut:], msgspec.msgpack.decode(stored, type=JudgeState))
    straight = told(journal, begin(ALL, STEPS, sticky=sticky))
    assert resumed == straight
    assert report(resumed, 1) == report(straight, 1)


def test_what_is_known_of_predictions_is_stored_too() -> None:
    """Scores until there are edges, then answers by bin."""
    policy = JudgePolicy(predictions=Predictions())
    warm = Observation(0.0, ArmObservation(), ArmObservation(scores=dict.fromkeys(range(200), 10)))
    binned = Observation(0.05, ArmObservation(9, bins=(9, *[0] * 9)), ArmObservation(200, bins=(20,) * 10))
    state = told([warm, binned], begin(policy, STEPS))
    resumed = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=JudgeState)
    assert resumed == state
    assert report(told([binned], resumed), 0) == report(told([warm, binned, binned], begin(policy, STEPS)), 0)


@given(st.lists(st.builds(Observation, st.sampled_from(STEPS), arms(sticky=False), arms(sticky=False)), max_size=8), st.randoms())
def test_where_the_unit_is_the_request_the_order_of_observations_does_not_matter(
    journal: list[Observation], random: Random
) -> None:
    policy = JudgePolicy()
    shuffled = list(journal)
    random.shuffle(shuffled)
    assert report(told(journal, begin(policy, STEPS)), 2) == report(told(shuffled, begin(policy, STEPS)), 2)


def test_an_observation_cut_in_two_is_the_same_evidence() -> None:
    whole = Observation(0.1, ArmObservation(10, 3), ArmObservation(90, 4))
    parts = [
        Observation(0.1, ArmObservation(4, 3), ArmObservation(0, 0)),
        Observation(0.1, ArmObservation(6, 0), ArmObservation(90, 4)),
    ]
    assert told([whole], begin(ALL, (0.1,))).tallies == told(parts, begin(ALL, (0.1,))).tallies


def test_a_state_is_folded_on_once() -> None:
    first = begin(ALL, STEPS)
    observation = next(requests(0.05, 0.1, 0.1, ticks=1))
    second = observe(first, observation)
    with pytest.raises(Conflict, match="folded on already"):
        observe(first, observation)
    assert second.requests == 100
    observe(second, observation)


def test_a_label_that_comes_twice_counts_once() -> None:
    state = begin(JudgePolicy(metrics=("labels",)), (0.1,))
    twice = Observation(0.1, ArmObservation(labels=((1, 1), (1, 1))), ArmObservation(labels=((2, 1),)))
    state = told([twice, twice], state)
    assert state.tallies["labels"].outcomes == {0.1: (2, 1)}
    assert state.tallies["labels"].first == {0.1: (2, 1)}
    assert state.seen[0.1].labelled == 2


def test_exceedances_of_a_unit_are_its_bits_once_thresholds_are_in_force() -> None:
    policy = JudgePolicy(requests_per_unit=2)
    untimed = Observation(0.1, ArmObservation(1, units=((1, 0),)), ArmObservation())
    timed = Observation(0.1, ArmObservation(2, 0, 2, (2, 0, 1), units=((1, 0b0010), (1, 0b1010))), ArmObservation())
    state = told([untimed, timed], begin(policy, (0.1,), sticky=True))
    assert state.tallies["errors"].canary_trials == 1
    assert {q: state.tallies[f"latency.p{q}"].canary_events for q in (50, 95, 99)} == {50: 1, 95: 0, 99: 1}
    assert state.tallies["latency.p99"].first == {0.1: (1, 1)}


def test_observations_that_do_not_fit_are_refused_and_change_nothing() -> None:
    state = begin(ALL, STEPS)
    for arm in (ArmObservation(1, units=((1, 0),)), ArmObservation(5, timed=5, exceeded=(1,))):
        with pytest.raises(Invalid):
            observe(state, Observation(0.05, arm, ArmObservation()))
    assert observe(state, Observation(0.05, ArmObservation(1), ArmObservation())).requests == 1


@pytest.mark.parametrize(
    ("policy", "steps", "path"),
    [
        (replace(ALL, metrics=("errors", "colour")), STEPS, "metrics"),
        (replace(ALL, metrics=()), STEPS, "metrics"),
        (replace(ALL, margins={"errors": Margin(1.5, 0.005)}), STEPS, "margins.latency"),
        (replace(ALL, margins={**ALL.margins, "errors": Margin(0.9, 0.005)}), STEPS, "margins.errors"),
        (replace(ALL, margins={**ALL.margins, "errors": Margin(1.5, 0.6)}), STEPS, "margins.errors"),
        (replace(ALL, alpha=0.0), STEPS, "alpha"),
        (replace(ALL, first_step_slack=0.5), STEPS, "first_step_slack"),
        (replace(ALL, quantiles=(0.1,)), STEPS, "quantiles"),
        (replace(ALL, router_alpha=0.0), STEPS, "router_alpha"),
        (replace(ALL, settled=0.0), STEPS, "settled"),
        (replace(ALL, objectives={"errors": 1.0}), STEPS, "objectives.errors"),
        (replace(ALL, objectives={"latency": 0.1}), STEPS, "objectives.latency"),
        (replace(ALL, metrics=("errors",)), STEPS, "objectives.labels"),
        (replace(ALL, segments=Segments("field:x", ("a", "a"))), STEPS, "segments"),
        (replace(ALL, segments=Segments("request", ("a",))), STEPS, "segments"),
        (replace(ALL, metrics=("latency",), objectives={}), STEPS, "segments"),
        (ALL, (), "steps"),
        (ALL, (0.5, 0.25), "steps"),
        (ALL, (0.5, 1.0), "steps"),
    ],
)
def test_a_policy_that_makes_no_test_is_refused_with_the_place(policy: JudgePolicy, steps: tuple[float, ...], path: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        begin(policy, steps)
    assert path in {fault.path for fault in refused.value.faults}


def test_there_is_no_step_beyond_the_last() -> None:
    with pytest.raises(ValueError, match="step 3 of 3"):
        report(begin(ALL, STEPS), 3)
