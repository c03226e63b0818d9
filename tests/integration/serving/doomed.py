"""Lives of workers that end by SIGKILL, each in a process of its own, with a diary that outlives them.

    python -m tests.integration.serving.doomed FOLDER SEED LIVES lines|time

A life serves synthetic requests, keeps labels and records, and has its blocks sent, all of it by the real parts and with the real
threads, only faster than in earnest. Before and after every step that must not be lost it makes a note in the diary. `lines` ends
it at a random line of the code under test, in whichever thread; `time` at a random moment. Whoever adopts what it left is killed
in the same way, a few times; the last one lives.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any
from zlib import crc32

import lockgate.serving.capture
from lockgate.boundary.observations import Feedback, Lesson
from lockgate.boundary.routes import Bins, Revision
from lockgate.kernel.clock import SystemClock
from lockgate.serving.capture.figures import FigureFiles, Figures
from lockgate.serving.capture.flusher import Flusher
from lockgate.serving.capture.kept import Kept
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.capture.records import RecordLog
from lockgate.serving.capture.spool import Spool
from lockgate.serving.capture.tally import Tally

KEYS = 6000  # requests of one life
LABELS = 300  # and lessons, one after the other
BEGUN, ADMITTED, ENDING, ENDED = 1, 2, 3, 4  # notes on a request
ASKED, ACKNOWLEDGED = 1, 2  # and on a label or lesson
SHED, RECORDS = 0, 1  # counters in the diary: how many were begun, how many were done
REVISION = Revision(3, 4)
BINS = Bins(1, tuple(map(float, range(1, 10))))
ODD = "odd"  # the segment of odd keys
SHARE_KILLED = 0.75  # of those who adopt
_COUNTERS = 32  # bytes
_CODE = str(Path(lockgate.serving.capture.__file__).parent)


class Diary:
    """A mapped file: two counters, twice, then a byte for each request and for each label."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b" if path.exists() else "w+b") as file:
            file.truncate(_COUNTERS + KEYS + LABELS)
            self._memory = mmap.mmap(file.fileno(), 0)
        self.counts = memoryview(self._memory)[:_COUNTERS].cast("Q")
        self.requests = memoryview(self._memory)[_COUNTERS : _COUNTERS + KEYS]
        self.labels = memoryview(self._memory)[_COUNTERS + KEYS :]

    def doing(self, what: int, do: Callable[[], object]) -> None:
        self.counts[2 * what] += 1
        do()
        self.counts[2 * what + 1] += 1


def score(key: int) -> float:
    return float(key % 10)


def outcome(key: int) -> str:
    """How the request of this key ends, if it comes to its end."""
    return "withdrawn" if key % 13 == 0 else "error" if key % 7 == 0 else "paired" if key % 11 == 0 else "ok"


def asked(number: int) -> Kept:
    if number % 2:
        return Kept(lessons=(Lesson(str(number), "m", 1, {"x": [0.5, float(number)]}, (1.0, 0.0), 2.0),))
    return Kept((Feedback(str(number), "m", 1, REVISION, number, 0.5, 1.0, 2.0, 1.0),))


