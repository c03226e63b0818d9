"""Where the keys lie here with which this home signs."""

from __future__ import annotations

from pathlib import Path

from lockgate.integrations.local.signing_key import LocalSigningKey
from lockgate.ports.signer import Signer
from lockgate.wiring.home import Home


def open_signer(home: Home | Path) -> LocalSigningKey:
    """Of the audit log's checkpoints. home: or its folder. Nothing is made before it is needed."""
    return LocalSigningKey(_secrets(home) / "audit.key")


def open_release_signer(home: Home | Path) -> Signer:
    """Of what leaves the house: packages, forms, pointers of channels."""
    return LocalSigningKey(_secrets(home) / "release.key")


def _secrets(home: Home | Path) -> Path:
    return (home if isinstance(home, Home) else Home(home)).secrets
