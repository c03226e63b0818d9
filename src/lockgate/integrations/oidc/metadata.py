"""What an identity provider says of itself (OpenID Connect Discovery 1.0)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from lockgate.boundary.exposure import is_loopback
from lockgate.kernel.errors import Unavailable

WELL_KNOWN = "/.well-known/openid-configuration"
_BASIC = "client_secret_basic"


@dataclass(frozen=True, slots=True)
class Metadata:
    """takes_basic: whether a client shows its secret by HTTP Basic; else in the body."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    takes_basic: bool


def metadata_of(http: httpx.Client, issuer: str) -> Metadata:
    """What stands at the issuer's well-known address.

    Raises:
        Unavailable: it does not say what it must, or speaks for somebody else.
    """
    found = fetched(http, issuer.rstrip("/") + WELL_KNOWN)
    if found.get("issuer") != issuer:
        hint = "Write `issuer` in oidc.yaml to the letter as the provider does."
        raise Unavailable(f"issuer {str(found.get('issuer'))[:200]!r} found, {issuer!r} expected", hint=hint)
    endpoints = {name: found.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
    for name, value in endpoints.items():
        if not _is_safe(value):
            raise Unavailable(f"{issuer}: {name} {str(value)[:200]!r} found, an https address expected")
    methods = found.get("token_endpoint_auth_methods_supported") or [_BASIC]
    return Metadata(**{name: str(value) for name, value in endpoints.items()}, takes_basic=_BASIC in methods)


def fetched(http: httpx.Client, address: str) -> dict[str, Any]:
    """The JSON object there.

    Raises:
        Unavailable: there is none.
    """
    answer = http.get(address, headers={"accept": "application/json"})
    try:
        found = answer.json() if answer.is_success else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unavailable(f"{address} answers {answer.status_code} and no JSON object", hint="See `issuer` in oidc.yaml.")
    return found


def _is_safe(address: object) -> bool:
    try:
        parts = urlsplit(address if isinstance(address, str) else "")
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
