"""Workers killed at any line of what remembers: what was admitted is reported, all of it, once, and as what it was."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from zlib import crc32

import msgspec
import pytest

from lockgate.boundary.observations import FAILED, Block, Cell
from lockgate.boundary.records import frames
from lockgate.boundary.routes import Arm, Role, Route
from tests.integration.serving.data_plane import MODEL, ControlPlane, DataPlane, columns, wait_for
from tests.integration.serving.doomed import (
    ACKNOWLEDGED,
    ADMITTED,
    ASKED,
    BEGUN,
    BINS,
    ENDED,
    ENDING,
    KEYS,
    LABELS,
    ODD,
    RECORDS,
    SHED,
    Diary,
    outcome,
    score,
)

pytestmark = pytest.mark.integration

LIVES = 40


@pytest.mark.parametrize("way", ["lines", "time"])
def test_whatever_the_moment_of_death_all_is_told_and_told_once(tmp_path: Path, way: str) -> None:
    argv = [sys.executable, "-m", "tests.integration.serving.doomed", str(tmp_path), "0", str(LIVES), way]
    subprocess.run(argv, check=True, timeout=110)
    ends: Counter[str] = Counter()
    for home in sorted(tmp_path.iterdir()):
        ends += check(home)
    assert ends["aborted"] > LIVES / 2  # enough deaths fell into the middle of something
    assert ends["ok"] > 10 * LIVES
    assert ends["records lost"] > 0


def test_a_data_plane_whose_workers_are_killed_under_load_tells_of_every_answer_it_gave(
    new_plane: Callable[..., DataPlane], own_control: ControlPlane
) -> None:
    plane = new_plane("--workers", "2")
    own_control.publish(Route(MODEL, (Arm(1, plane.artifacts.linear(0.0), Role.CHAMPION, 1.0),)))
    wait_for(lambda: own_control.applied(own_control.table.revision, workers=2), "both workers are ready")
    asked: Counter[str] = Counter()
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            asked["begun"] += 1
            try:
                asked[str(plane.infer(columns((1.0, "AA"))).status)] += 1
            except OSError:
                asked["cut off"] += 1

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    kills = 4
    for kill in range(kills):
        time.sleep(0.37)
        plane.kill_worker()
        wait_for(lambda kill=kill: plane.serving >= 3 + kill, "another worker takes its place")
    stop.set()
    for thread in threads:
        thread.join()
    wait_for(lambda: len(list((plane.home / "data-plane" / "spool").glob("[!.]*"))) == 2, "what the dead left is told")
    assert plane.stop() == 0
    completed = sum(own_control.completed().values())
    aborted = sum(cell.failures.get("aborted", 0) for cell in own_control.cells())
    assert asked["200"] <= completed <= asked["begun"]
    assert aborted <= asked["cut off"]
    recorded = sum(block.records_logged + block.records_lost + block.records_dropped for block in own_control.blocks)
    assert completed - aborted - kills <= recorded <= completed - aborted  # a kill may fall between the two
    ids = [block.id for block in own_control.blocks]
    assert 2 < len({incarnation for _, incarnation, _ in ids}) <= 2 + kills  # one may die before it was asked anything
    assert len(set(ids)) == len(ids)


def check(home: Path) -> Counter[str]:
    """Compare what was received with what the dead noted. How many requests ended how."""
    diary, blocks = Diary(home / "diary"), received(home)
    check_labels(diary, blocks)
    told = requests_in(blocks)
    for key in range(1, KEYS):
        assert allowed(diary.requests[key], key, told.get(key, [])), (home.name, key, diary.requests[key], told.get(key))
    assert sum(block.requests_lost for block in blocks) == 0
    within(diary, SHED, sum(block.shed for block in blocks))
    logged, lost = sum(block.records_logged for block in blocks), sum(block.records_lost for block in blocks)
    assert sum(1 for path in (home / "records").glob("*.seg") for _ in frames(path.read_bytes())) == logged
    within(diary, RECORDS, logged + lost)
    assert not list((home / "spool").glob("[!.]*"))  # a draft is left by who died before being born
    return Counter(how[0] for how in told.values()) + Counter({"records lost": lost})


def allowed(note: int, key: int, told: list[str]) -> bool:
    """Whether a request of which the dead worker noted so much may have been told of like this."""
    ended = [] if outcome(key) == "withdrawn" else [outcome(key)]
    aborted = [] if outcome(key) == "paired" else ["aborted"]  # the shadow lives on in another process
    return {
        0: told == [],
        BEGUN: told in ([], aborted),
        ADMITTED: told == aborted,
        ENDING: told in (aborted, ended),
        ENDED: told == ended,
    }[note]


def check_labels(diary: Diary, blocks: list[Block]) -> None:
    told = Counter(int(label.prediction_id) for block in blocks for label in block.feedback)
    told += Counter(int(lesson.id) for block in blocks for lesson in block.lessons)
    for number in range(LABELS):
        expected = {0: (0,), ASKED: (0, 1), ACKNOWLEDGED: (1,)}[diary.labels[number]]
        assert told[number] in expected


def within(diary: Diary, counter: int, told: int) -> None:
    begun, done = diary.counts[2 * counter], diary.counts[2 * counter + 1]
    assert done <= told <= begun


def requests_in(blocks: list[Block]) -> dict[int, list[str]]:
    """How each key is said to have ended, as often as it is said. Of failures, those that were in flight stand last."""
    told: dict[int, list[str]] = {}
    for block in blocks:
        for cell in block.cells:
            failed = [unit.key for unit in cell.units if unit.bits & FAILED]
            assert len(cell.units) == cell.completed == len(failed) + sum(cell.latency.values())
            assert cell.agreed == (cell.completed - len(failed) if cell.shadow else 0)
            check_dimensions(cell)
            aborted = set(failed[len(failed) - cell.failures.get("aborted", 0) :])
            assert cell.failures.get("error", 0) == len(failed) - len(aborted)
            for unit in cell.units:
                how = "aborted" if unit.key in aborted else "error" if unit.key in failed else "paired" if cell.shadow else "ok"
                told.setdefault(unit.key, []).append(how)
    return told


def check_dimensions(cell: Cell) -> None:
    """Whatever was told of a request before it was answered, and of the one that had its entry before it."""
    if cell.shadow:
        assert (cell.segment, cell.bins_id, cell.bins) == ("", 0, ())
        return
    assert {unit.key % 2 for unit in cell.units} == {int(cell.segment == ODD)}
    fell = Counter(BINS.place(score(unit.key)) for unit in cell.units if not unit.bits & FAILED)
    assert (cell.bins_id, cell.bins) == (BINS.id, tuple(fell[place] for place in range(len(BINS.edges) + 1)))


def received(home: Path) -> list[Block]:
    """By the control plane's rule: in the order of arrival, each id once, nothing behind what was taken already."""
    arrived = [content for path in sorted(home.glob("sent-*"), key=lambda one: int(one.name[5:])) for content in whole(path)]
    blocks = [(msgspec.msgpack.decode(content, type=Block), content) for content in arrived]
    for _, same in groupby(sorted(blocks, key=lambda one: one[0].sequence), key=lambda one: one[0].sequence):
        assert len({content for _, content in same}) == 1  # a block that is sent again is the same block
    taken: list[Block] = []
    for block, _ in blocks:
        assert block.id[:2] == ("w", "life")
        if not taken or block.sequence > taken[-1].sequence:
            taken.append(block)
    assert [block.sequence for block in taken] == list(range(1, len(taken) + 1))
    return taken


def whole(path: Path) -> Iterator[bytes]:
    content, offset = path.read_bytes(), 0
    while offset + 8 <= len(content):
        length, checksum = (int.from_bytes(content[at : at + 4], "big") for at in (offset, offset + 4))
        block = content[offset + 8 : offset + 8 + length]
        if len(block) < length:
            return  # torn by the death of its sender
        assert crc32(block) == checksum
        yield block
        offset += 8 + length
