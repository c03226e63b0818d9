"""What child processes that run other people's code get of our environment."""

from __future__ import annotations

import os

_SECRET = ("LOCKGATE_DATABASE",)


def own_environment() -> dict[str, str]:
    """Ours, without what would let that code into the state: the database's address may hold a password."""
    return {name: value for name, value in os.environ.items() if name not in _SECRET}
