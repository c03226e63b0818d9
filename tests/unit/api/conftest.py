"""A client on an empty home, and one on the told story; the story is told once, so tests that share it only read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.samples.asgi import Client, client_of
from tests.samples.story import Story, begin, tell


@pytest.fixture
def empty() -> Story:
    return begin()


@pytest.fixture
def client(empty: Story) -> Client:
    return client_of(empty)


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Story:
    home: Path = tmp_path_factory.mktemp("home")
    return tell(home)


@pytest.fixture(scope="session")
def reader(told: Story) -> Client:
    return client_of(told)
