"""The control channel over real HTTP and a real SQLite home, with a second process's view of the same file."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from lockgate.boundary.observations import Lesson
from lockgate.boundary.routes import Revision, RouteTable
from lockgate.domain.learning import LessonLog
from lockgate.entrypoints.api.app import create_app
from lockgate.integrations.sql.state import SqlState
from lockgate.ports.state import INBOX, LEARNINGS, LESSON_LOGS, LESSONS, ROUTES, PublishedRoutes
from lockgate.serving.capture.kept import MOST
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.builders import MODEL, block, learning, route_table
from lockgate.testing.clock import VirtualClock
from lockgate.usecases.take_observations import take_observations
from lockgate.usecases.world import World
from tests.samples.server import served

pytestmark = pytest.mark.integration

BEARER = {"Authorization": "Bearer t"}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def address(database: Path) -> Iterator[str]:
    world = World(SqlState.open(database), MemoryArtifacts(), VirtualClock())
    with served(create_app(world, home=None, control_token="t")) as found:
        yield found


def ask(address: str, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection = HTTPConnection(urlsplit(address).netloc, timeout=20)
    try:
        connection.request(method, path, body, BEARER)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def publish(state: SqlState, n: int) -> None:
    with state.write() as tx:
        tx.put(ROUTES, PublishedRoutes(route_table(n)))


def test_who_waits_hears_of_a_table_that_another_process_published(database: Path, address: str) -> None:
    elsewhere = SqlState.open(database)  # its own connections: what another process has
    publish(elsewhere, 1)
    heard: list[tuple[Revision, float]] = []

    def wait() -> None:
        status, body = ask(address, "GET", "/control/v1/routes?after=0.1&wait=15")
        assert status == 200
        heard.append((msgspec.json.decode(body, type=RouteTable).revision, time.monotonic()))

    waiting = [threading.Thread(target=wait) for _ in range(8)]
    for one in waiting:
        one.start()
    time.sleep(0.2)
    assert not heard
    publish(elsewhere, 2)
    published = time.monotonic()
    for one in waiting:
        one.join(10)
    assert [revision for revision, _ in heard] == [Revision(0, 2)] * 8
    # The look every 40 ms is a small part of the second that a roll-back may take. Wide, for a busy machine.
    assert max(at for _, at in heard) - published < 2


def test_a_block_is_committed_before_it_is_acknowledged(database: Path, address: str) -> None:
    content = msgspec.msgpack.encode(block(1))
    assert [ask(address, "POST", "/control/v1/observations", content)[0] for _ in range(2)] == [204, 204]
    with SqlState.open(database).read() as tx:
        assert [one.block for one in tx.find(INBOX)] == [block(1)]


def test_a_block_with_all_the_lessons_that_one_may_hold_is_taken(database: Path, address: str) -> None:
    with SqlState.open(database).write() as tx:
        tx.put(LEARNINGS, learning())
    rows = MOST // 2 // 11 - 100  # two lessons: for each row a text of one letter, and its label
    lessons = tuple(Lesson(name, MODEL, 1, {"s": ["a"] * rows}, (1.0,) * rows, 2.0) for name in ("a", "b"))
    content = msgspec.msgpack.encode(block(1, lessons=lessons))
    assert 0.95 * MOST < len(content) < MOST
    assert [ask(address, "POST", "/control/v1/observations", content)[0] for _ in range(2)] == [204, 204]
    with SqlState.open(database).write() as tx:
        take_observations(tx)
        assert tx.find(LESSON_LOGS) == [LessonLog(MODEL, 2 * rows)]
        assert [one.labels for one in tx.find(LESSONS)] == [one.labels for one in lessons]


def test_pages_answer_while_workers_wait(address: str) -> None:
    waiting = [threading.Thread(target=ask, args=(address, "GET", "/control/v1/routes?wait=1")) for _ in range(60)]
    for one in waiting:
        one.start()
    status, body = ask(address, "GET", "/")
    assert status == 200
    assert b"The lock is empty" in body
    for one in waiting:
        one.join(10)
