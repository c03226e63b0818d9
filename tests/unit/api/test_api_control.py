"""The control channel as a worker uses it."""

from __future__ import annotations

import asyncio
import threading
import time

import msgspec
import pytest

from lockgate.boundary.observations import Block
from lockgate.boundary.routes import Revision, RouteTable
from lockgate.ports.state import CONSUMED, INBOX, ROUTES, WORKERS, Consumed, PublishedRoutes
from lockgate.testing.builders import acknowledgement, block, route_table
from tests.samples.asgi import Answer, Client
from tests.samples.story import Story

BEARER = {"authorization": "Bearer control-token"}


def publish(story: Story, n: int) -> RouteTable:
    table = route_table(n)
    with story.world.state.write() as tx:
        tx.put(ROUTES, PublishedRoutes(table))
    return table


def hand_over(client: Client, what: Block | bytes) -> Answer:
    content = what if isinstance(what, bytes) else msgspec.msgpack.encode(what)
    headers = {**BEARER, "content-type": "application/x-msgpack"}
    return asyncio.run(client.call("POST", "/control/v1/observations", content, headers))


@pytest.mark.parametrize(
    "header", [{}, {"authorization": "Bearer wrong"}, {"authorization": "control-token"}, {"authorization": "Bearer ü"}]
)
def test_without_the_token_nobody_gets_in(client: Client, header: dict[str, str]) -> None:
    for method, path in (("GET", "routes"), ("POST", "acknowledgements"), ("POST", "observations")):
        answer = asyncio.run(client.call(method, f"/control/v1/{path}", b"", header))
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_newer_table_is_answered_at_once(empty: Story, client: Client) -> None:
    table = publish(empty, 3)
    answer = client.get("/control/v1/routes?after=0.2&wait=30", BEARER)
    assert answer.status == 200
    assert msgspec.json.decode(answer.body, type=RouteTable) == table


def test_without_a_newer_table_the_answer_is_empty(empty: Story, client: Client) -> None:
    publish(empty, 3)
    assert client.get("/control/v1/routes?after=0.3&wait=0", BEARER).status == 204
    assert client.get("/control/v1/routes?after=0.4&wait=0.05", BEARER).status == 204


def test_an_empty_home_has_no_table_to_give(client: Client) -> None:
    assert client.get("/control/v1/routes?after=0.0&wait=0.01", BEARER).status == 204


def test_who_waits_is_answered_when_another_thread_publishes(empty: Story, client: Client) -> None:
    publish(empty, 1)
    later = threading.Timer(0.1, publish, (empty, 2))
    later.start()
    began = time.monotonic()
    answer = client.get("/control/v1/routes?after=0.1&wait=20", BEARER)
    later.join()
    assert msgspec.json.decode(answer.body, type=RouteTable).revision == Revision(0, 2)
    assert time.monotonic() - began < 5


def test_many_who_wait_share_one_look_at_the_state(empty: Story, client: Client) -> None:
    publish(empty, 1)
    looks = 0
    read = empty.world.state.read

    def counted() -> object:
        nonlocal looks
        looks += 1
        return read()

    empty.world.state.read = counted  # type: ignore[method-assign, assignment]

    async def wait_together() -> list[Answer]:
        calls = [client.call("GET", "/control/v1/routes?after=0.1&wait=0.05", b"", BEARER) for _ in range(20)]
        return await asyncio.gather(*calls)

    assert {answer.status for answer in asyncio.run(wait_together())} == {204}
    # One look each on arrival; after that one for all, every 2 ms here.
    assert looks < 20 + 40


@pytest.mark.parametrize("question", ["after=x", "after=1", "after=0.x", "wait=-1", "wait=61", "wait=nan"])
def test_a_question_that_makes_no_sense_is_said_so(client: Client, question: str) -> None:
    answer = client.get(f"/control/v1/routes?{question}", BEARER)
    assert answer.status in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_acknowledgement_is_the_workers_last_word(empty: Story, client: Client) -> None:
    said = acknowledgement()
    for revision in (Revision(0, 1), Revision(0, 2)):
        empty.pass_time(seconds=1)
        newer = msgspec.structs.replace(said, revision=revision)
        assert client.post("/control/v1/acknowledgements", msgspec.json.encode(newer), headers=BEARER).status == 204
    with empty.world.state.read() as tx:
        kept = tx.find(WORKERS)
    assert [worker.acknowledgement.revision for worker in kept] == [Revision(0, 2)]
    assert kept[0].seen_at == empty.clock.now().timestamp()


def test_a_block_sent_twice_is_kept_once(empty: Story, client: Client) -> None:
    for sequence in (1, 2, 2, 1):
        assert hand_over(client, block(sequence)).status == 204
    with empty.world.state.read() as tx:
        assert [one.sequence for one in tx.find(INBOX)] == [1, 2]
        assert tx.find(INBOX)[0].block == block(1)
    assert hand_over(client, msgspec.structs.replace(block(1), shed=7)).status == 204
    with empty.world.state.read() as tx:
        assert tx.find(INBOX)[0].block == block(1)  # what came first counts


def test_a_block_that_was_consumed_is_dropped(empty: Story, client: Client) -> None:
    with empty.world.state.write() as tx:
        tx.put(CONSUMED, Consumed("w0", "w0-1", 5))
    for sequence in (4, 5, 6):
        assert hand_over(client, block(sequence)).status == 204
    with empty.world.state.read() as tx:
        assert [one.sequence for one in tx.find(INBOX)] == [6]


@pytest.mark.parametrize("content", [b"", b"\xc1", b"not a block", msgspec.msgpack.encode({"worker": 1}), b"\x81\xa1\xff\x01"])
def test_bytes_that_are_no_block_are_refused(empty: Story, client: Client, content: bytes) -> None:
    answer = hand_over(client, content)
    assert answer.status == 400
    assert "block" in answer.json["detail"]
    with empty.world.state.read() as tx:
        assert not tx.find(INBOX)


def test_bytes_that_are_no_acknowledgement_are_refused(client: Client) -> None:
    assert client.post("/control/v1/acknowledgements", b"{}", headers=BEARER).status == 400


def test_a_block_of_any_size_is_not_taken(client: Client) -> None:
    assert hand_over(client, b"\x00" * (17 * 1024 * 1024)).status == 413
