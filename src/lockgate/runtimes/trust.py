"""Whether code that comes with a package may run. The platform's settings say so, in the environment; a package never can."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from lockgate.boundary.manifest import Manifest
from lockgate.kernel.errors import Invalid, Refused

VARIABLE = "LOCKGATE_TRUST_CODE"
_VALUES = {"": False, "0": False, "1": True}
_granted: ContextVar[bool] = ContextVar("granted", default=False)


@contextmanager
def granted() -> Iterator[None]:
    """What is loaded inside is trusted whatever the settings say: somebody installed it as code, in a wheel."""
    token = _granted.set(True)
    try:
        yield
    finally:
        _granted.reset(token)


def check_trusted(manifest: Manifest, what: str) -> None:
    """Raises Refused unless the platform trusts the code of packages' authors. what: the part that is code."""
    if not (_granted.get() or _is_trusting()):
        raise Refused(
            f"the package of {manifest.model} runs code of its author ({what}), which this platform does not trust",
            hint=f"Set {VARIABLE}=1 where the server is started, if you trust whoever may publish models here.",
        )


def _is_trusting() -> bool:
    value = os.environ.get(VARIABLE, "")
    if value not in _VALUES:
        raise Invalid(f"{VARIABLE} is {value!r:.100}, 0 or 1 expected")
    return _VALUES[value]
