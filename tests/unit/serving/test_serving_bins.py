"""Where scores fall: into declared bins, or into coarse steps while a rollout has none."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lockgate.boundary.observations import Cell
from lockgate.boundary.routes import Arm, Bins, Role, Route, RouteTable, Shadow
from lockgate.boundary.scores import STEPS, step
from lockgate.kernel.errors import Invalid
from lockgate.serving.capture.book import Book
from lockgate.serving.capture.figures import Figures
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.capture.tally import Tally
from lockgate.serving.control.tables import decode
from tests.unit.serving.capture import REVISION, block_of, tally, told

CHAMPION = Arm(1, "c", Role.CHAMPION, 1.0)
FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)


def ledger_of(capacity: int = 1000) -> Ledger:
    return Ledger("w", "i", Figures(), 0.0, Book.in_memory(capacity))


def cell_of(ledger: Ledger) -> Cell:
    (cell,) = block_of(told(ledger)).cells
    return cell


def answer(ledger: Ledger, one: Tally, score: float) -> None:
    ledger.succeed(ledger.admit(one, 1), 0.01, 1.0, one.place(score))


@given(st.sets(FINITE, min_size=1, max_size=63), st.lists(st.none() | FINITE, min_size=1, max_size=200))
def test_each_answer_is_in_the_bin_of_its_score_and_failures_are_in_none(edges: set[float], scores: list[float | None]) -> None:
    bins = Bins(7, tuple(sorted(edges)))
    ledger, one = ledger_of(), tally(bins=bins)
    for score in scores:
        if score is None:
            ledger.fail(ledger.admit(one, 1), "error", 1.0)
        else:
            answer(ledger, one, score)
    cell = cell_of(ledger)
    answered = [score for score in scores if score is not None]
    below = [sum(score < edge for score in answered) for edge in bins.edges]
    assert len(cell.bins) == len(edges) + 1
    assert [sum(cell.bins[: place + 1]) for place in range(len(edges))] == below
    assert (cell.bins_id, sum(cell.bins), cell.scores) == (7, len(answered), {})


def test_an_edge_belongs_to_the_bin_above_it() -> None:
    assert [Bins(1, (0.2, 0.8)).place(score) for score in (0.1, 0.2, 0.5, 0.8, 0.9)] == [0, 1, 1, 2, 2]


@given(FINITE)
@example(1.0)
@example(0.9999999999999999)
@example(3e38)
@example(-3e38)
def test_a_step_holds_its_scores_and_the_outermost_all_beyond(score: float) -> None:
    found = step(score)
    assert 0 <= found < STEPS
    if 0.0 <= score < 1.0:
        assert found / STEPS - 1e-9 <= score < (found + 1) / STEPS + 1e-9
    else:
        assert found == (0 if score < 0.0 else STEPS - 1)


@given(st.lists(FINITE | st.floats(0.0, 1.0, width=32), min_size=1))
def test_a_rollout_without_bins_tells_its_scores_in_coarse_steps(scores: list[float]) -> None:
    ledger = ledger_of()
    one = ledger.tally(REVISION, Route("m", (CHAMPION,), rollout="r"), CHAMPION, assigned=True)
    for score in scores:
        answer(ledger, one, score)
    ledger.fail(ledger.admit(one, 1), "error", 1.0)
    cell = cell_of(ledger)
    assert (cell.bins_id, cell.bins, cell.scores) == (0, (), dict(Counter(map(step, scores))))


def test_scores_are_told_of_arms_that_are_judged_and_of_nothing_else() -> None:
    ledger, bins, shadow = ledger_of(), Bins(2, (0.5,)), Shadow(2, "s")
    declared = Route("m", (CHAMPION,), rollout="r", bins=bins, shadows=(shadow,))
    outside = Route("n", (CHAMPION,))
    assigned = ledger.tally(REVISION, declared, CHAMPION, assigned=True)
    assert (assigned.scored, assigned.bins) == (True, bins)
    assert not ledger.tally(REVISION, declared, CHAMPION, assigned=False).scored
    assert not ledger.tally(REVISION, declared, shadow, assigned=True).scored
    plain = ledger.tally(REVISION, outside, CHAMPION, assigned=True)
    assert not plain.scored
    ledger.succeed(ledger.admit(plain, 1), 0.01, 1.0)
    cell = cell_of(ledger)
    assert (cell.bins_id, cell.bins, cell.scores) == (0, (), {})


def test_an_entry_says_nothing_of_the_score_of_the_one_before_it() -> None:
    ledger, one = ledger_of(1), tally(bins=Bins(1, (0.5,)))
    answer(ledger, one, 0.9)
    assert cell_of(ledger).bins == (0, 1)
    ledger.fail(ledger.admit(one, 1), "error", 1.0)
    assert cell_of(ledger).bins == (0, 0)
    answer(ledger, one, 0.1)
    assert cell_of(ledger).bins == (1, 0)
    ledger.paired(ledger.admit(tally(shadow=True), 1), 0.01, 1.0, 0.25, agreed=True)
    cell = cell_of(ledger)
    assert (cell.agreed, sum(cell.deltas.values()), cell.bins, cell.scores) == (1, 1, (), {})


@pytest.mark.parametrize(
    ("bins", "complaint"),
    [
        ({"id": 0, "edges": [0.5]}, "bins with the id 0 found, 1 or above expected"),
        ({"id": 1, "edges": []}, "0 edges of bins found, 1 to 63 expected"),
        ({"id": 1, "edges": [n / 64 for n in range(64)]}, "64 edges of bins found, 1 to 63 expected"),
        ({"id": 1, "edges": [0.5, 0.2]}, "edges of bins 0.5, 0.2 found, finite and ascending ones expected"),
        ({"id": 1, "edges": [0.5, 0.5]}, "finite and ascending ones expected"),
        ({"id": 1, "edges": ["a"]}, "Expected `float`, got `str`"),
        ({"id": 1, "edges": [0.5], "closed": "left"}, "unknown field `closed`"),
    ],
)
def test_bins_that_mean_nothing_are_refused_with_their_place(bins: dict[str, object], complaint: str) -> None:
    table = {"routes": [{"model": "m", "arms": []}, {"model": "n", "arms": [], "bins": bins}]}
    with pytest.raises(Invalid) as refused:
        decode(msgspec.json.encode(table))
    assert complaint in refused.value.message
    assert "$.routes[1].bins" in refused.value.message


@pytest.mark.parametrize("edge", [float("nan"), float("inf"), float("-inf")])
def test_an_edge_is_a_number(edge: float) -> None:
    with pytest.raises(ValueError, match="finite and ascending"):
        Bins(1, (edge,))


def test_the_most_bins_survive_the_way_to_the_data_plane_and_into_a_book() -> None:
    bins = Bins(3, tuple(n / 64 for n in range(1, 64)))
    table = RouteTable(REVISION, (Route("m", (CHAMPION,), bins=bins),))
    assert decode(msgspec.json.encode(table)) == table
    ledger = ledger_of()
    answer(ledger, ledger.tally(REVISION, table.routes[0], CHAMPION, assigned=True), 0.999)
    assert cell_of(ledger).bins == (0,) * 63 + (1,)
