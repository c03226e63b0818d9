"""By whom people are vouched for here, if by anybody."""

from __future__ import annotations

import stat
from importlib import import_module
from pathlib import Path
from typing import cast

from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import Invalid, MissingExtra
from lockgate.ports.identity import IdentityProvider
from lockgate.project.identity_file import read_identity_file
from lockgate.wiring.home import Home

FILE = "oidc.yaml"
SECRET = "oidc.secret"


def open_identity(home: Home, clock: Clock) -> IdentityProvider | None:
    """The provider that `oidc.yaml` in the home names; None where there is no such file.

    Raises:
        Invalid: it, or the secret beside it, cannot be used. MissingExtra: the library is not here.
    """
    if not (home.folder / FILE).exists():
        return None
    file = read_identity_file(home.folder / FILE)
    secret = _secret(home.secrets / SECRET)
    try:
        found = import_module("lockgate.integrations.oidc.provider")
    except ImportError as error:
        hint = "pip install 'lockgate[oidc]'"
        raise MissingExtra(f"{home.folder / FILE} needs a library that is not here: {error}", hint=hint) from error
    return cast("IdentityProvider", found.OidcProvider(file, secret, clock))


def _secret(path: Path) -> str:
    """The client's secret, which its owner alone may read."""
    try:
        mode, text = stat.S_IMODE(path.stat().st_mode), path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        hint = "Write the client's secret there, as the identity provider shows it; chmod 600."
        raise Invalid(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'no text'}", hint=hint) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Invalid(f"{path} may be used by others than its owner (mode {mode:o})", hint=f"chmod 600 {path}")
    if not text:
        raise Invalid(f"{path} is empty, the client's secret expected")
    return text
