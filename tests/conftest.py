"""Fixtures that tests of every kind share: the world in memory, and a PostgreSQL server for those that need a real one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import settings

settings.register_profile("lockgate", deadline=None)  # how long an example takes is the machine's affair
settings.load_profile("lockgate")
pytest.register_assert_rewrite("lockgate.testing.checks")  # so that a broken contract says what was found

from lockgate.kernel.errors import Unavailable  # noqa: E402
from lockgate.testing.artifacts import MemoryArtifacts  # noqa: E402
from lockgate.testing.clock import VirtualClock  # noqa: E402
from lockgate.testing.postgres import postgres_server  # noqa: E402
from lockgate.testing.state import MemoryState  # noqa: E402


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def state() -> MemoryState:
    return MemoryState()


@pytest.fixture
def artifacts() -> MemoryArtifacts:
    return MemoryArtifacts()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a server of our own, with nothing in it. Where CI is set it must be there."""
    with ExitStack() as stack:
        try:
            url = stack.enter_context(postgres_server())
        except Unavailable as error:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(f"{error}: {error.hint}")
        yield url
