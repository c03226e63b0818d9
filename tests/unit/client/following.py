"""Subscribers of the tests: with a short patience and frequent looks, closed at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lockgate.client import Subscriber
from tests.samples.followed import House


@contextmanager
def following(house: House, folder: Path, **more: Any) -> Iterator[Subscriber]:
    settings: dict[str, Any] = {"keys": house.key, "interval": 0.02, "host": "host-1", **more}
    patience = settings.pop("patience", 10.0)
    subscriber = Subscriber(house.channel, settings.pop("source", house.folder), folder=folder, **settings)
    try:
        yield subscriber.start(patience)
    finally:
        subscriber.close()


def until(true: Callable[[], object], what: str = "it", seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"{what} did not come to be"
        time.sleep(0.005)


def asked(subscriber: Subscriber, key: str | None = None) -> float:
    """The version that answers, told by its answer."""
    answer = subscriber.answer({"x": 1.0}, key)
    assert answer.scores == answer.version
    return answer.version
