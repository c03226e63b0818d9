"""Keeps the data plane's list of trusted types in step with the policy.

The policy may be set by another process (`lockgate policy set` works on the store), so the state is asked: a list is wanted when
something is loaded, and a second more or less matters to nobody.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from lockgate.boundary.trusted_types import TrustedTypes, lay_down
from lockgate.kernel.errors import LockgateError
from lockgate.ports.state import State
from lockgate.usecases.list_trusted_types import list_trusted_types

INTERVAL = 1.0  # seconds

log = logging.getLogger(__name__)


class TrustedList:
    """folder: the data plane's home."""

    def __init__(self, state: State, folder: Path) -> None:
        self._state = state
        self._folder = folder
        self._refused: TrustedTypes | None = None

    def look(self) -> None:
        """Write the list if it is another one. What cannot be written leaves the old one in force, and is said once."""
        try:
            trusted = list_trusted_types(self._state)
        except LockgateError as error:
            log.warning("trusted types not read", extra={"reason": error.message})
            return
        try:
            if lay_down(self._folder, trusted):
                log.info("trusted types", extra={"list": str(trusted), "types": list(trusted.types)})
        except (LockgateError, OSError) as error:
            if trusted != self._refused:
                log.error("trusted types not written; the former list holds", extra={"reason": str(error)})  # noqa: TRY400
            self._refused = trusted

    def follow(self) -> None:
        """Look now, and from now on, for as long as this process lives."""
        self.look()
        threading.Thread(target=self._follow, name="trusted-types", daemon=True).start()

    def _follow(self) -> None:
        never = threading.Event()
        while not never.wait(INTERVAL):
            self.look()
