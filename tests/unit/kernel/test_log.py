"""What a process says of itself: everyday words of libraries are not among it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from lockgate.kernel import log

LIBRARY = "alembic.runtime.migration"


@pytest.fixture
def _as_before() -> Iterator[None]:
    root, alembic = logging.getLogger(), logging.getLogger("alembic")
    handlers, levels, propagates = root.handlers[:], (root.level, alembic.level), alembic.propagate
    alembic.propagate = True  # other libraries, once they are imported, take its words for themselves
    yield
    alembic.propagate = propagates
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    alembic.setLevel(levels[1])


@pytest.mark.usefixtures("_as_before")
def test_a_library_is_heard_when_something_is_wrong_or_everything_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    for verbose, heard in ((False, ["mine", "wrong"]), (True, ["mine", "running", "wrong"])):
        log.configure(verbose=verbose)
        logging.getLogger("lockgate.any").info("mine")
        logging.getLogger(LIBRARY).info("running")
        logging.getLogger(LIBRARY).warning("wrong")
        said = capsys.readouterr().err.splitlines()
        assert [word for line in said for word in ("mine", "running", "wrong") if f'"event": "{word}"' in line] == heard
