"""Where the keys of callers lie here."""

from __future__ import annotations

from lockgate.boundary.key_file import KEY_FILE
from lockgate.integrations.local.keys import LocalKeys
from lockgate.wiring.home import Home


def open_keys(home: Home) -> LocalKeys:
    return LocalKeys(home.secrets / KEY_FILE)
