"""What the judge of a shadow promises, computed exactly where that can be done, and tried by simulations with fixed seeds.

Levels are looser than the defaults (α = 10 %), so that some hundreds of runs can tell kept from broken; every look of every run
counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import product
from math import exp, log

import numpy as np
import pytest
from numpy.typing import NDArray

from lockgate.boundary.observations import DISAGREED, FAILED
from lockgate.domain.evidence import Observation
from lockgate.domain.rollouts import Agreement, JudgePolicy, Margin
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.shadow import ShadowState, begin, observe, report
from lockgate.stages.deliver.shadow.evidence import harm_evidence, harm_shares, safe_evidence
from lockgate.stages.deliver.shadow.tally import Tally
from lockgate.stats.absolute import log_e_above, log_e_below
from lockgate.stats.combine import log_weighted_sum
from lockgate.stats.pairs import log_e_pair_worse
from tests.unit.shadow.pairs import POLICY, outcomes, requests, units

ALPHA = 0.1
Floats = NDArray[np.float64]
Outcomes = tuple[tuple[int, int], ...]


def at_most(level: float, runs: int) -> float:
    """What a share of `runs` may come to when its probability is `level`: three standard errors more."""
    return level + 3 * float(np.sqrt(level * (1 - level) / runs))


def share(log_e: Floats) -> float:
    """Of runs that ever reach the bar."""
    return float((log_e >= -log(ALPHA)).any(axis=1).mean())


# Exactly


def mean_of(
    evidence: Callable[[ShadowState], dict[str, float]],
    metric: str,
    chances: dict[tuple[int, int], float],
    journal: Callable[[Outcomes], Observation],
) -> float:
    """Of an e-value over all that can happen in four pairs, each with its chance by its outcome."""
    total = 0.0
    for case in product(chances, repeat=4):
        state = observe(begin(EXACT, sticky=True), journal(case))
        total += float(np.prod([chances[one] for one in case])) * exp(evidence(state)[metric])
    return total


def of_units(case: Outcomes) -> Observation:
    """Two units with two pairs each; of an outcome: the shadow's event, the champion's."""
    return units([(place % 2, DISAGREED if own else 0) for place, (own, _) in enumerate(case)])


def of_labels(case: Outcomes) -> Observation:
    return units([], [(place % 2, own, other) for place, (own, other) in enumerate(case)])


EXACT = replace(
    POLICY, agreement=Agreement(0.7), margins={"labels": Margin(1.5, 0.2), "errors": Margin(1.5, 0.3)}, requests_per_unit=2
)


def test_at_the_limit_evidence_has_a_mean_of_at_most_one() -> None:
    chances = {(0, 0): 0.7, (1, 0): 0.3}
    assert mean_of(harm_evidence, "agreement", chances, of_units) == pytest.approx(1.0)
    assert 0.5 < mean_of(safe_evidence, "agreement", chances, of_units) <= 1 + 1e-9


def test_labels_alike_and_labels_at_the_margin_have_a_mean_of_at_most_one() -> None:
    alike = {(0, 0): 0.5, (1, 0): 0.2, (0, 1): 0.2, (1, 1): 0.1}
    assert mean_of(harm_evidence, "labels", alike, of_labels) == pytest.approx(1.0)
    at_the_margin = {(0, 0): 0.45, (1, 0): 0.25, (0, 1): 0.1, (1, 1): 0.2}  # .45 = 1.5 × .3
    assert 0.5 < mean_of(safe_evidence, "labels", at_the_margin, of_labels) <= 1 + 1e-9


# Where the unit is the request: hundreds of runs at once


def cumulated(random: np.random.Generator, runs: int, blocks: int, size: int, rate: float) -> NDArray[np.int64]:
    return random.binomial(size, rate, (runs, blocks)).cumsum(axis=1)


def test_a_shadow_as_good_as_the_champion_and_at_both_limits_is_called_harmful_with_at_most_alpha() -> None:
    """800 runs of 10,000 pairs and 10,000 labels, looked at after every 50: all metrics at the edge of their nulls."""
    random, runs, blocks, size = np.random.default_rng(1), 800, 200, 50
    asked = np.arange(1, blocks + 1) * size
    discordant = cumulated(random, runs, blocks, size, 0.05)
    own = random.binomial(np.diff(discordant, prepend=0, axis=1), 0.5).cumsum(axis=1)
    logs = {
        "agreement": log_e_above(asked, cumulated(random, runs, blocks, size, 0.05), 0.05),
        "errors": log_e_above(asked, cumulated(random, runs, blocks, size, 0.005), 0.005),
        "labels": log_e_pair_worse(discordant, own),
    }
    total = log_weighted_sum(np.stack([logs[metric] for metric in POLICY.metrics], axis=-1), list(harm_shares(POLICY).values()))
    assert 0.005 < share(total) <= at_most(ALPHA, runs)
    assert (total >= -log(0.01)).any(axis=1).mean() <= at_most(0.01, runs)


def test_two_points_of_accuracy_are_found_within_1600_labels() -> None:
    """.90 → .88, the models differ in 5 % of their answers (it is the shadow that is wrong in 7 of 10); all metrics on."""
    random = np.random.default_rng(2)
    discordant = random.binomial(10, 0.05, (1000, 800))
    own = random.binomial(discordant, 0.7)
    evidence = log_e_pair_worse(discordant.cumsum(axis=1), own.cumsum(axis=1)) + log(harm_shares(POLICY)["labels"])
    found = evidence >= -log(POLICY.alpha)
    assert found.any(axis=1).mean() > 0.99
    assert np.median(10 * (found.argmax(axis=1) + 1)) <= 1600


def test_the_fold_finds_it_too() -> None:
    random, state, seen = np.random.default_rng(3), begin(POLICY), 0
    while (said := report(state)).verdict is JudgeVerdict.WAIT:
        drawn = outcomes(random, 50, 0.085, 0.035, 0.015)
        state = observe(state, requests(0, labels=[(seen + i, int(one & 1), int(one) >> 1) for i, one in enumerate(drawn)]))
        seen += 50
    assert (said.verdict, said.metrics) == (JudgeVerdict.HARM, ("labels",))
    assert seen <= 4000


def test_a_shadow_at_a_limit_is_called_safe_with_at_most_beta() -> None:
    random, runs, blocks, size = np.random.default_rng(4), 1500, 150, 50
    asked = np.arange(1, blocks + 1) * size
    for limit in (0.05, 0.005):
        gate = log_e_below(asked, cumulated(random, runs, blocks, size, limit), limit)
        assert share(gate) <= at_most(ALPHA, runs)


# Where users come back: the fold itself


def unequal(random: np.random.Generator, users: int, mean: float) -> Floats:
    """Of a few users nearly every request is one that the models differ about, of most hardly any."""
    return random.beta(0.1 * mean, 0.1 * (1 - mean), users)


def visits(random: np.random.Generator, risk: Floats, size: int) -> list[tuple[int, int]]:
    """Requests of users drawn at random: (key, whether the event happened)."""
    who = random.integers(0, len(risk), size)
    return list(zip(who.tolist(), (random.random(size) < risk[who]).astype(int).tolist(), strict=True))


def counts_of(tally: Tally) -> tuple[int, ...]:
    return tally.units, tally.own_first, tally.discordant, tally.own_discordant, tally.windows, tally.own


def followed(
    runs: int, policy: JudgePolicy, journal: Callable[[np.random.Generator], Iterable[tuple[Observation, int, int]]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each run and look: what the fold holds of the policy's one metric (see `counts_of`), and what counting each request, or
    label, by itself would hold: (trials, events). journal: observations with what they add to the latter.
    """
    ours, naive = [], []
    for run in range(runs):
        state, trials, events = begin(policy, sticky=True), 0, 0
        for observation, more, happened in journal(np.random.default_rng(run)):
            state, trials, events = observe(state, observation), trials + more, events + happened
            ours.append(counts_of(state.tallies[policy.metrics[0]]))
            naive.append((trials, events))
    return np.array(ours).reshape(runs, -1, 6), np.array(naive).reshape(runs, -1, 2)


