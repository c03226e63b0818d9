"""What a worker counts: entries into cells and figures, every request once, whatever becomes of it."""

from __future__ import annotations

import asyncio
from math import isclose, log
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary import histogram
from lockgate.boundary.observations import FAILED, Block, UnitOutcome
from lockgate.boundary.routes import Arm, Revision, Role, Route, Shadow, Thresholds
from lockgate.kernel.errors import Corrupt
from lockgate.serving.capture.book import KINDS, Book
from lockgate.serving.capture.figures import FigureFiles, Figures, exposition
from lockgate.serving.capture.fold import buckets
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.capture.tally import Tally
from tests.unit.serving.capture import REVISION, Desk, block_of, tally, told

CHAMPION = Arm(1, "c", Role.CHAMPION, 0.9)
CANARY = Arm(2, "b", Role.CANARY, 0.1)


def ledger_of(capacity: int = 1000) -> Ledger:
    return Ledger("w", "i", Figures(), 0.0, Book.in_memory(capacity))


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.none() | st.floats(0.0, 1.0)), min_size=1))
def test_a_cell_says_what_happened(outcomes: list[tuple[int, float | None]]) -> None:
    """Each outcome: a key, and seconds or a failure."""
    ledger, one = ledger_of(), tally(0.1, 0.5)
    for at, (key, seconds) in enumerate(outcomes):
        entry = ledger.admit(one, key)
        if seconds is None:
            ledger.fail(entry, "error", float(at))
        else:
            ledger.succeed(entry, seconds, float(at))
    (cell,) = block_of(told(ledger)).cells
    answered = [seconds for _, seconds in outcomes if seconds is not None]
    assert cell.completed == len(outcomes)
    assert cell.failures == ({"error": len(outcomes) - len(answered)} if len(answered) < len(outcomes) else {})
    assert sum(cell.latency.values()) == len(answered)
    assert cell.exceeded == (sum(s > 0.1 for s in answered), sum(s > 0.5 for s in answered))
    bits = [FAILED if s is None else (2 if s > 0.1 else 0) | (4 if s > 0.5 else 0) for _, s in outcomes]
    assert cell.units == tuple(UnitOutcome(key, bit) for (key, _), bit in zip(outcomes, bits, strict=True))
    assert (cell.first_at, cell.last_at) == (0.0, float(len(outcomes) - 1))
    assert (cell.shadow, cell.agreed, cell.disagreed, cell.deltas) == (False, 0, 0, {})


@given(st.lists(st.floats(0.0, 1e6) | st.floats(1e-7, 1e-2), min_size=1))
def test_buckets_are_those_of_the_histogram(values: list[float]) -> None:
    for value, found in zip(values, buckets(np.array(values)).tolist(), strict=True):
        expected = histogram.bucket(value)
        on_an_edge = isclose(log(max(value, 1e-6) / 1e-6) / log(histogram.GROWTH), max(found, expected), abs_tol=1e-9)
        assert found == expected or on_an_edge


def test_buckets_have_a_place_for_what_is_no_number() -> None:
    assert buckets(np.array([0.0, -1.0, np.nan])).tolist() == [0, 0, 0]
    assert buckets(np.array([np.inf]))[0] > 1000


def test_completions_stand_in_their_order_whatever_the_order_of_admission() -> None:
    ledger, one = ledger_of(), tally()
    entries = [ledger.admit(one, key) for key in range(4)]
    for key in (2, 0, 3):
        ledger.succeed(entries[key], 0.01, 10.0 + key)
    (cell,) = block_of(told(ledger)).cells
    assert [unit.key for unit in cell.units] == [2, 0, 3]
    assert ledger.book.in_flight == 1
    ledger.fail(entries[1], "timeout", 20.0)
    (cell,) = block_of(told(ledger)).cells
    assert (cell.completed, cell.failures, ledger.book.in_flight) == (1, {"timeout": 1}, 0)


def test_a_shadow_has_a_cell_of_its_own_with_what_its_answers_were_worth() -> None:
    ledger, given_, shadow = ledger_of(), tally(), tally(version=2, shadow=True)
    for number in range(6):
        ledger.succeed(ledger.admit(given_, number), 0.01, 1.0)
        entry = ledger.admit(shadow, number)
        if number == 5:
            ledger.fail(entry, "crashed", 1.0)
        else:
            ledger.paired(entry, 0.02, 1.0, 0.5 if number < 2 else 0.0, agreed=number >= 2)
    first, second = block_of(told(ledger)).cells
    assert (first.shadow, first.agreed, first.disagreed, first.deltas) == (False, 0, 0, {})
    assert (second.shadow, second.agreed, second.disagreed, second.failures) == (True, 3, 2, {"crashed": 1})
    assert second.deltas == {0: 3, histogram.bucket(0.5): 2}
    text = exposition(ledger.figures)
    assert 'lockgate_requests_total{model="m",version="2"}' not in text
    assert 'lockgate_shadow_requests_total{model="m",version="2"} 6' in text
    assert 'lockgate_shadow_pairs_total{model="m",version="2",agreed="false"} 2' in text


