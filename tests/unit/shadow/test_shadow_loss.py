"""A shadow judged by its loss: the fold of the differences, what it promises, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from math import exp, inf, log, nan

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lockgate.domain.evidence import JournalRow, Observation
from lockgate.domain.rollouts import JudgePolicy, Loss
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.kernel.errors import Invalid, InvalidInput
from lockgate.stages.deliver.shadow import ShadowState, begin, observe, report, sentence
from lockgate.stages.deliver.shadow.evidence import harm_evidence, harm_shares, safe_evidence
from lockgate.stages.deliver.shadow.losses import Bet, LossPair, MeanLosses, differences
from lockgate.stats.betting import Capital, fold
from lockgate.testing import builders as a
from tests.unit.shadow.pairs import POLICY, losses

BRIER = JudgePolicy(metrics=("loss",), loss=Loss("brier"))
STICKY = replace(BRIER, requests_per_unit=3)
ALPHA = 0.1  # looser than the defaults, so that some hundreds of runs can tell kept from broken
Floats = NDArray[np.float64]

numbers = st.integers(0, 10**6).map(lambda value: value / 10**6)
records = st.lists(st.tuples(st.integers(0, 6), numbers, numbers), max_size=15)
journals = st.lists(st.builds(losses, records, st.integers(0, 3)), max_size=6)


def told(journal: Sequence[Observation], policy: JudgePolicy = STICKY) -> ShadowState:
    state = begin(policy, sticky=policy.requests_per_unit == STICKY.requests_per_unit)
    for observation in journal:
        state = observe(state, observation)
    return state


# One loss


@pytest.mark.parametrize(
    ("loss", "score", "label", "value"),
    [
        (Loss("brier"), 0.9, 1.0, 0.01),
        (Loss("brier"), 0.9, 0.0, 0.81),
        (Loss("brier"), 7.0, 1.0, 0.0),
        (Loss("brier"), -0.5, 1.0, 1.0),
        (Loss("brier"), 1 / 3, 0.0, 0.111111),
        (Loss("absolute", 60.0), 45.0, 30.0, 0.25),
        (Loss("absolute", 60.0), -500.0, 30.0, 1.0),
        (Loss("absolute", 60.0), inf, 30.0, 1.0),
        (Loss("absolute", 60.0), nan, 30.0, 1.0),
        (Loss("brier"), nan, 1.0, 1.0),
    ],
)
def test_a_loss_lies_between_0_and_1_and_no_score_escapes_it(loss: Loss, score: float, label: float, value: float) -> None:
    assert loss.takes(label)
    assert loss.at(score, label) == value


@pytest.mark.parametrize(
    ("loss", "label"), [(Loss("brier"), 0.5), (Loss("brier"), 30.0), (Loss("brier"), nan), (Loss("absolute"), inf)]
)
def test_a_label_that_is_of_another_kind_has_no_loss(loss: Loss, label: float) -> None:
    assert not loss.takes(label)


# The fold


@given(journals)
def test_a_journal_told_twice_gives_the_same_state_bit_for_bit(journal: list[Observation]) -> None:
    assert told(journal) == told(journal)
    assert report(told(journal)) == report(told(journal))


@given(journals, st.integers(0, 6))
def test_a_state_that_was_stored_in_between_goes_on_the_same(journal: list[Observation], place: int) -> None:
    state = msgspec.json.decode(msgspec.json.encode(told(journal[:place])), type=ShadowState)
    for observation in journal[place:]:
        state = observe(state, observation)
    assert state == told(journal)


@given(records, st.integers(0, 15))
def test_it_does_not_matter_how_pairs_are_cut_into_observations(pairs: list[tuple[int, float, float]], place: int) -> None:
    whole, parts = report(told([losses(pairs)])), report(told([losses(pairs[:place]), losses(pairs[place:])]))
    assert parts.evidence == pytest.approx(whole.evidence, abs=1e-9)
    assert parts.losses is not None
    assert whole.losses is not None
    assert msgspec.to_builtins(parts.losses) == pytest.approx(msgspec.to_builtins(whole.losses), abs=1e-9)


@given(st.lists(st.tuples(numbers, numbers), max_size=30))
def test_shadow_and_champion_are_treated_alike(pairs: list[LossPair]) -> None:
    """With their places changed, all that is said of the difference is said of its opposite."""
    changed = [(other, own) for own, other in pairs]
    one, two = MeanLosses().plus(pairs).figures(0), MeanLosses().plus(changed).figures(0)
    assert (two.low, two.high) == pytest.approx((-one.high, -one.low), abs=1e-9)
    assert (two.shadow, two.champion) == pytest.approx((one.champion, one.shadow))
    if pairs:
        opposite = float(fold(Capital(0.5), differences(pairs)).log_at_least)
        assert Bet().higher(changed).log_e == pytest.approx(opposite, abs=1e-9)


def test_a_unit_counts_once_however_often_it_comes_back() -> None:
    """It is seen first, and then for as long as its window is open."""
    once = told([losses([(7, 1.0, 0.0)] * 3)])
    often = told([losses([(7, 1.0, 0.0)] * 3), losses([(7, 0.0, 1.0)] * 500)])
    assert report(often).evidence == report(once).evidence
    assert report(often).losses == report(once).losses
    assert often.loss.pairs == 503


def test_safety_is_proven_by_windows_means_and_harm_by_first_pairs() -> None:
    state = told([losses([(1, 0.6, 0.3), (1, 0.0, 0.3), (2, 0.5, 0.5), (1, 0.0, 0.3)])])
    assert report(state).evidence["harm/loss"] == Bet().higher([(0.6, 0.3), (0.5, 0.5)]).log_e
    assert report(state).evidence["safe/loss@0"] == pytest.approx(Bet().within(0.01, [(0.2, 0.3)]).log_e)


def test_rows_of_one_request_are_one_pair() -> None:
    state = told([losses([(5, 1.0, 0.0), (5, 1.0, 0.0), (6, 0.0, 0.0)])], BRIER)
    assert (state.loss.pairs, state.loss.mean.units, state.loss.safe.n) == (3, 2, 2)


def test_rows_of_an_earlier_release_are_read_without_losses() -> None:
    row = a.journal_row(observations=(losses([]),))
    stored = msgspec.to_builtins(row, str_keys=True)
    for one in stored["observations"]:
        del one["pairs"]["losses"], one["pairs"]["left_out"]
    assert msgspec.json.decode(msgspec.json.encode(stored), type=JournalRow) == row


def test_what_is_no_loss_is_refused_and_nothing_is_folded() -> None:
    state = begin(BRIER)
    with pytest.raises(Invalid, match=r"losses of 1\.5 and 0\.0 found, from 0 to 1 expected"):
        observe(state, losses([(1, 1.5, 0.0)]))
    assert observe(state, losses([(1, 0.5, 0.0)])).loss.pairs == 1


@pytest.mark.parametrize(
    "loss", [None, Loss("brier", margin=0.0), Loss("brier", margin=1.0), Loss("absolute", 0.0), Loss("squared")]
)
def test_a_policy_that_makes_no_test_is_refused(loss: Loss | None) -> None:
    with pytest.raises(InvalidInput) as error:
        begin(replace(BRIER, loss=loss))
    assert [fault.path for fault in error.value.faults] == ["loss"]


# The verdict


def test_harm_is_said_in_figures() -> None:
    said = report(told([losses([(key, 0.4, 0.1) for key in range(100)])], BRIER))
    assert (said.verdict, said.metrics) == (JudgeVerdict.HARM, ("loss",))
    assert sentence(said).startswith("The shadow would do harm: loss 0.4000 against 0.1000, difference +0.3000 [+0.")
    assert sentence(said).endswith("] of 100, less than +0.0100 asked.")


def test_one_that_says_the_same_is_proven_safe() -> None:
    state = told([losses([(key, 0.2, 0.2) for key in range(400)])], BRIER)
    assert report(state).verdict is JudgeVerdict.WAIT
    state = observe(state, losses([(key, 0.2, 0.2) for key in range(400, 500)]))
    assert (report(state).verdict, report(state).metrics) == (JudgeVerdict.SAFE, ("loss",))


def test_safe_needs_the_labelled_units_asked_for() -> None:
    for patience, verdict in ((500, JudgeVerdict.SAFE), (501, JudgeVerdict.WAIT)):
        state = told([losses([(key, 0.2, 0.2) for key in range(500)])], replace(BRIER, min_units=patience))
        assert report(state).verdict is verdict


def test_a_bet_on_the_loss_shares_alpha_with_the_others() -> None:
    """Found alone with fewer pairs than beside three other metrics, of which none says anything."""

    def until_harm(policy: JudgePolicy) -> int:
        state, seen = begin(policy), 0
        while report(state).verdict is not JudgeVerdict.HARM:
            state, seen = observe(state, losses([(seen, 0.4, 0.3)])), seen + 1
        return seen

    every = replace(POLICY, metrics=(*POLICY.metrics, "loss"), loss=Loss("brier"))
    assert harm_shares(every) == pytest.approx({"agreement": 1 / 6, "errors": 1 / 6, "labels": 1 / 3, "loss": 1 / 3})
    assert until_harm(BRIER) < until_harm(every) < 1.5 * until_harm(BRIER)


def test_labels_without_a_loss_prove_nothing_are_told_and_use_up_patience() -> None:
    policy = replace(BRIER, max_units=100)
    said = report(told([losses([], left_out=99)], policy))
    assert (said.verdict, said.evidence["safe/loss@0"]) == (JudgeVerdict.WAIT, 0.0)
    spent = report(told([losses([], left_out=99), losses([(1, 0.0, 0.0)])], policy))
    assert spent.verdict is JudgeVerdict.INCONCLUSIVE
    assert sentence(spent).endswith("less than +0.0100 asked; left out, because their labels have no such loss: 99.")
    assert "loss nothing yet; left out, because their labels have no such loss: 99." in sentence(said)


def test_where_the_champion_is_as_wrong_as_can_be_nothing_is_proven() -> None:
    """A scale far too small cuts both losses at 1: they are alike because nothing can be seen."""
    said = report(told([losses([(key, 1.0, 1.0) for key in range(3000)])], BRIER))
    assert (said.verdict, said.metrics) == (JudgeVerdict.WAIT, ("loss",))


def test_labels_that_are_late_spend_no_budget() -> None:
    state = observe(begin(replace(BRIER, max_units=100)), losses([(key, 0.1, 0.1) for key in range(99)]))
    assert report(state).verdict is JudgeVerdict.WAIT
    state = observe(state, losses([(99, 0.1, 0.1)]))
    assert (report(state).verdict, report(state, extensions=1).verdict) == (JudgeVerdict.INCONCLUSIVE, JudgeVerdict.WAIT)


# What it promises


def mean_of(evidence: Callable[[ShadowState], dict[str, float]], chances: dict[LossPair, float]) -> float:
    """Of an e-value over all that can happen to three units with two pairs each, whose pairs come in turn."""
    policy, total = replace(BRIER, requests_per_unit=2, loss=Loss("brier", margin=0.2)), 0.0
    for case in product(chances, repeat=6):
        state = observe(begin(policy, sticky=True), losses([(place % 3, *pair) for place, pair in enumerate(case)]))
        total += float(np.prod([chances[one] for one in case])) * exp(evidence(state)["loss"])
    return total


def test_at_the_edge_evidence_has_a_mean_of_one() -> None:
    alike = {(0.0, 0.0): 0.5, (0.6, 0.0): 0.2, (0.2, 0.6): 0.3}  # .2 × .6 = .3 × .4
    assert mean_of(harm_evidence, alike) == pytest.approx(1.0)
    at_the_margin = {(0.5, 0.0): 0.5, (0.3, 0.4): 0.5}  # half of .5 − .1 is .2
    assert mean_of(safe_evidence, at_the_margin) == pytest.approx(1.0)


def at_most(level: float, runs: int) -> float:
    """What a share of `runs` may come to when its probability is `level`: three standard errors more."""
    return level + 3 * float(np.sqrt(level * (1 - level) / runs))


def brier(random: np.random.Generator, truth: Floats, own: float, other: float) -> Floats:
    """Differences, as x, of the losses of two scores that miss the truth's probability by noise of so much."""
    label = random.random(truth.shape) < truth
    scores = [np.clip(truth + random.normal(0, noise, truth.shape), 0, 1) for noise in (own, other)]
    shadow, champion = ((score - label) ** 2 for score in scores)
    return np.asarray((shadow - champion + 1) / 2)


