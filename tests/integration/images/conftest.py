"""One engine, one registry and one base image for all tests of a session; where CI is set they must be there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TypeVar

import pytest

from lockgate.kernel.errors import Unavailable
from tests.samples import docker
from tests.samples.docker import Docker

T = TypeVar("T")


def entered(stack: ExitStack, part: AbstractContextManager[T]) -> T:
    try:
        return stack.enter_context(part)
    except Unavailable as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"{error}: {error.hint}")


@pytest.fixture(scope="session")
def engine() -> Iterator[Docker]:
    with ExitStack() as stack:
        yield entered(stack, docker.docker_engine())


@pytest.fixture(scope="session")
def registry() -> Iterator[str]:
    """HOST:PORT."""
    with ExitStack() as stack:
        yield entered(stack, docker.registry())


@pytest.fixture(scope="session")
def base(engine: Docker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return docker.base_image(engine, tmp_path_factory.mktemp("base"))
