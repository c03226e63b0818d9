"""What a dead worker had counted and had in its hands: told by another one, once, wherever either of them died."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from lockgate.boundary.routes import Bins
from lockgate.serving.capture.book import Book
from lockgate.serving.capture.spool import Spool
from tests.unit.serving.capture import REVISION, Desk, adopted, die, kept, label, lesson, tally


def served(desk: Desk) -> None:
    """Two requests told in block 1; then one answered, one failed, one shed, one in flight."""
    one = tally(0.005)
    for key in (1, 2):
        desk.serve(one, key, at=10.0 + key)
    asyncio.run(desk.flusher.flush())
    desk.serve(one, 3, at=13.0)
    desk.ledger.fail(desk.ledger.admit(one, 4), "error", 14.0)
    desk.ledger.withdraw(desk.ledger.admit(one, 5))
    desk.ledger.count("shed")
    desk.ledger.admit(one, 6)


@pytest.mark.parametrize("sent", [False, True])
def test_a_dead_workers_last_block_tells_what_no_other_told(tmp_path: Path, sent: bool) -> None:  # noqa: FBT001 - a case
    desk = Desk(tmp_path)
    served(desk)
    if sent:
        desk.spool.remove(desk.spool.blocks()[0])
    die(desk.spool)
    blocks = adopted(tmp_path / "spool")
    assert [block.id for block in blocks] == [("w", "i", 2)] if sent else [("w", "i", 1), ("w", "i", 2)]
    last = blocks[-1]
    (cell,) = last.cells
    assert [(unit.key, unit.bits) for unit in cell.units] == [(3, 2), (4, 1), (6, 1)]
    assert (cell.completed, cell.failures, cell.exceeded) == (3, {"error": 1, "aborted": 1}, (1,))
    assert (cell.model, cell.version, cell.revision, cell.thresholds_id) == ("m", 1, REVISION, 4)
    assert (last.shed, last.requests_lost, last.records_lost) == (1, 0, 0)
    assert cell.first_at == 13.0
    assert last.closed_at >= 14.0


def test_a_dead_workers_last_block_keeps_segments_apart_and_scores_in_their_bins(tmp_path: Path) -> None:
    """Entries that a block told of before are used again for what was in its hands: their old scores are nobody's."""
    desk, bins = Desk(tmp_path), Bins(3, (0.2, 0.8))
    gold, others = tally(segment="gold", bins=bins), tally(bins=bins)
    for key in range(4):
        desk.serve(gold, key, score=0.9)
    asyncio.run(desk.flusher.flush())
    desk.serve(gold, 5, score=0.1)
    desk.serve(others, 6, score=0.8)
    desk.serve(gold, 7, score=0.5)
    desk.ledger.admit(gold, 8)
    desk.ledger.fail(desk.ledger.admit(others, 9), "error", 3.0)
    die(desk.spool)
    first, last = adopted(tmp_path / "spool")
    assert [(cell.segment, cell.bins_id, cell.bins) for cell in first.cells] == [("gold", 3, (0, 0, 4))]
    assert [(cell.segment, cell.bins_id, cell.bins) for cell in last.cells] == [("gold", 3, (1, 1, 0)), ("", 3, (0, 0, 1))]
    assert [cell.failures for cell in last.cells] == [{"aborted": 1}, {"error": 1}]


