"""Keeps what the data plane is told to trust in step with the policy: types that packages may be made of, and keys that sign.

The policy may be set by another process (`lockgate policy set` works on the store), so the state is asked: a list is wanted when
something is loaded, and a second more or less matters to nobody.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from lockgate.boundary import trust, trusted_types
from lockgate.boundary.trust import Trust
from lockgate.boundary.trusted_types import TrustedTypes
from lockgate.kernel.errors import LockgateError
from lockgate.ports.state import State
from lockgate.usecases.check_signature import list_trusted_keys
from lockgate.usecases.list_trusted_types import list_trusted_types

INTERVAL = 1.0  # seconds

T = TypeVar("T")
log = logging.getLogger(__name__)


class TrustedList:
    """folder: the data plane's home."""

    def __init__(self, state: State, folder: Path) -> None:
        self._types = _Followed(
            "trusted types", lambda: list_trusted_types(state), _types_told, partial(trusted_types.lay_down, folder)
        )
        self._keys = _Followed("trusted keys", lambda: list_trusted_keys(state), _keys_told, partial(trust.lay_down, folder))

    def lay_down(self) -> None:
        """Write the lists, before anything may be loaded by them.

        Raises:
            LockgateError, OSError: one cannot be read or written: nothing is to start that would trust too much.
        """
        self._types.lay_down()
        self._keys.lay_down()

    def look(self) -> None:
        """Write the lists that are others now. What cannot be written leaves the old one in force, and is said once."""
        self._types.look()
        self._keys.look()

    def follow(self) -> None:
        """Look now, and from now on, for as long as this process lives."""
        self.look()
        threading.Thread(target=self._follow, name="trusted-list", daemon=True).start()

    def _follow(self) -> None:
        never = threading.Event()
        while not never.wait(INTERVAL):
            self.look()


class _Followed(Generic[T]):
    """One list. what: for the log. told: what the log says of it."""

    def __init__(
        self, what: str, wanted: Callable[[], T], told: Callable[[T], dict[str, object]], lay_down: Callable[[T], bool]
    ) -> None:
        self._what = what
        self._wanted = wanted
        self._told = told
        self._write = lay_down
        self._refused: tuple[T, ...] = ()

    def lay_down(self) -> None:
        self._keep(self._wanted())

    def look(self) -> None:
        try:
            wanted = self._wanted()
        except LockgateError as error:
            log.warning("%s not read", self._what, extra={"reason": error.message})
            return
        try:
            self._keep(wanted)
        except (LockgateError, OSError) as error:
            if (wanted,) != self._refused:
                log.error("%s not written; the former list holds", self._what, extra={"reason": str(error)})  # noqa: TRY400
            self._refused = (wanted,)

    def _keep(self, wanted: T) -> None:
        if self._write(wanted):
            log.info(self._what, extra=self._told(wanted))


def _types_told(trusted: TrustedTypes) -> dict[str, object]:
    return {"list": str(trusted), "types": list(trusted.types)}


def _keys_told(trusted: Trust | None) -> dict[str, object]:
    if trusted is None:
        return {"required": False}
    return {"required": True, "keys": [one.key for one in trusted.keys if not one.revoked]}
