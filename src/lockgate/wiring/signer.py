"""Where the key of the audit log's checkpoints lies here."""

from __future__ import annotations

from pathlib import Path

from lockgate.integrations.local.audit_key import LocalAuditKey
from lockgate.wiring.home import Home


def open_signer(home: Home | Path) -> LocalAuditKey:
    """home: or its folder. Nothing is made before it is needed."""
    here = home if isinstance(home, Home) else Home(home)
    return LocalAuditKey(here.secrets / "audit.key")
