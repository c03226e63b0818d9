"""A model's file that cannot be read is the package's failure, as when its library cannot read it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lockgate.kernel.errors import Invalid
from lockgate.runtimes.model import RuntimeFailure


@contextmanager
def damage_as_failure() -> Iterator[None]:
    """Raises RuntimeFailure where Invalid was raised inside."""
    try:
        yield
    except Invalid as error:
        raise RuntimeFailure(error.message, hint=error.hint) from error
