"""Labels on their way from a body to the disk: a large body holds nobody up, and what it holds fits into blocks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lockgate.boundary.predictions import Mint, Prediction
from lockgate.boundary.routes import Revision
from lockgate.serving.capture.kept import MOST_PIECES
from lockgate.serving.gateway.accepting import Accepting
from lockgate.serving.gateway.intake import LARGE
from lockgate.serving.gateway.labels import LabelDesk
from lockgate.serving.protocol.problems import Answer
from tests.unit.serving.capture import Desk, die

SECRET = b"k" * 32


class Large(ThreadPoolExecutor):
    """The thread for large bodies; says how many it had."""

    def __init__(self) -> None:
        super().__init__(1)
        self.had = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.had += 1
        return super().submit(fn, *args, **kwargs)


def labelled(number: int, **last: object) -> bytes:
    mint = Mint(SECRET, "m")
    labels = [{"prediction_id": mint(Prediction(1, Revision(1, 2), key, 0.5, 1.0, key)), "label": 1} for key in range(number)]
    return json.dumps([*labels[:-1], {**labels[-1], **last}]).encode()


def take(home: Path, body: bytes) -> tuple[Answer, Desk, Large]:
    async def story() -> tuple[Answer, Desk, Large]:
        desk, large = Desk(home), Large()
        answer = await LabelDesk(Accepting(desk.flusher, desk.ledger, large), SECRET, desk.clock).take("m", body)
        await desk.flusher.flush()
        die(desk.spool)
        return answer, desk, large

    return asyncio.run(story())


@pytest.mark.parametrize("number", [1, 100, 5000])
def test_a_large_body_is_read_in_the_thread_for_such(tmp_path: Path, number: int) -> None:
    body = labelled(number)
    answer, desk, large = take(tmp_path, body)
    assert (answer.status, json.loads(answer.body)) == (202, {"accepted": number})
    assert large.had == (len(body) >= LARGE)
    assert [one.key for block in desk.blocks for one in block.feedback] == list(range(number))


def test_a_fault_in_a_large_body_is_told_as_in_a_small_one_and_nothing_of_it_is_kept(tmp_path: Path) -> None:
    answer, desk, large = take(tmp_path, labelled(5000, label="late"))
    assert answer.status == 400
    assert json.loads(answer.body)["errors"] == [
        {"field": "[4999].label", "detail": "Expected `bool | int | float`, got `str`"},
    ]
    assert large.had == 1
    assert [(block.rejected, block.feedback) for block in desk.blocks] == [(1, ())]


def test_more_than_a_block_may_hold_goes_out_with_several(tmp_path: Path) -> None:
    number = 2 * MOST_PIECES + 1
    answer, desk, _ = take(tmp_path, labelled(number))
    assert json.loads(answer.body) == {"accepted": number}
    assert [one.key for block in desk.blocks for one in block.feedback] == list(range(number))
    assert [len(block.feedback) for block in desk.blocks] == [MOST_PIECES, MOST_PIECES, 1]
    assert desk.ledger.figures.totals["labels"] == number
