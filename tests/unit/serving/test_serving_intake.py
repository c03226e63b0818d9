"""Bodies come in within bounds: of one, of all large ones together, and of time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from lockgate.serving.gateway.intake import LARGE, Intake, Turned

LIMIT = 4 * LARGE


class Head(dict[str, str]):
    def get_all(self, key: str) -> list[str]:
        return [self[key]] if key in self else []


@dataclass
class Caller:
    """Scope and protocol of one request: its headers, and its body in chunks."""

    chunks: list[bytes]
    headers: Head = field(default_factory=Head)
    method: str = "POST"
    path: str = "/"
    query_string: str = ""
    client: str = "127.0.0.1:1"
    taken: int = 0
    stuck: bool = False

    async def __call__(self) -> bytes:
        if self.stuck:
            await asyncio.sleep(3600)
        return b"".join(self.chunks)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            self.taken += len(chunk)
            yield chunk

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None: ...


def announced(size: int, **headers: str) -> Caller:
    return Caller([b"x" * size], Head({"content-length": str(size), **headers}))


def chunked(*sizes: int) -> Caller:
    return Caller([b"x" * size for size in sizes])


async def outcome(intake: Intake, caller: Caller) -> bytes | int:
    """The body, or the status of the answer that took its place."""
    try:
        return await intake.read(caller, caller)
    except Turned as turned:
        return turned.answer.status


@pytest.mark.parametrize("caller", [announced(10), announced(LIMIT), chunked(3, 4), chunked(LARGE, LARGE)])
def test_a_body_within_the_limit_is_read_whole(caller: Caller) -> None:
    assert asyncio.run(outcome(Intake(LIMIT, LIMIT), caller)) == b"".join(caller.chunks)


def test_a_body_that_is_announced_too_large_is_thrown_away_and_refused() -> None:
    caller = announced(LIMIT + 1)
    assert asyncio.run(outcome(Intake(LIMIT, LIMIT), caller)) == 413
    assert caller.taken == LIMIT + 1


def test_whoever_asks_first_is_refused_before_it_sends() -> None:
    caller = announced(LIMIT + 1, expect="100-continue")
    assert asyncio.run(outcome(Intake(LIMIT, LIMIT), caller)) == 413
    assert caller.taken == 0


def test_a_body_that_grows_too_large_is_not_read_to_its_end() -> None:
    caller = chunked(*[LARGE] * 100)
    assert asyncio.run(outcome(Intake(LIMIT, LIMIT), caller)) == 413
    assert caller.taken == LIMIT + LARGE


@pytest.mark.parametrize("second", [announced(LARGE), chunked(LARGE)])
def test_large_bodies_share_their_room_and_small_ones_do_not_need_it(second: Caller) -> None:
    async def story() -> list[bytes | int]:
        intake = Intake(LIMIT, LIMIT)
        first = await intake.read(announced(LIMIT), announced(LIMIT))
        outcomes = [await outcome(intake, second), await outcome(intake, announced(5))]
        intake.release(first)
        return [*outcomes, await outcome(intake, second)]

    assert asyncio.run(story()) == [429, b"xxxxx", b"x" * LARGE]


@pytest.mark.parametrize("size", [10, LARGE])
def test_a_body_that_does_not_come_is_given_up_and_its_room_is_free_again(size: int) -> None:
    async def story() -> list[bytes | int]:
        intake = Intake(LIMIT, LIMIT, patience=0.0)
        slow = announced(size)
        slow.stuck = True
        waiting = asyncio.create_task(outcome(intake, slow))
        await asyncio.sleep(0.01)
        intake.sweep()
        return [await waiting, await outcome(intake, announced(LIMIT))]

    assert asyncio.run(story()) == [408, b"x" * LIMIT]
