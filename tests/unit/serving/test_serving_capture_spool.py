"""What a worker keeps until it is told: in order, once, bounded, and handed on when it dies."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from lockgate.boundary.observations import Block
from lockgate.entrypoints.api.guard import LARGEST_BLOCK
from lockgate.serving.capture.kept import MOST
from lockgate.serving.capture.spool import Spool
from lockgate.serving.gateway.lessons import LARGEST
from tests.unit.serving.capture import Desk, adopted, die, kept, label, lesson, tally


def test_a_spool_keeps_blocks_in_order_and_disappears_when_it_is_empty(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, "w", "i")
    for sequence in (2, 10, 11):
        spool.put(Block("w", "i", sequence, 0.0, 1.0))
    assert [path.stem for path in spool.blocks()] == ["00000002", "00000010", "00000011"]
    assert list(Spool.adopt(tmp_path)) == []  # its owner lives
    for path in spool.blocks():
        spool.remove(path)
    assert (spool.waiting, spool.size) == (0, 0)
    spool.release()
    assert list(tmp_path.iterdir()) == []


def test_a_block_that_is_durable_is_not_kept_again(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, "w", "i")
    spool.put(Block("w", "i", 1, 0.0, 1.0))
    spool.remove(spool.blocks()[0])
    spool.put(Block("w", "i", 1, 0.0, 1.0))
    assert spool.blocks() == []
    die(spool)


@pytest.mark.parametrize("torn", [False, True])
def test_labels_of_a_dead_worker_go_out_once_whenever_it_died(tmp_path: Path, torn: bool) -> None:  # noqa: FBT001 - a case
    """Block 1 carries its labels already; those of block 2 stand in no block yet, the last of them torn."""
    spool = Spool.create(tmp_path, "w", "i")
    spool.keep(kept(label(1)))
    spool.put(Block("w", "i", 1, 0.0, 1.0))
    (tmp_path / "i" / "00000001.kept").write_bytes(b"left by a death before they were removed")
    spool.keep(kept(label(2), label(3)))
    spool.keep(kept(label(4)))
    if torn:
        path = tmp_path / "i" / "00000002.kept"
        path.write_bytes(path.read_bytes()[:-3])
    die(spool)
    blocks = adopted(tmp_path)
    assert [block.id for block in blocks] == [("w", "i", 1), ("w", "i", 2)]
    found = [[one.prediction_id for one in block.feedback] for block in blocks]
    assert found == [["p1"], ["p2", "p3"] if torn else ["p2", "p3", "p4"]]


def test_labels_that_an_older_release_left_go_out_under_their_own_number(tmp_path: Path) -> None:
    """No book, and a gap in the numbers: block 7 was given up."""
    spool = Spool.create(tmp_path, "w", "i")
    frames = [msgspec.msgpack.encode([label(1), label(2)]), msgspec.msgpack.encode([label(3)])]
    old = b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames)
    (tmp_path / "i" / "00000008.labels").write_bytes(old)
    (tmp_path / "i" / "book").unlink()
    die(spool)
    (block,) = adopted(tmp_path)
    assert (block.sequence, [one.prediction_id for one in block.feedback]) == (8, ["p1", "p2", "p3"])


def test_damaged_labels_keep_nobody_from_adopting_the_rest(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, "w", "i")
    spool.keep(kept(label(1)))
    path = tmp_path / "i" / "00000001.kept"
    path.write_bytes(path.read_bytes() + b"\0\0\0\x03\xc1\xc1\xc1")
    die(spool)
    assert [[one.prediction_id for one in block.feedback] for block in adopted(tmp_path)] == [["p1"]]


def test_without_room_cells_are_dropped_and_counted_and_labels_still_kept(tmp_path: Path) -> None:
    async def story() -> Desk:
        desk = Desk(tmp_path, room=100)
        for number in range(4):
            desk.serve(tally(), number)
            await desk.flusher.keep(kept(label(number)))
            await desk.flusher.flush()
        die(desk.spool)
        return desk

    desk = asyncio.run(story())
    blocks = desk.blocks
    assert [len(block.cells) for block in blocks] == [1, 0, 0, 0]
    assert [block.cells_dropped for block in blocks] == [0, 1, 1, 1]
    assert [one.prediction_id for block in blocks for one in block.feedback] == ["p0", "p1", "p2", "p3"]
    assert desk.flusher.full
    assert desk.told == 4
    assert not list((tmp_path / "spool" / "i").glob("*.kept"))


def test_a_block_that_the_disk_refuses_is_kept_when_it_takes_it_and_no_label_is_passed_over(tmp_path: Path) -> None:
    async def story() -> Desk:
        desk = Desk(tmp_path)
        await desk.flusher.keep(kept(label(0)))
        obstacle = tmp_path / "spool" / "i" / "00000001.draft"
        obstacle.mkdir()  # a disk that refuses blocks
        for number in range(1, 4):
            desk.serve(tally(), number)
            await desk.flusher.keep(kept(label(number)))
            await desk.flusher.flush()
            assert desk.blocks == []
            desk.clock.advance(100.0)
        obstacle.rmdir()
        await desk.flusher.flush()
        die(desk.spool)
        return desk

    desk = asyncio.run(story())
    assert [[unit.key for cell in block.cells for unit in cell.units] for block in desk.blocks] == [[1], [2, 3]]
    assert [one.prediction_id for block in desk.blocks for one in block.feedback] == ["p0", "p1", "p2", "p3"]
    assert [block.sequence for block in desk.blocks] == [1, 2]


def test_labels_that_the_disk_refuses_are_not_acknowledged_and_go_out_nowhere(tmp_path: Path) -> None:
    async def story() -> Desk:
        desk = Desk(tmp_path)
        (tmp_path / "spool" / "i" / "00000001.kept").mkdir()
        with pytest.raises(OSError, match="directory"):
            await desk.flusher.keep(kept(label(1)))
        (tmp_path / "spool" / "i" / "00000001.kept").rmdir()
        await desk.flusher.keep(kept(label(2)))
        await desk.flusher.flush()
        die(desk.spool)
        return desk

    desk = asyncio.run(story())
    assert [[one.prediction_id for one in block.feedback] for block in desk.blocks] == [["p2"]]
    assert desk.ledger.figures.totals["labels"] == 1


def test_lessons_go_out_with_the_next_block_also_if_nothing_else_happened(tmp_path: Path) -> None:
    async def story() -> Desk:
        desk = Desk(tmp_path)
        await desk.flusher.keep(kept(lessons=(lesson(1, 2),)))
        await desk.flusher.flush()
        await desk.flusher.keep(kept(label(1), lessons=(lesson(2),)))
        await desk.flusher.flush()
        await desk.flusher.flush()
        die(desk.spool)
        return desk

    desk = asyncio.run(story())
    assert [(block.lessons, len(block.feedback)) for block in desk.blocks if block.lessons] == [
        ((lesson(1, 2),), 0),
        ((lesson(2),), 1),
    ]
    assert desk.ledger.figures.totals["lessons"] == 2
    assert not list((tmp_path / "spool" / "i").glob("*.kept"))


ONE = len(msgspec.msgpack.encode(kept(lessons=(lesson(1, 100),))))


@pytest.mark.parametrize(("bound", "most"), [("MOST", 3 * ONE), ("MOST_PIECES", 3)])
def test_what_would_make_a_block_too_large_has_one_made_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, most: int
) -> None:
    """Nothing waits for the flusher's round, and no block holds more than may stand in one."""
    monkeypatch.setattr(f"lockgate.serving.capture.kept.{bound}", most)

    async def story() -> Desk:
        desk = Desk(tmp_path)
        await asyncio.gather(*(desk.flusher.keep(kept(lessons=(lesson(number, 100),))) for number in range(10)))
        await desk.flusher.flush()
        die(desk.spool)
        return desk

    desk = asyncio.run(story())
    assert sorted(taught.id for block in desk.blocks for taught in block.lessons) == sorted(f"l{n}" for n in range(10))
    assert max(len(block.lessons) for block in desk.blocks) == 3
    assert [block.sequence for block in desk.blocks] == list(range(1, len(desk.blocks) + 1))