def test_a_difference_too_large_to_write_down_is_still_a_difference() -> None:
    ledger = ledger_of()
    ledger.paired(ledger.admit(tally(shadow=True), 1), 0.01, 1.0, 1e300, agreed=False)
    (cell,) = block_of(told(ledger)).cells
    assert (cell.disagreed, sum(cell.deltas.values())) == (1, 1)


def test_an_entry_that_was_a_shadows_says_nothing_of_pairs_when_it_is_used_again() -> None:
    ledger = ledger_of(1)
    ledger.paired(ledger.admit(tally(shadow=True), 1), 0.01, 1.0, 0.5, agreed=True)
    told(ledger)
    ledger.succeed(ledger.admit(tally(), 1), 0.01, 1.0)
    (cell,) = block_of(told(ledger)).cells
    assert (cell.agreed, cell.deltas) == (0, {})


@pytest.mark.parametrize("kind", [*KINDS, "something new"])
def test_failures_are_told_by_kind(kind: str) -> None:
    ledger = ledger_of()
    ledger.fail(ledger.admit(tally(), 1), kind, 1.0)
    (cell,) = block_of(told(ledger)).cells
    assert cell.failures == {kind if kind in KINDS else "other": 1}


def test_only_what_is_judged_goes_into_a_block_and_all_of_it_into_the_figures() -> None:
    ledger = ledger_of()
    ledger.succeed(ledger.admit(tally(), 1), 0.01, 1.0)
    ledger.fail(ledger.admit(tally(version=2, judged=False), 1), "output", 1.0)
    ledger.count("rejected", 3)
    block = block_of(told(ledger))
    assert [(cell.version, cell.completed) for cell in block.cells] == [(1, 1)]
    assert (block.id, block.opened_at, block.closed_at, block.rejected) == (("w", "i", 1), 0.0, 5.0, 3)
    assert told(ledger, 6.0) is None
    ledger.count("shed")
    later = block_of(told(ledger, 7.0))
    assert (later.sequence, later.opened_at, later.rejected, later.shed) == (2, 6.0, 0, 1)
    text = exposition(ledger.figures)
    assert 'lockgate_failures_total{model="m",version="2",kind="output"} 1' in text
    assert "lockgate_rejected_total 3" in text


def test_what_was_withdrawn_is_told_of_nowhere() -> None:
    ledger = ledger_of(1)
    for _ in range(3):
        ledger.withdraw(ledger.admit(tally(), 1))
    assert told(ledger) is None
    ledger.succeed(ledger.admit(tally(), 1), 0.01, 1.0)
    assert block_of(told(ledger)).requests_lost == 0


def test_a_full_book_counts_what_finds_no_room_and_goes_on() -> None:
    """Of four entries two are held by a block that is not durable yet, one is in flight, the fourth is for whoever is quick."""
    ledger, one = ledger_of(4), tally()
    for key in (1, 2):
        ledger.succeed(ledger.admit(one, key), 0.01, 1.0)
    cut = ledger.cut(1.0)
    assert cut is not None
    in_flight = ledger.admit(one, 3)
    for key in (4, 5, 6):
        ledger.succeed(ledger.admit(one, key), 0.01, 1.0)
    ledger.withdraw(ledger.admit(one, 7))
    first = ledger.close(cut)
    assert [unit.key for unit in first.block.cells[0].units] == [1, 2]
    ledger.settle(first)
    ledger.succeed(in_flight, 0.01, 1.0)
    ledger.succeed(ledger.admit(one, 8), 0.01, 1.0)
    block = block_of(told(ledger))
    assert [unit.key for unit in block.cells[0].units] == [4, 3, 8]
    assert block.requests_lost == 3
    assert "lockgate_requests_lost_total 3" in exposition(ledger.figures)


def test_what_tallies_mean_never_runs_out_of_room() -> None:
    """A worker that lives for thousands of revisions, with one request in flight all the while."""
    ledger = ledger_of()
    first = Tally("of the first revision", 1, Revision(1, 1), judged=True)
    entry = ledger.admit(first, 1)
    for n in range(5000):
        one = Tally("m" * 200, 1, Revision(1, n + 2), judged=True)
        ledger.succeed(ledger.admit(one, 1), 0.01, 1.0)
        (cell,) = block_of(told(ledger)).cells
        assert cell.revision == one.revision
    ledger.succeed(entry, 0.01, 1.0)
    (cell,) = block_of(told(ledger)).cells
    assert (cell.model, cell.revision) == (first.model, first.revision)