def test_two_that_are_equally_good_and_differ_much_are_called_harmful_with_at_most_alpha() -> None:
    """1,000 runs of 4,000 pairs, looked at after every 20, while what is asked gets easier and harder."""
    random, runs, capital = np.random.default_rng(1), 1000, Capital(0.5)
    crossed = np.zeros(runs, bool)
    for block in range(200):
        truth = random.beta(0.3 + block % 5, 1.0, (runs, 20))
        capital = fold(capital, brier(random, truth, 0.2, 0.2))
        crossed |= np.asarray(capital.log_at_most) >= -log(ALPHA)
    assert 0.02 < crossed.mean() <= at_most(ALPHA, runs)


def test_one_that_is_worse_by_the_margin_is_called_safe_with_at_most_beta() -> None:
    """1,000 runs of 4,000 pairs whose differences have a mean of exactly .05."""
    random, runs, margin = np.random.default_rng(2), 1000, 0.05
    capital, crossed = Capital((1 + margin) / 2), np.zeros(runs, bool)
    for _ in range(200):
        difference = random.choice([-0.35, 0.0, 0.45], (runs, 20), p=[0.25, 0.44444, 0.30556])
        capital = fold(capital, (difference + 1) / 2)
        crossed |= np.asarray(capital.log_at_least) >= -log(ALPHA)
    assert 0.02 < crossed.mean() <= at_most(ALPHA, runs)