def test_while_the_disk_refuses_blocks_no_more_is_acknowledged_than_fits_into_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = len(msgspec.msgpack.encode(kept(lessons=(lesson(1),))))
    monkeypatch.setattr("lockgate.serving.capture.kept.MOST", 2 * one)

    async def story() -> Desk:
        desk = Desk(tmp_path)
        obstacle = tmp_path / "spool" / "i" / "00000001.draft"
        obstacle.mkdir()
        for number in (1, 2):
            await desk.flusher.keep(kept(lessons=(lesson(number),)))
        with pytest.raises(OSError, match="refuses blocks"):
            await desk.flusher.keep(kept(lessons=(lesson(3),)))
        obstacle.rmdir()
        await desk.flusher.keep(kept(lessons=(lesson(3),)))
        await desk.flusher.flush()
        die(desk.spool)
        return desk

    desk = asyncio.run(story())
    assert [[taught.id for taught in block.lessons] for block in desk.blocks] == [["l1", "l2"], ["l3"]]


def test_a_block_of_all_that_may_be_kept_for_one_fits_into_a_message_of_the_control_channel(tmp_path: Path) -> None:
    async def story() -> Desk:
        desk = Desk(tmp_path)
        whole = lesson(1, LARGEST // 20)
        for _ in range(4):
            await desk.flusher.keep(kept(lessons=(whole,)))
        for at in range(0, 60_000, 10_000):
            await desk.flusher.keep(kept(*(label(at + number) for number in range(10_000))))
        for key in range(60_000):
            desk.serve(tally(0.005), key, score=0.5)
        await desk.flusher.flush()
        die(desk.spool)
        return desk

    desk = asyncio.run(story())
    sizes = [path.stat().st_size for path in desk.spool.blocks()]
    assert MOST / 2 < max(sizes) < LARGEST_BLOCK
    assert (sum(len(block.lessons) for block in desk.blocks), sum(len(block.feedback) for block in desk.blocks)) == (4, 60_000)


def test_a_round_that_nobody_waits_for_any_more_is_ended_all_the_same(tmp_path: Path) -> None:
    """The loop of flushes is cancelled in the middle of one, as at the end of a worker."""

    async def story() -> Desk:
        desk = Desk(tmp_path)
        desk.serve(tally(), 1)
        desk.records.turn_away("m", 1.0, "full")
        first = asyncio.ensure_future(desk.flusher.flush())
        await asyncio.sleep(0)
        first.cancel()
        desk.serve(tally(), 2)
        await desk.flusher.finish()
        desk.records.close()
        die(desk.spool)
        return desk

    desk = asyncio.run(story())
    assert sorted(unit.key for block in desk.blocks for cell in block.cells for unit in cell.units) == [1, 2]
    assert sum(block.records_logged for block in desk.blocks) == 1


def test_while_the_control_plane_is_away_blocks_are_few_unless_much_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lockgate.serving.capture.flusher.BEHIND", 2)

    async def story() -> list[int]:
        desk, one = Desk(tmp_path), tally(keyed=False)
        counts = []
        for after, many in ((0.2, 1), (0.2, 1), (0.2, 1), (0.2, 16_384), (0.2, 1), (5.0, 1)):
            desk.clock.advance(after)
            for _ in range(many):
                desk.serve(one, 1)
            await desk.flusher._round(hurried=False)
            counts.append(len(desk.spool.blocks()))
        die(desk.spool)
        return counts

    assert asyncio.run(story()) == [1, 2, 2, 3, 3, 4]


def test_a_fault_while_a_block_is_made_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("lockgate.serving.capture.flusher.INTERVAL", 0.001)

    def fault(*_: object) -> None:
        raise ZeroDivisionError

    async def story() -> Desk:
        desk = Desk(tmp_path)
        desk.serve(tally(), 1)
        running = asyncio.ensure_future(desk.flusher.run())
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("lockgate.serving.capture.fold.fold", fault)
            while not caplog.records:  # noqa: ASYNC110 - a log sets no event
                await asyncio.sleep(0.001)
        desk.serve(tally(), 2)
        running.cancel()
        await desk.flusher.finish()
        die(desk.spool)
        return desk

    desk = asyncio.run(story())
    assert [[unit.key for cell in block.cells for unit in cell.units] for block in desk.blocks] == [[1], [2]]
    assert [one.message for one in caplog.records] == ["flush failed"]


def test_a_worker_that_ends_tells_of_what_it_could_not_finish(tmp_path: Path) -> None:
    async def story() -> Desk:
        desk = Desk(tmp_path)
        one = tally()
        late = desk.ledger.admit(one, 1)
        desk.serve(one, 2)
        await desk.flusher.finish()
        desk.ledger.succeed(late, 0.01, 9.0)  # too late: it is told already
        await desk.flusher.finish()
        blocks = desk.blocks
        for path in desk.spool.blocks():
            desk.spool.remove(path)
        desk.spool.release()
        assert not list((tmp_path / "spool").iterdir())
        (cell,) = blocks[0].cells
        assert (cell.completed, cell.failures, [unit.key for unit in cell.units]) == (2, {"aborted": 1}, [2, 1])
        return desk

    asyncio.run(story())
