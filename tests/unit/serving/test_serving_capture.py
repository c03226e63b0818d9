"""What a worker remembers: counted once, kept on disk, bounded, and handed on when it dies."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.observations import FAILED, Block, Feedback
from lockgate.boundary.records import Record, frames
from lockgate.boundary.routes import Revision
from lockgate.serving.capture.figures import FigureFiles, Figures, exposition
from lockgate.serving.capture.flusher import Flusher
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.capture.records import RecordLog
from lockgate.serving.capture.spool import Spool
from lockgate.serving.capture.tally import Tally
from lockgate.testing.clock import VirtualClock

REVISION = Revision(1, 2)


def tally(*limits: float, version: int = 1, judged: bool = True, keyed: bool = True) -> Tally:
    return Tally("m", version, REVISION, judged=judged, keyed=keyed, thresholds_id=4, limits=limits)


def label(number: int) -> Feedback:
    return Feedback(f"p{number}", "m", 1, REVISION, number, 0.5, 1.0, 2.0, 1.0)


@given(st.lists(st.tuples(st.integers(0, 5), st.none() | st.floats(0.0, 1.0)), min_size=1))
def test_a_cell_says_what_happened(outcomes: list[tuple[int, float | None]]) -> None:
    """Each outcome: a key, and seconds or a failure."""
    one = tally(0.1, 0.5)
    for at, (key, seconds) in enumerate(outcomes):
        if seconds is None:
            one.failed(key, "error", float(at))
        else:
            one.succeeded(key, seconds, float(at))
    cell = one.cell()
    answered = [seconds for _, seconds in outcomes if seconds is not None]
    assert cell.completed == len(outcomes)
    assert sum(cell.failures.values()) == len(outcomes) - len(answered)
    assert sum(cell.latency.values()) == len(answered)
    assert cell.exceeded == (sum(s > 0.1 for s in answered), sum(s > 0.5 for s in answered))
    bits = [FAILED if s is None else (2 if s > 0.1 else 0) | (4 if s > 0.5 else 0) for _, s in outcomes]
    assert [(unit.key, unit.bits) for unit in cell.units] == [(key, bit) for (key, _), bit in zip(outcomes, bits, strict=True)]
    assert (cell.first_at, cell.last_at) == (0.0, float(len(outcomes) - 1))


def test_only_what_is_judged_goes_into_a_block_and_all_of_it_into_the_figures() -> None:
    ledger = Ledger("w", "i", Figures(), 0.0)
    ledger.success(tally(), 1, 0.01, 1.0)
    ledger.failure(tally(version=2, judged=False), 1, "output", 1.0)
    ledger.count("rejected", 3)
    block = ledger.close(5.0)
    assert block is not None
    assert [(cell.version, cell.completed) for cell in block.cells] == [(1, 1)]
    assert (block.id, block.opened_at, block.closed_at, block.rejected) == (("w", "i", 1), 0.0, 5.0, 3)
    assert ledger.close(6.0) is None
    text = exposition(ledger.figures)
    assert 'lockgate_failures_total{model="m",version="2",kind="output"} 1' in text
    assert "lockgate_rejected_total 3" in text


def test_a_model_may_have_any_name_in_the_figures() -> None:
    figures = Figures()
    figures.add_tally(Tally('a"b\\c\n', 1, REVISION, judged=True))
    assert 'model="a\\"b\\\\c\\n"' in exposition(figures)


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


def test_records_are_written_as_framed_and_what_finds_no_room_is_counted(tmp_path: Path) -> None:
    log = RecordLog(tmp_path, "i", segment=200, buffer=300, limit=1000)
    record = Record(("p",), "m", 1, REVISION, 1.0, {"x": [1.0]}, (0.5,))
    written = dropped = 0
    for _ in range(20):
        for _ in range(6):
            log.append(record)
        content, framed, refused = log.take()
        kept = log.write(content)
        written += framed if kept else 0
        dropped += refused + (0 if kept else framed)
    log.close()
    segments = sorted(tmp_path.glob("*.seg"))
    assert len(segments) > 1
    assert sum(1 for path in segments for _ in frames(path.read_bytes())) == written
    assert written + dropped == 120
    assert 0 < written < 120


def test_a_spool_keeps_blocks_in_order_and_disappears_when_it_is_empty(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, "w", "i")
    for sequence in (2, 10, 1):
        spool.put(Block("w", "i", sequence, 0.0, 1.0))
    assert [path.stem for path in spool.blocks()] == ["00000001", "00000002", "00000010"]
    assert list(Spool.adopt(tmp_path)) == []  # its owner lives
    for path in spool.blocks():
        spool.remove(path)
    assert (spool.waiting, spool.size) == (0, 0)
    spool.release()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("torn", [False, True])
def test_labels_of_a_dead_worker_go_out_once_whenever_it_died(tmp_path: Path, torn: bool) -> None:  # noqa: FBT001 - a case
    """Block 1 carries its labels already; those of block 2 stand in no block yet, the last of them torn."""
    spool = Spool.create(tmp_path, "w", "i")
    spool.put_labels(1, [label(1)])
    spool.put(Block("w", "i", 1, 0.0, 1.0, feedback=(label(1),)))
    spool.put_labels(2, [label(2), label(3)])
    spool.put_labels(2, [label(4)])
    if torn:
        path = tmp_path / "i" / "00000002.labels"
        path.write_bytes(path.read_bytes()[:-3])
    die(spool)
    (orphan,) = Spool.adopt(tmp_path)
    orphan.gather_labels()
    blocks = [msgspec.msgpack.decode(path.read_bytes(), type=Block) for path in orphan.blocks()]
    assert [block.id for block in blocks] == [("w", "i", 1), ("w", "i", 2)]
    found = [[one.prediction_id for one in block.feedback] for block in blocks]
    assert found == [["p1"], ["p2", "p3"] if torn else ["p2", "p3", "p4"]]
    for path in orphan.blocks():
        orphan.remove(path)
    orphan.release()
    assert list(tmp_path.iterdir()) == []


def die(spool: Spool) -> None:
    """What the kernel does for a process that is killed."""
    spool._close_labels()
    spool._lock.close()


class Desk:
    """A ledger with a flusher on a real disk."""

    def __init__(self, folder: Path, room: int) -> None:
        self.ledger = Ledger("w", "i", Figures(), 0.0)
        self.spool = Spool.create(folder / "spool", "w", "i")
        self.folder = folder
        self.clock = VirtualClock()
        self.told = 0
        files = FigureFiles(folder / "figures", "w")
        records = RecordLog(folder / "records", "i")
        writer = ThreadPoolExecutor(1)
        self.flusher = Flusher(self.ledger, records, self.spool, files, writer, self.clock, self._tell, room=room)

    def _tell(self) -> None:
        self.told += 1

    def blocks(self) -> list[Block]:
        return [msgspec.msgpack.decode(path.read_bytes(), type=Block) for path in self.spool.blocks()]


def test_without_room_cells_are_dropped_and_counted_and_labels_still_kept(tmp_path: Path) -> None:
    async def story() -> Desk:
        desk = Desk(tmp_path, room=100)
        for number in range(4):
            desk.ledger.success(tally(), number, 0.01, 1.0)
            await desk.flusher.keep_labels([label(number)])
            await desk.flusher.flush()
        die(desk.spool)
        return desk

    desk = asyncio.run(story())
    blocks = desk.blocks()
    assert [len(block.cells) for block in blocks] == [1, 0, 0, 0]
    assert [block.cells_dropped for block in blocks] == [0, 1, 1, 1]
    assert [one.prediction_id for block in blocks for one in block.feedback] == ["p0", "p1", "p2", "p3"]
    assert desk.flusher.full
    assert desk.told == 4
    assert not list((tmp_path / "spool" / "i").glob("*.labels"))


def test_a_block_that_the_disk_refuses_waits_and_then_is_given_up(tmp_path: Path) -> None:
    async def story() -> tuple[list[int], list[Block], int]:
        desk = Desk(tmp_path, room=1 << 20)
        obstacle = tmp_path / "spool" / "i" / "00000001.draft"
        obstacle.mkdir()  # a disk that refuses, for the first block only
        counts = []
        for number in range(3):
            desk.ledger.success(tally(), number, 0.01, 1.0)
            await desk.flusher.flush()
            counts.append(len(desk.blocks()))
            desk.clock.advance(59.0)
        await desk.flusher.flush()
        die(desk.spool)
        return counts, desk.blocks(), desk.ledger.figures.totals["cells_dropped"]

    counts, blocks, dropped = asyncio.run(story())
    assert counts == [0, 0, 0]
    assert dropped == 1
    assert [(block.sequence, len(block.cells)) for block in blocks] == [(2, 2)]  # what was counted while it waited