def test_users_of_whom_each_is_served_better_by_one_of_the_two_are_no_false_alarm() -> None:
    """As many get worse as get better; counted pair by pair, the few who come often decide."""
    runs, naive, ours = 300, 0, 0
    for run in range(runs):
        random = np.random.default_rng(run)
        worse, often = random.random(40) < 0.5, random.exponential(1, 40)
        who = random.choice(40, 240, p=often / often.sum())
        pairs = [(int(key), 0.5, 0.3) if worse[key] else (int(key), 0.3, 0.5) for key in who]
        state, capital = told([losses(pairs)], replace(BRIER, requests_per_unit=3)), Bet().higher([one[1:] for one in pairs])
        naive += capital.log_e >= -log(ALPHA)
        ours += state.loss.harm.log_e >= -log(ALPHA)
    assert naive / runs > at_most(ALPHA, runs)
    assert ours / runs <= at_most(ALPHA, runs)


@pytest.mark.parametrize(
    ("own", "other", "side", "within"),
    [
        (0.15, 0.0, "harm", 900),  # Brier .185 → .167 of the champion
        (0.0, 0.15, "safe", 400),  # it is as much better
        (0.05, 0.05, "safe", 900),  # alike, and they differ a little
    ],
)
def test_two_points_of_brier_are_found_within_some_hundred_labels(own: float, other: float, side: str, within: int) -> None:
    random, runs = np.random.default_rng(3), 200
    harm, safe = Capital(0.5), Capital(0.505)
    found = np.full(runs, 10**6)
    for block in range(1, within // 10 + 1):
        values = brier(random, random.random((runs, 10)), own, other)
        harm, safe = fold(harm, values), fold(safe, values)
        proven = np.asarray(harm.log_at_most) >= -log(0.01) if side == "harm" else np.asarray(safe.log_at_least) >= -log(0.05)
        found = np.minimum(found, np.where(proven, 10 * block, 10**6))
    assert np.quantile(found, 0.9) <= within


def test_the_fold_bets_as_the_simulations_do() -> None:
    random = np.random.default_rng(4)
    pairs = [(own, other) for own, other in random.random((500, 2)).round(6).tolist()]
    state = told([losses([(key, *pair) for key, pair in enumerate(pairs)])], BRIER)
    values = differences(pairs)
    assert state.loss.harm.log_e == float(fold(Capital(0.5), values).log_at_most)
    assert state.loss.safe.log_e == float(fold(Capital(0.505), values).log_at_least)
