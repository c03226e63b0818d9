"""The airline's booking system: asks about each flight of some months as real HTTP requests, and reports later what became of it.

A process of its own: `python -m demo.traffic PROJECT MONTHS…`. It prints a line of JSON every 200 ms and ends at the end of the
months, or when its standard input says so; then it reports the labels that are still owed and prints its last line.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from demo.client import Connection
from demo.flights import load

CONNECTIONS = 4
LABEL_LAG = 400  # flights: so much later it is known whether a flight was late
LABELS_AT_ONCE = 100
TELL_EVERY = 0.2  # seconds
LATE = 15  # minutes


@dataclass
class Tally:
    sent: int = 0
    failed: int = 0
    labels: int = 0
    versions: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    first_failure: str = ""

    def line(self, *, done: bool) -> dict[str, Any]:
        ordered = sorted(self.seconds[-20_000:]) or [0.0]
        return {
            "sent": self.sent,
            "failed": self.failed,
            "labels": self.labels,
            "versions": dict(sorted(self.versions.items())),
            "p50_ms": round(1e3 * ordered[len(ordered) // 2], 3),
            "p99_ms": round(1e3 * ordered[int(len(ordered) * 0.99)], 3),
            "first_failure": self.first_failure,
            "done": done,
            "pid": os.getpid(),
        }


@dataclass(frozen=True)
class Question:
    name: str
    body: bytes
    late: bool | None  # None: cancelled or diverted, nobody will ever know


def questions(project: Path, months: list[int], skip: int) -> list[Question]:
    """One question for each flight, in the order of departure; features as the project's own code computes them."""
    sys.path.insert(0, str(project))
    features = importlib.import_module("features")  # the project's own
    flights = load()
    wanted = flights["month"].isin(months)
    frame = features.features(flights)[wanted.to_numpy()].iloc[skip:]
    delays = flights["arrival_delay"][wanted].to_numpy()[skip:]
    columns = [(name, "BYTES" if name in features.CATEGORIES else "FP32", frame[name].tolist()) for name in features.FEATURES]
    return [
        Question(str(name), _body(columns, row), None if pd.isna(delays[row]) else bool(delays[row] > LATE))
        for row, name in enumerate(frame.index)
    ]


def _body(columns: list[tuple[str, str, list[Any]]], row: int) -> bytes:
    inputs = [{"name": name, "shape": [1, 1], "datatype": kind, "data": [values[row]]} for name, kind, values in columns]
    return json.dumps({"inputs": inputs}).encode()


class Traffic:
    def __init__(self, host: str, port: int, model: str, rate: float) -> None:
        self._address = (host, port)
        self._model = model
        self._rate = rate
        self._owed: deque[tuple[str, bool]] = deque()
        self.tally = Tally()
        self.stopping = threading.Event()

    def stop_when_told(self) -> None:
        sys.stdin.readline()
        self.stopping.set()

    async def replay(self, asked: list[Question]) -> None:
        turns = iter(asked)
        begin = time.monotonic()
        teller = asyncio.create_task(self._tell())
        await asyncio.gather(*(self._ask(turns, begin) for _ in range(CONNECTIONS)))
        await self._report(Connection(*self._address), keep=0)
        teller.cancel()

    async def _ask(self, turns: Iterator[Question], begin: float) -> None:
        connection = Connection(*self._address)
        for question in turns:
            if self.stopping.is_set():
                break
            ahead = begin + self.tally.sent / self._rate - time.monotonic()
            if ahead > 0:
                await asyncio.sleep(ahead)
            await self._ask_once(connection, question)
            if len(self._owed) >= LABEL_LAG + LABELS_AT_ONCE:
                await self._report(connection, keep=LABEL_LAG)
        connection.close()

    async def _ask_once(self, connection: Connection, question: Question) -> None:
        self.tally.sent += 1
        started = time.perf_counter()
        try:
            answer = await connection.post(f"/v2/models/{self._model}/infer", question.body, f"x-flight: {question.name}\r\n")
        except OSError as error:
            self._failed(str(error))
            return
        self.tally.seconds.append(time.perf_counter() - started)
        if answer.status != 200:  # noqa: PLR2004
            self._failed(f"{answer.status} {answer.body[:200]!r}")
            return
        self.tally.versions[answer.version] += 1
        if question.late is not None:
            self._owed.append((json.loads(answer.body)["parameters"]["prediction_id"], question.late))

    async def _report(self, connection: Connection, keep: int) -> None:
        while len(self._owed) > keep:
            batch = [self._owed.popleft() for _ in range(min(LABELS_AT_ONCE, len(self._owed) - keep))]
            body = json.dumps([{"prediction_id": one, "label": int(late)} for one, late in batch]).encode()
            try:
                answer = await connection.post(f"/v2/models/{self._model}/feedback", body)
            except OSError as error:
                self._failed(f"feedback: {error}")
                continue
            if answer.status >= 300:  # noqa: PLR2004
                self._failed(f"feedback: {answer.status} {answer.body[:200]!r}")
            self.tally.labels += len(batch)

    def _failed(self, why: str) -> None:
        self.tally.failed += 1
        self.tally.first_failure = self.tally.first_failure or why

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY)
            print(json.dumps(self.tally.line(done=False)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("project", type=Path)
    parser.add_argument("months", nargs="+", type=int)
    parser.add_argument("--model", default="flight-delay")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7080)
    parser.add_argument("--rate", type=float, default=1500.0, help="requests a second, at most")
    parser.add_argument("--skip", type=int, default=0, help="flights of the months that were asked about before")
    arguments = parser.parse_args()
    traffic = Traffic(arguments.host, arguments.port, arguments.model, arguments.rate)
    asked = questions(arguments.project, arguments.months, arguments.skip)
    print(json.dumps({"ready": len(asked), "pid": os.getpid()}), flush=True)
    sys.stdin.readline()  # "go"
    threading.Thread(target=traffic.stop_when_told, daemon=True).start()
    asyncio.run(traffic.replay(asked))
    print(json.dumps(traffic.tally.line(done=True)), flush=True)


if __name__ == "__main__":
    main()
