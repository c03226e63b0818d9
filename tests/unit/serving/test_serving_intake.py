"""Bodies come in within bounds: of one, of all large ones together, and of time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from lockgate.serving.gateway.intake import LARGE, Intake, Turned

LIMIT = 4 * LARGE
KB = 1 << 10


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
    gone: bool = False

    async def __call__(self) -> bytes:
        if self.stuck:
            await asyncio.sleep(3600)
        if self.gone:
            raise ConnectionResetError
        return b"".join(self.chunks)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            self.taken += len(chunk)
            yield chunk
        if self.gone:
            raise ConnectionResetError

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


@pytest.mark.parametrize("leaver", [announced(LIMIT), chunked(LARGE, LARGE)])
def test_who_leaves_in_the_middle_of_a_body_leaves_its_room(leaver: Caller) -> None:
    leaver.gone = True

    async def story() -> bytes | int:
        intake = Intake(LIMIT, LIMIT)
        for _ in range(2):
            with pytest.raises(ConnectionResetError):
                await intake.read(leaver, leaver)
        intake.sweep()
        return await outcome(intake, announced(LIMIT))

    assert asyncio.run(story()) == b"x" * LIMIT


def test_bodies_of_middling_size_share_the_room_too() -> None:
    """Thousands of callers may send theirs at one time, and each is far below what is solved in another thread."""

    async def story() -> list[bytes | int]:
        intake = Intake(16 * KB, 64 * KB)
        held = [await intake.read(one, one) for one in (announced(16 * KB), chunked(8 * KB, 8 * KB)) * 2]
        outcomes = [await outcome(intake, announced(16 * KB)), await outcome(intake, announced(16 * KB - 1))]
        intake.release(held[0])
        return [*outcomes, await outcome(intake, announced(16 * KB))]

    assert asyncio.run(story()) == [429, b"x" * (16 * KB - 1), b"x" * 16 * KB]


@pytest.mark.parametrize("size", ["9" * 5000, "1" * 21, "-5", ""])
def test_a_size_that_is_no_size_is_measured_as_the_body_comes(size: str) -> None:
    """Python refuses to read a number of thousands of digits, and that must end nothing."""
    honest, endless = (Caller([b"x" * LARGE] * number, Head({"content-length": size})) for number in (1, 5))
    assert asyncio.run(outcome(Intake(LIMIT, LIMIT), honest)) == b"x" * LARGE
    assert asyncio.run(outcome(Intake(LIMIT, LIMIT), endless)) == 413


@pytest.mark.parametrize("caller", [announced(11), chunked(6, 5)])
def test_a_limit_below_what_counts_holds_too(caller: Caller) -> None:
    assert asyncio.run(outcome(Intake(10, 10), caller)) == 413