class Life:
    def __init__(self, home: Path, seed: int) -> None:
        self._random = random.Random(seed)
        self._diary = Diary(home / "diary")
        self._spool = Spool.create(home / "spool", "w", "life")
        self._ledger = Ledger("w", "life", Figures(), 0.0, self._spool.book)
        self._records = RecordLog(home / "records", "life", self._spool.book, segment=20_000)
        files, clock = FigureFiles(home / "figures", "w"), SystemClock()
        self._sending = threading.Event()
        self._flusher = Flusher(self._ledger, self._records, self._spool, files, ThreadPoolExecutor(1), clock, self._sending.set)
        self._sent = (home / "sent-0").open("ab", buffering=0)
        self._tallies = [
            Tally("m", 1, REVISION, judged=True, keyed=True, scored=True, bins=BINS),
            Tally("m", 2, REVISION, judged=True, keyed=True, shadow=True),
            Tally("m", 1, REVISION, judged=True, keyed=True, scored=True, bins=BINS, segment=ODD),
        ]

    async def live(self) -> None:
        threading.Thread(target=self._send, daemon=True).start()
        flushing = asyncio.ensure_future(self._flush())
        labelling = asyncio.ensure_future(self._label())
        in_hand: list[tuple[int, int]] = []
        for key in range(1, KEYS):
            self._begin(key, in_hand)
            while len(in_hand) > self._random.randrange(12):
                self._end(*in_hand.pop(self._random.randrange(len(in_hand))))
            if key % 50 == 0:
                await asyncio.sleep(0.0005)
        await labelling
        flushing.cancel()

    def _begin(self, key: int, in_hand: list[tuple[int, int]]) -> None:
        notes = self._diary.requests
        notes[key] = BEGUN
        tally = self._tallies[1 if outcome(key) == "paired" else 2 if key % 2 else 0]
        entry = self._ledger.admit(tally, key)
        notes[key] = ADMITTED
        in_hand.append((key, entry))

    def _end(self, key: int, entry: int) -> None:
        how, at, diary = outcome(key), float(key), self._diary
        diary.requests[key] = ENDING
        if how == "ok":
            self._ledger.succeed(entry, 0.01, at, self._tallies[0].place(score(key)))
        elif how == "paired":
            self._ledger.paired(entry, 0.01, at, 0.5, agreed=True)
        elif how == "error":
            self._ledger.fail(entry, "error", at)
        else:
            self._ledger.withdraw(entry)
        diary.requests[key] = ENDED
        if how == "withdrawn":
            diary.doing(SHED, lambda: self._ledger.count("shed"))
        diary.doing(RECORDS, lambda: self._records.keep(self._tallies[0], REVISION, (f"p{key}",), at, None, (0.5,)))

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(0.001)
            await self._flusher.flush()

    async def _label(self) -> None:
        for number in range(LABELS):
            self._diary.labels[number] = ASKED
            await self._flusher.keep(asked(number))
            self._diary.labels[number] = ACKNOWLEDGED

    def _send(self) -> None:
        while True:
            self._sending.wait(0.01)
            self._sending.clear()
            send(self._spool, self._sent.fileno())


def send(spool: Spool, sent: int) -> None:
    """The control plane is a file: what stands there whole was received."""
    for path in spool.blocks():
        content = path.read_bytes()
        os.write(sent, len(content).to_bytes(4, "big") + crc32(content).to_bytes(4, "big") + content)
        spool.remove(path)


def serve(home: Path, seed: int) -> None:
    asyncio.run(Life(home, seed).live())


def adopt(home: Path, number: int) -> None:
    with (home / f"sent-{number}").open("ab", buffering=0) as sent:
        for orphan in Spool.adopt(home / "spool"):
            send(orphan, sent.fileno())
            orphan.release()


class Executioner:
    """Kills this process at the n-th line of the code under test, counted over all threads."""

    def __init__(self, lines: int) -> None:
        self.left = lines

    def begin(self) -> None:
        threading.settrace(self._enter)
        sys.settrace(self._enter)

    def _enter(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        return self._line if frame.f_code.co_filename.startswith(_CODE) else None

    def _line(self, _frame: FrameType, _event: str, _argument: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._line


def child(work: Callable[[], None], executioner: Executioner | None, seconds: float | None) -> None:
    """Run in a process of its own, that is killed by its own executioner, or from outside after so many seconds."""
    ready, begun = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(begun, b".")
        if executioner is not None:
            executioner.begin()
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - a forked process may not return into its parent's code
            os.write(2, f"{error!r}\n".encode())
            os._exit(1)
        os._exit(0)
    os.read(ready, 1)
    os.close(ready)
    os.close(begun)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit("a life ended by an error")


def main(folder: Path, seed: int, lives: int, way: str) -> None:
    for number in range(seed, seed + lives):
        dice, home = random.Random(number), folder / str(number)
        home.mkdir()
        by_line = way == "lines"
        serving = Executioner(int(10 ** dice.uniform(1.5, 5.3))) if by_line else None
        child(partial(serve, home, number), serving, None if by_line else dice.uniform(0.0, 0.25))
        heirs = 0
        while dice.random() < SHARE_KILLED:
            heirs += 1
            adopting = Executioner(dice.randrange(1, 400)) if by_line else None
            child(partial(adopt, home, heirs), adopting, None if by_line else dice.uniform(0.0, 0.02))
        child(partial(adopt, home, heirs + 1), None, None)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