@pytest.mark.parametrize(("metric", "bit"), [("agreement", DISAGREED), ("errors", FAILED)])
def test_sticky_users_who_differ_are_no_false_alarm(metric: str, bit: int) -> None:
    def journal(random: np.random.Generator) -> Iterator[tuple[Observation, int, int]]:
        risk = unequal(random, 80, 0.05)
        for _ in range(15):
            seen = visits(random, risk, 60)
            yield units([(key, bit * one) for key, one in seen]), 60, sum(one for _, one in seen)

    ours, naive = followed(600, replace(POLICY, metrics=(metric,)), journal)
    assert share(log_e_above(naive[..., 0], naive[..., 1], 0.05)) > at_most(ALPHA, 600)  # by request, the promise is broken
    assert share(log_e_above(ours[..., 0], ours[..., 1], 0.05)) <= at_most(ALPHA, 600)


def test_sticky_users_at_the_limit_are_called_safe_with_at_most_beta() -> None:
    def journal(random: np.random.Generator) -> Iterator[tuple[Observation, int, int]]:
        risk = unequal(random, 60, 0.2)
        for _ in range(12):
            seen = visits(random, risk, 60)
            yield units([(key, DISAGREED * one) for key, one in seen]), 60, sum(one for _, one in seen)

    ours, naive = followed(600, replace(POLICY, metrics=("agreement",), requests_per_unit=5), journal)
    assert share(log_e_below(naive[..., 0], naive[..., 1], 0.2)) > at_most(ALPHA, 600)
    assert share(log_e_below(ours[..., 4], ours[..., 5] / 5, 0.2)) <= at_most(ALPHA, 600)


def test_users_about_whom_one_model_is_always_the_wrong_one_are_no_false_alarm() -> None:
    """As many users get worse as get better: counted label by label, the few who come often decide."""

    def journal(random: np.random.Generator) -> Iterator[tuple[Observation, int, int]]:
        worse, often = random.random(40) < 0.5, random.exponential(1, 40)
        for _ in range(12):
            who = random.choice(40, 20, p=often / often.sum())
            labels = [(int(key), int(worse[key]), int(not worse[key])) for key in who]
            yield units([], labels), 20, int(worse[who].sum())

    ours, naive = followed(600, replace(POLICY, metrics=("labels",)), journal)
    assert share(log_e_pair_worse(naive[..., 0], naive[..., 1])) > at_most(ALPHA, 600)
    assert share(log_e_pair_worse(ours[..., 2], ours[..., 3])) <= at_most(ALPHA, 600)