def test_who_adopts_shows_in_its_figures_what_the_dead_one_had_not(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    served(desk)
    desk.ledger.fail(desk.ledger.admit(tally(version=9, judged=False), 1), "output", 20.0)
    die(desk.spool)
    (orphan,) = Spool.adopt(tmp_path / "spool")
    assert orphan.left.versions["m"][1].failures == {"error": 1, "aborted": 1}
    assert orphan.left.versions["m"][9].completed == 1
    assert orphan.left.totals == {"shed": 1, "records_logged": 0, "records_lost": 0}
    orphan.release()
    (again,) = Spool.adopt(tmp_path / "spool")
    assert again.left.versions == {}
    again.release()


Death = Callable[[pytest.MonkeyPatch], None]


def before_the_rename(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "replace", _killed)


def after_the_rename(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Spool, "_note_durable", _killed)


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("death", [before_the_rename, after_the_rename])
def test_who_adopts_may_die_as_well(tmp_path: Path, death: Death) -> None:
    desk = Desk(tmp_path)
    served(desk)
    asyncio.run(desk.flusher.keep(kept(label(1))))
    die(desk.spool)
    with pytest.MonkeyPatch.context() as patched:
        death(patched)
        with pytest.raises(KeyboardInterrupt):
            list(Spool.adopt(tmp_path / "spool"))
    blocks = adopted(tmp_path / "spool")
    assert [block.sequence for block in blocks] == [1, 2]
    assert [unit.key for unit in blocks[1].cells[0].units] == [3, 4, 6]
    assert len(blocks[1].feedback) == 1


def test_lessons_of_a_dead_worker_are_told_in_its_last_block_and_in_the_figures(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    served(desk)
    asyncio.run(desk.flusher.keep(kept(lessons=(lesson(1),))))
    asyncio.run(desk.flusher.keep(kept(label(1), lessons=(lesson(2), lesson(3)))))
    die(desk.spool)
    (orphan,) = Spool.adopt(tmp_path / "spool")
    assert orphan.left.totals["lessons"] == 3
    die(orphan)
    blocks = adopted(tmp_path / "spool")
    assert [[one.id for one in block.lessons] for block in blocks] == [[], ["l1", "l2", "l3"]]
    assert blocks[1].lessons[0] == lesson(1)


def test_a_worker_that_dies_between_a_blocks_rename_and_its_note_has_told_it_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender was quick: the block is sent and removed already."""
    desk = Desk(tmp_path)
    desk.serve(tally(), 1)
    desk.ledger.admit(tally(), 2)
    rename = Path.replace

    def rename_and_send(draft: Path, target: Path) -> None:
        rename(draft, target)
        desk.spool.remove(target)
        raise KeyboardInterrupt

    cut = desk.ledger.cut(5.0)
    assert cut is not None
    block = desk.ledger.close(cut).block
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Path, "replace", rename_and_send)
        with pytest.raises(KeyboardInterrupt):
            desk.spool.put(block)
    die(desk.spool)
    (block,) = adopted(tmp_path / "spool")
    assert (block.sequence, [unit.key for unit in block.cells[0].units]) == (2, [2])


def test_entries_are_used_again_when_their_block_is_kept(tmp_path: Path) -> None:
    async def story() -> Desk:
        desk, one = Desk(tmp_path), tally(keyed=False)
        for _ in range(5):
            for key in range(20_000):
                desk.serve(one, key)
            await desk.flusher.flush()
        die(desk.spool)
        return desk

    blocks = asyncio.run(story()).blocks
    assert sum(cell.completed for block in blocks for cell in block.cells) == 100_000
    assert sum(block.requests_lost for block in blocks) == 0


def test_a_folder_that_the_disk_refuses_is_adopted_another_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path)
    served(desk)
    die(desk.spool)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Path, "write_bytes", _no_space)
        assert list(Spool.adopt(tmp_path / "spool")) == []
    assert [block.sequence for block in adopted(tmp_path / "spool")] == [1, 2]


def _no_space(*_: object) -> int:
    raise OSError(errno.ENOSPC, "no space left on device")


def test_a_book_may_be_kept_in_memory(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    spool = Spool.create(tmp_path / "spool", "w", "i", memory=tmp_path / "memory")
    assert spool.book is not None
    spool.book.admit(tally(), 7)
    die(spool)
    (block,) = adopted(tmp_path / "spool")
    assert block.cells[0].failures == {"aborted": 1}
    assert list((tmp_path / "memory").iterdir()) == []


@pytest.mark.parametrize("left", [None, b"", b"another release's" * 200_000])
def test_without_a_book_that_can_be_read_blocks_and_labels_still_go_out(tmp_path: Path, left: bytes | None) -> None:
    desk = Desk(tmp_path)
    served(desk)
    asyncio.run(desk.flusher.keep(kept(label(1))))
    die(desk.spool)
    book = tmp_path / "spool" / "i" / "book"
    book.unlink()
    if left is not None:
        book.write_bytes(left)
    blocks = adopted(tmp_path / "spool")
    assert [(block.sequence, len(block.cells), len(block.feedback)) for block in blocks] == [(1, 1, 0), (2, 0, 1)]


def test_what_nobody_can_name_any_more_is_counted_as_lost(tmp_path: Path) -> None:
    """The pages with the meanings were not written when the power went."""
    desk = Desk(tmp_path)
    served(desk)
    die(desk.spool)
    path = tmp_path / "spool" / "i" / "book"
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(bytes(256 << 10))
    assert Book.open(path).remains(1) is not None
    last = adopted(tmp_path / "spool")[-1]
    assert (last.cells, last.requests_lost, last.shed) == ((), 3, 1)
