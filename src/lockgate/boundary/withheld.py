"""What of our environment programs that others wrote do not get: scanners, credential helpers, container clients, pip.

A program that was replaced, or that writes what it was given into its report, must not be able to sign in our name.
"""

from __future__ import annotations

from collections.abc import Mapping

SIGNING = ("LOCKGATE_SIGNING_KEY", "VAULT_TOKEN")
STATE = "LOCKGATE_DATABASE"  # its address may hold a password
_SECRET = frozenset((*SIGNING, STATE, "LOCKGATE_TOKEN", "LOCKGATE_REGISTRY_PASSWORD"))


def for_others(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without our secrets."""
    return {name: value for name, value in environment.items() if name not in _SECRET}
