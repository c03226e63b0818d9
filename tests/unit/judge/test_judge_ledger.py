"""One event per unit: what the ledger feeds, checked against every course that a unit can take and against a slow re-telling."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.stages.deliver.judge.ledger import Ledger, Taken, tally_of
from lockgate.stages.deliver.judge.tally import Counts, Tally
from lockgate.stages.deliver.judge.visits import Visits
from lockgate.stats.odds import HIGHER, log_growth

RAMP = (0.05, 0.05, 0.25, 0.25, 0.5)  # the canary's weight at each of a unit's requests


def growth(counts: Counts, ratio: float, odds: tuple[float, ...]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    total = np.zeros(len(odds))
    for weight, (events, own) in counts.items():
        total += log_growth(weight, events, own, ratio, odds)
    return total


def course(place: float, outcomes: tuple[int, ...], horizon: int) -> Tally:
    """One unit at `place` on the hash ring makes one request at each weight of the ramp."""
    ledger, tally = Ledger(horizon), Tally()
    for weight, outcome in zip(RAMP, outcomes, strict=True):
        records = ((7, outcome),)
        canary = ledger.take(records if place < weight else (), weight, canary=True)
        baseline = ledger.take(records if place >= weight else (), weight, canary=False)
        tally = tally.plus(tally_of(0, weight, canary, baseline))
    return tally


def places() -> list[tuple[float, float]]:
    """Every kind of unit on this ramp: (its place, the probability of the kind)."""
    edges = (0.0, *sorted(set(RAMP)), 1.0)
    return [((low + high) / 2, high - low) for low, high in pairwise(edges)]


@pytest.mark.parametrize("risk", [0.1, 0.6, 1.0])
def test_a_first_event_is_a_fair_bet_if_the_canary_changes_nothing_also_for_units_that_the_ramp_moves(risk: float) -> None:
    mean = np.zeros(len(HIGHER))
    for (place, chance), outcomes in product(places(), product((0, 1), repeat=len(RAMP))):
        likely = chance * np.prod([risk if failed else 1 - risk for failed in outcomes])
        mean += likely * np.exp(growth(course(place, outcomes, horizon=20).first, 1.0, HIGHER))
    np.testing.assert_allclose(mean, 1.0)


@pytest.mark.parametrize("horizon", [1, 2, 3, 5])
@pytest.mark.parametrize("risk", [0.1, 0.6])
def test_an_outcome_at_the_horizon_is_a_fair_bet_if_the_canary_is_just_so_much_worse(horizon: int, risk: float) -> None:
    """The canary's risk over `horizon` requests is `ratio` × the baseline's; units that tried both arms are left out."""
    canary_risk = 1.3 * risk
    ratio = (1 - (1 - canary_risk) ** horizon) / (1 - (1 - risk) ** horizon)
    odds = tuple(o / ratio for o in (1.0, 0.8, 0.5))
    mean = np.zeros(len(odds))
    for (place, chance), outcomes in product(places(), product((0, 1), repeat=len(RAMP))):
        risks = [canary_risk if place < weight else risk for weight in RAMP]
        likely = chance * np.prod([one if failed else 1 - one for one, failed in zip(risks, outcomes, strict=True)])
        mean += likely * np.exp(growth(course(place, outcomes, horizon).outcomes, ratio, odds))
    np.testing.assert_allclose(mean, 1.0)


def test_a_first_event_counted_under_the_weight_of_the_first_request_would_not_be_fair() -> None:
    """Why the event's own weight is used: a unit that the ramp moved and that fails there would be charged as if it were rare."""
    mean = 0.0
    for place, chance in places():
        tally = course(place, (0, 0, 1, 0, 0), horizon=20)
        (((_, (_, own)),)) = tally.first.items()
        mean += chance * float(np.exp(log_growth(RAMP[0], 1, own, 1.0, (3.0,)))[0])
    assert mean > 1.3


def test_a_unit_that_moved_is_in_no_outcome_and_its_first_event_counts_once() -> None:
    tally = course(0.1, (0, 1, 0, 1, 1), horizon=3)
    assert tally.first == {0.05: (1, 0)}
    assert tally.outcomes == {}
    assert (tally.canary_trials, tally.baseline_trials) == (0, 0)


def test_an_outcome_is_fed_once_at_the_horizon_and_later_events_do_not_change_it() -> None:
    tally = course(0.01, (0, 0, 0, 1, 1), horizon=3)
    assert tally.first == {0.25: (1, 1)}
    assert (tally.canary_trials, tally.canary_events) == (1, 0)


Record = tuple[int, bool, int]  # key, on the canary, whether the event happened


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 1)), max_size=60), st.integers(1, 4))
def test_the_ledger_tells_what_a_reading_of_the_whole_history_tells(history: list[Record], horizon: int) -> None:
    ledger, tally = Ledger(horizon), Tally()
    for key, canary, happened in history:
        own = ledger.take(((key, happened),) if canary else (), 0.2, canary=True)
        other = ledger.take(() if canary else ((key, happened),), 0.2, canary=False)
        tally = tally.plus(tally_of(0, 0.2, own, other))
    first, outcomes, trials = _retold(history, horizon)
    assert tally.first.get(0.2, (0, 0)) == first
    assert tally.outcomes.get(0.2, (0, 0)) == outcomes
    assert (tally.canary_trials, tally.baseline_trials) == trials


def _retold(history: list[Record], horizon: int) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    firsts, outcomes, trials = [], [], []
    for key in {key for key, _, _ in history}:
        own = [(canary, happened) for one, canary, happened in history if one == key]
        firsts += [next(canary for canary, event in own if event)] if any(event for _, event in own) else []
        window = own[:horizon]
        if len(window) == horizon and len({canary for canary, _ in window}) == 1:
            trials.append(window[0][0])
            outcomes += [window[0][0]] if any(event for _, event in window) else []
    return (len(firsts), sum(firsts)), (len(outcomes), sum(outcomes)), (sum(trials), len(trials) - sum(trials))


_visit = st.tuples(st.integers(0, 4), st.booleans(), st.sampled_from((0.05, 0.25, 0.5)), st.integers(0, 7), st.booleans())


@given(st.lists(_visit, max_size=60), st.integers(1, 4))
def test_visits_are_a_ledger_for_each_event_of_which_those_of_latency_see_timed_requests_only(
    history: list[tuple[int, bool, float, int, bool]], horizon: int
) -> None:
    visits, failures, slow = Visits(horizon), Ledger(horizon), [Ledger(horizon), Ledger(horizon)]
    for key, canary, weight, bits, timed in history:
        whole, exceeded = visits.take([(key, bits)], weight, canary=canary, slow=0b11 if timed else 0)
        assert whole == failures.take([(key, bits)], weight, canary=canary)
        for bit, ledger in enumerate(slow):
            alone = ledger.take([(key, bits >> 1 + bit)] if timed else [], weight, canary=canary)
            assert tally_of(bit, weight, exceeded, Taken()) == tally_of(0, weight, alone, Taken())
