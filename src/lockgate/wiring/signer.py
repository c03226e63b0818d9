"""Where the keys lie here with which this home signs."""

from __future__ import annotations

import os
from pathlib import Path

from lockgate.integrations.http.vault_key import VaultKey
from lockgate.integrations.local.command_key import CommandKey
from lockgate.integrations.local.given_key import PRIVATE, key_in_file, key_in_text
from lockgate.integrations.local.signing_key import LocalSigningKey
from lockgate.ports.signer import Signer
from lockgate.wiring.home import Home

VARIABLE = "LOCKGATE_SIGNING_KEY"
PUBLIC_VARIABLE = "LOCKGATE_SIGNING_PUBLIC_KEY"
_COMMAND, _VAULT = "command:", "vault:"


def open_signer(home: Home | Path) -> LocalSigningKey:
    """Of the audit log's checkpoints. home: or its folder. Nothing is made before it is needed."""
    return LocalSigningKey(_secrets(home) / "audit.key")


def open_release_signer(home: Home | Path) -> Signer:
    """Of what leaves the house: packages, forms, pointers of channels. $LOCKGATE_SIGNING_KEY says which key; see
    docs/explanation/supply-chain.md. Nothing is made, read or asked before it is needed.
    """
    said = os.environ.get(VARIABLE, "").strip()
    if not said:
        return LocalSigningKey(_secrets(home) / "release.key")
    if said.startswith(PRIVATE):
        return key_in_text(said, f"${VARIABLE}")
    if said.startswith(_COMMAND):
        return CommandKey(said.removeprefix(_COMMAND), os.environ.get(PUBLIC_VARIABLE, "").strip())
    if said.startswith(_VAULT):
        return _vault_key(said.removeprefix(_VAULT))
    return key_in_file(Path(said).expanduser())


def _vault_key(said: str) -> VaultKey:
    """As NAME, or MOUNT/NAME where the transit engine is not mounted as `transit`."""
    mount, _, name = said.rpartition("/")
    return VaultKey(
        os.environ.get("VAULT_ADDR", ""),
        os.environ.get("VAULT_TOKEN", ""),
        name,
        mount or "transit",
        os.environ.get("VAULT_NAMESPACE", ""),
    )


def _secrets(home: Home | Path) -> Path:
    return (home if isinstance(home, Home) else Home(home)).secrets
