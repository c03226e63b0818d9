"""The fold of a shadow's pairs: the same journal gives the same state; what does not fit is refused; units count once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.observations import DISAGREED, FAILED
from lockgate.domain.evidence import ArmObservation, JournalRow, Observation, Pairs
from lockgate.domain.rollouts import Agreement, JudgePolicy, Margin
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.kernel.errors import Conflict, Invalid, InvalidInput
from lockgate.stages.deliver.shadow import ShadowState, begin, observe, report, sentence
from lockgate.stats.absolute import log_e_below
from lockgate.testing import builders as a
from lockgate.testing.clock import START
from tests.unit.shadow.pairs import POLICY, requests, units

labels = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1), st.integers(0, 1)), max_size=6)
records = st.lists(st.tuples(st.integers(0, 5), st.sampled_from((0, FAILED, DISAGREED))), max_size=10)
STICKY = replace(POLICY, requests_per_unit=3)


def told(journal: Sequence[Observation], state: ShadowState) -> ShadowState:
    for observation in journal:
        state = observe(state, observation)
    return state


journals = st.lists(st.builds(units, records, labels), max_size=8)


@given(journals)
def test_a_journal_told_twice_gives_the_same_state_and_the_same_words(journal: list[Observation]) -> None:
    one, two = (told(journal, begin(STICKY, sticky=True)) for _ in range(2))
    assert one == two
    assert report(one) == report(two)


@given(journals, st.integers(0, 8))
def test_a_state_that_was_stored_in_between_goes_on_the_same(journal: list[Observation], place: int) -> None:
    straight = told(journal, begin(STICKY, sticky=True))
    stored = msgspec.json.encode(told(journal[:place], begin(STICKY, sticky=True)))
    assert told(journal[place:], msgspec.json.decode(stored, type=ShadowState)) == straight


@given(records, labels, st.integers(0, 10))
def test_it_does_not_matter_how_records_are_cut_into_observations(
    seen: list[tuple[int, int]], judged: list[tuple[int, int, int]], place: int
) -> None:
    whole = told([units(seen, judged)], begin(STICKY, sticky=True))
    parts = told([units(seen[:place], judged[:place]), units(seen[place:], judged[place:])], begin(STICKY, sticky=True))
    assert report(parts) == report(whole)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_where_the_unit_is_the_request_counts_say_the_same_as_units_seen_once(agreed: int, disagreed: int, failed: int) -> None:
    asked = agreed + disagreed + failed
    counted = told([requests(asked, failed=failed, disagreed=disagreed)], begin(POLICY))
    outcomes = enumerate([0] * agreed + [DISAGREED] * disagreed + [FAILED] * failed)
    one_by_one = told([units(list(outcomes))], begin(replace(POLICY, requests_per_unit=1), sticky=True))
    assert report(one_by_one).evidence == report(counted).evidence


def test_a_unit_counts_once_however_often_it_comes_back() -> None:
    state = told([units([(7, DISAGREED)] * 3 + [(8, 0)] * 3)], begin(STICKY, sticky=True))
    once = report(state).evidence
    for _ in range(50):
        state = observe(state, units([(7, DISAGREED)] * 3 + [(8, FAILED)] * 3, [(7, 1, 0)]))
    after = report(state).evidence
    assert {name: value for name, value in once.items() if "labels" not in name and name != "harm"}.items() <= after.items()
    assert state.tallies["labels"].discordant == 1


def test_a_windows_mean_counts_as_one_outcome() -> None:
    """Two units of three outcomes: a third of the first one's, none of the other's disagree."""
    state = told([units([(1, 0), (1, DISAGREED), (2, 0), (1, 0), (2, 0), (2, 0), (2, DISAGREED)])], begin(STICKY, sticky=True))
    tally = state.tallies["agreement"]
    assert (tally.units, tally.own_first, tally.windows, tally.own) == (2, 0, 2, 1)
    assert report(state).evidence["safe/agreement@0"] == log_e_below(2, 1 / 3, 1 - 0.95)


def test_rows_of_one_request_are_one_outcome() -> None:
    state = told([requests(1, labels=[(5, 1, 0), (5, 1, 0), (6, 0, 0)])], begin(POLICY))
    assert (state.labels, state.tallies["labels"].units, state.tallies["labels"].discordant) == (3, 2, 1)


def test_a_state_can_be_folded_on_once() -> None:
    state = begin(POLICY)
    observe(state, requests(10))
    with pytest.raises(Conflict, match="folded on already"):
        observe(state, requests(10))


@pytest.mark.parametrize(
    ("observation", "said"),
    [
        (units([(1, 0)]), "the rollout's unit is the request"),
        (Observation(1.0, ArmObservation(5), ArmObservation()), "together 5 expected"),
        (
            Observation(1.0, ArmObservation(1, labels=((1, 0),)), ArmObservation(labels=((2, 0),)), pairs=Pairs(1)),
            "not those of the same predictions",
        ),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_folded(observation: Observation, said: str) -> None:
    state = begin(POLICY)
    with pytest.raises(Invalid, match=said):
        observe(state, observation)
    assert observe(state, requests(1)).requests == 1


@pytest.mark.parametrize(
    ("policy", "path"),
    [
        (replace(POLICY, metrics=("errors", "latency")), "metrics"),
        (replace(POLICY, metrics=()), "metrics"),
        (replace(POLICY, agreement=None), "agreement"),
        (replace(POLICY, agreement=Agreement(1.0)), "agreement"),
        (replace(POLICY, label_event=None), "label_event"),
        (replace(POLICY, margins={"labels": Margin(1.2, 0.005)}), "margins.errors"),
        (replace(POLICY, alpha=0.0), "alpha"),
        (replace(POLICY, max_units=0), "max_units"),
    ],
)
def test_a_policy_that_makes_no_test_is_refused(policy: JudgePolicy, path: str) -> None:
    with pytest.raises(InvalidInput) as error:
        begin(policy)
    assert [fault.path for fault in error.value.faults] == [path]


def test_harm_is_looked_at_first_and_names_what_carries_it() -> None:
    said = report(told([requests(1000, disagreed=300)], begin(POLICY)))
    assert (said.verdict, said.metrics) == (JudgeVerdict.HARM, ("agreement",))
    assert sentence(said) == "The shadow would do harm: agreement 70.00 % (700 of 1000), at least 95.00 % asked."
    failing = report(told([requests(1000, failed=100)], begin(POLICY)))
    assert sentence(failing) == "The shadow would do harm: errors 10.00 % (100 of 1000), at most 0.50 % asked."
    wrong = report(told([requests(0, labels=[(key, int(key < 120), int(key < 20)) for key in range(500)])], begin(POLICY)))
    assert sentence(wrong) == "The shadow would do harm: labels 24.00 % (120 of 500) against 4.00 % (20 of 500)."


def test_safe_needs_every_metric_and_the_units_asked_for() -> None:
    """At a tenth of the limit of disagreements, with no failure, and with labels that both get right."""
    pairs = requests(3000, disagreed=15)
    said = report(told([pairs], begin(POLICY)))
    assert (said.verdict, said.metrics) == (JudgeVerdict.WAIT, ("labels",))
    right = requests(0, labels=[(key, 0, 0) for key in range(2000)])
    proven = report(told([pairs, right], begin(POLICY)))
    assert (proven.verdict, proven.metrics) == (JudgeVerdict.SAFE, POLICY.metrics)
    patient = report(told([pairs, right], begin(replace(POLICY, min_units=2001))))
    assert patient.verdict is JudgeVerdict.WAIT
    assert (proven.exposed_requests, proven.exposed_units) == (0, 0)


def test_where_everything_fails_for_both_nothing_is_proven() -> None:
    """1.2 × a rate of 1 is no rate: a shadow that is always wrong beside a champion that is always wrong is not safe."""
    said = report(told([requests(3000, labels=[(key, 1, 1) for key in range(3000)])], begin(POLICY)))
    assert said.metrics == ("labels",)


def test_nothing_seen_is_nothing_proven() -> None:
    said = report(begin(POLICY))
    assert (said.verdict, sentence(said).startswith("Too early to say: agreement nothing yet (0 of 0)")) == (
        JudgeVerdict.WAIT,
        True,
    )


@pytest.mark.parametrize(
    ("policy", "observation"),
    [
        (replace(POLICY, metrics=("agreement", "errors"), max_units=100), requests(100, disagreed=5)),
        (replace(POLICY, max_units=100), requests(100, disagreed=5, labels=[(key, 0, 0) for key in range(100)])),
    ],
)
def test_a_spent_budget_asks_a_person_who_may_grant_more(policy: JudgePolicy, observation: Observation) -> None:
    state = told([observation], begin(policy))
    assert report(state).verdict is JudgeVerdict.INCONCLUSIVE
    assert report(state, extensions=1).verdict is JudgeVerdict.WAIT


def test_labels_that_are_late_spend_no_budget() -> None:
    state = told([requests(50_000)], begin(replace(POLICY, max_units=100)))
    assert report(state).verdict is JudgeVerdict.WAIT


def test_few_units_that_return_for_ever_spend_the_budget_too() -> None:
    policy = replace(STICKY, metrics=("agreement",), max_units=10)
    state = told([units([(1, 0), (2, 0)] * 14)], begin(policy, sticky=True))
    assert report(state).verdict is JudgeVerdict.WAIT
    assert report(observe(state, units([(1, 0), (2, 0)]))).verdict is JudgeVerdict.INCONCLUSIVE


def test_rows_of_an_earlier_release_are_read_without_their_pairs() -> None:
    row = a.journal_row(observations=(a.observation(),))
    stored = msgspec.to_builtins(row, str_keys=True)
    for one in stored["observations"]:
        del one["pairs"]
    text = msgspec.json.encode(stored)
    assert msgspec.json.decode(text, type=JournalRow) == row
    assert row.at == START
