"""The access log: a line for each request, never in the way of one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from lockgate.serving.capture.access import Access, AccessLog
from tests.unit.serving.capture import Desk, die


def access(number: int = 0, path: str = "/v2/models/m/infer") -> Access:
    return Access(float(number), "POST", path, 200, 0.001, peer="10.0.0.1", model="m", version=3)


def lines_in(path: Path) -> list[Access]:
    return [msgspec.json.decode(line, type=Access) for line in path.read_bytes().splitlines()]


def test_a_line_says_who_asked_what_and_what_it_got(tmp_path: Path) -> None:
    log = AccessLog(tmp_path / "logs" / "w.access.jsonl")
    log.add(access(1, '/v2/models/"\n{"status":200}'))
    log.add(access(2))
    assert log.write(log.take()) == 0
    log.close()
    first, second = lines_in(tmp_path / "logs" / "w.access.jsonl")
    assert first == access(1, '/v2/models/"\n{"status":200}')
    assert second == access(2)


def test_what_finds_no_room_is_counted(tmp_path: Path) -> None:
    log = AccessLog(tmp_path / "log", room=3)
    for number in range(5):
        log.add(access(number))
    assert log.write(log.take()) == 2
    log.close()
    assert [line.at for line in lines_in(tmp_path / "log")] == [0, 1, 2]


def test_files_are_turned_by_size_and_the_oldest_go(tmp_path: Path) -> None:
    log = AccessLog(tmp_path / "log", size=1000, kept=2)
    for number in range(100):
        log.add(access(number))
        log.write(log.take())
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1", "log.2"]
    found = [line.at for name in ("log.2", "log.1", "log") for line in lines_in(tmp_path / name)]
    assert found == [float(number) for number in range(100 - len(found), 100)]
    assert all(path.stat().st_size < 1200 for path in tmp_path.iterdir())


def test_a_file_that_somebody_took_away_is_begun_anew(tmp_path: Path) -> None:
    log = AccessLog(tmp_path / "log")
    log.add(access(1))
    log.write(log.take())
    (tmp_path / "log").rename(tmp_path / "taken")
    (tmp_path / "taken").unlink()
    log.add(access(2))
    log.write(log.take())
    log.close()
    assert [line.at for line in lines_in(tmp_path / "log")] == [2]


def test_what_the_disk_refuses_is_counted(tmp_path: Path) -> None:
    async def story() -> Desk:
        desk = Desk(tmp_path)
        desk.access.add(access(1))
        await desk.flusher.flush()
        (tmp_path / "logs" / "w.access.jsonl").unlink()
        (tmp_path / "logs").rmdir()
        desk.access.add(access(2))
        await desk.flusher.flush()
        desk.access.close()
        die(desk.spool)
        return desk

    desk = asyncio.run(story())
    assert desk.ledger.figures.totals["access_dropped"] == 1