def test_more_tallies_than_there_is_room_for_are_counted_as_lost_and_cost_little() -> None:
    ledger = ledger_of(7000)
    for n in range(6000):
        ledger.succeed(ledger.admit(Tally("m" * 200, 1, Revision(1, n), judged=True), 1), 0.01, 1.0)
    block = block_of(told(ledger))
    assert len(block.cells) + block.requests_lost == 6000
    assert 2000 < len(block.cells) < 5000
    ledger.succeed(ledger.admit(tally(), 1), 0.01, 1.0)
    assert len(block_of(told(ledger)).cells) == 1


def test_a_tally_too_large_to_write_down_is_not_counted_and_that_is_told() -> None:
    ledger = ledger_of()
    ledger.succeed(ledger.admit(Tally("m" * 1_100_000, 1, REVISION, judged=True), 1), 0.01, 1.0)
    block = block_of(told(ledger))
    assert (block.cells, block.requests_lost) == ((), 1)


def test_a_book_is_not_mistaken_for_another_file(tmp_path: Path) -> None:
    Book.create(tmp_path / "book", 10)
    assert Book.open(tmp_path / "book").remains(0) is None
    for content in (b"", b"x" * 10, b"x" * (2 << 20)):
        (tmp_path / "other").write_bytes(content)
        with pytest.raises(Corrupt):
            Book.open(tmp_path / "other")
    with pytest.raises(FileExistsError):
        Book.create(tmp_path / "book", 10)


def test_an_arm_has_one_tally_for_each_revision_and_a_shadow_of_it_another() -> None:
    ledger = ledger_of()
    thresholds = Thresholds(7, (0.5,), (0.1,), (0.2,))
    shadow = Shadow(2, "b")
    route = Route("m", (CANARY, CHAMPION), "s", "header:u", "r", thresholds, (shadow,), redacted=("name",))
    canary = ledger.tally(REVISION, route, CANARY, assigned=True)
    aside = ledger.tally(REVISION, route, CANARY, assigned=False)
    unseen = ledger.tally(REVISION, route, shadow, assigned=True)
    assert ledger.tally(REVISION, route, CANARY, assigned=True) is canary
    assert (canary.judged, canary.keyed, canary.thresholds_id, canary.limits, canary.redacted) == (
        True,
        True,
        7,
        (0.2,),
        ("name",),
    )
    assert (aside.judged, aside.keyed, aside.thresholds_id, aside.limits) == (False, False, 0, ())
    assert (unseen.judged, unseen.keyed, unseen.shadow, unseen.limits) == (True, True, True, ())
    assert ledger.tally(REVISION, route, CHAMPION, assigned=True).limits == (0.1,)
    later = ledger.tally(Revision(1, 3), route, CANARY, assigned=True)
    assert len({canary.number, aside.number, unseen.number, later.number}) == 4


def test_a_model_may_have_any_name_in_the_figures() -> None:
    ledger = ledger_of()
    ledger.succeed(ledger.admit(Tally('a"b\\c\n', 1, REVISION, judged=True), 1), 0.01, 1.0)
    told(ledger)
    assert 'model="a\\"b\\\\c\\n"' in exposition(ledger.figures)


def test_figures_are_left_also_when_nothing_came_that_is_evidence(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.ledger.count("limited", 4)
    asyncio.run(desk.flusher.flush())
    assert not desk.blocks
    assert FigureFiles(tmp_path / "figures", "another").together(Figures()).totals == {"limited": 4}
    desk.spool.release()


def test_figures_go_on_where_a_dead_worker_left_them_and_add_up_over_workers(tmp_path: Path) -> None:
    for worker, number in (("worker-1", 3), ("worker-2", 4)):
        figures = Figures()
        figures.count("labels", number)
        FigureFiles(tmp_path, worker).save(msgspec.msgpack.encode(figures))
    (tmp_path / "worker-3.figures").write_bytes(b"torn")
    files = FigureFiles(tmp_path, "worker-1")
    mine = files.resume()
    mine.count("labels")
    assert files.together(mine).totals == {"labels": 8}


def test_a_block_is_read_by_whoever_knows_fewer_fields() -> None:
    class Older(msgspec.Struct):
        worker: str
        sequence: int

    content = msgspec.msgpack.encode(Block("w", "i", 3, 0.0, 1.0, records_lost=2))
    assert msgspec.msgpack.decode(content, type=Older) == Older("w", 3)
