"""A small OpenID provider over HTTP: discovery, codes, tokens, keys. Whoever asks is signed in at once, as `claims` says."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

from joserfc import jwt
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from lockgate.kernel.clock import Clock
from tests.samples.server import served

CLIENT, SECRET = "lockgate", "s3cret-of-the-client"
Claims = dict[str, Any]
CARL: Claims = {"sub": "s-1", "email": "carl@example.org", "email_verified": True}


class Signatures(JWSRegistry):
    """All that there are, without warnings: this provider can also sign badly."""


@dataclass
class Provider:
    """claims: of who signs in. altered: what becomes of the id token's claims. signed: how they are signed, in place of `key`.

    basic: whether clients show their secret by HTTP Basic. broken: whether it answers for a code with a page.
    """

    clock: Clock
    issuer: str = ""
    claims: Claims = field(default_factory=lambda: dict(CARL))
    key: Key = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "k1", "use": "sig"}))
    algorithm: str = "ES256"
    basic: bool = True
    broken: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)
    altered: Callable[[Claims], Claims] = lambda claims: claims
    signed: Callable[[Claims], str] | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def discovery(self, _request: Request) -> Response:
        told = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_basic" if self.basic else "client_secret_post"],
        }
        return JSONResponse({**told, **self.metadata})

    def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}", 302)

    async def token(self, request: Request) -> Response:
        sent = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        asked = self.codes.pop(sent.get("code", ""), None)
        if not self._is_our_client(request, sent):
            return JSONResponse({"error": "invalid_client"}, 401)
        if (
            asked is None
            or asked["redirect_uri"] != sent["redirect_uri"]
            or _challenge(sent["code_verifier"]) != asked["code_challenge"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(self.clock.unix())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"], **self.claims}
        sign = self.signed or self.sign
        if self.broken:
            return Response(b"<p>no JSON", 200)
        return JSONResponse({"access_token": "at", "token_type": "Bearer", "id_token": sign(self.altered(claims))})

    def keys(self, _request: Request) -> Response:
        encryption = {"kty": "AKP", "kid": "enc", "use": "enc"}
        return JSONResponse({"keys": [encryption, {**self.key.as_dict(private=False), "use": "sig"}]})

    def sign(self, claims: Claims, key: Key | None = None) -> str:
        return jwt.encode({"alg": self.algorithm, "kid": "k1"}, claims, key or self.key, algorithms=[self.algorithm])

    def _is_our_client(self, request: Request, sent: dict[str, str]) -> bool:
        if self.basic:
            shown = base64.b64decode(request.headers.get("authorization", "Basic ").removeprefix("Basic ")).decode()
            return shown == f"{CLIENT}:{SECRET}"
        return (sent.get("client_id"), sent.get("client_secret")) == (CLIENT, SECRET)


def unsigned(claims: Claims) -> str:
    """alg: none."""
    parts = [spelt(b'{"alg":"none"}'), spelt(json.dumps(claims).encode()), ""]
    return ".".join(parts)


def key_of(kind: str) -> Key:
    if kind == "RS256":
        return RSAKey.generate_key(2048, {"kid": "k1"})
    return ECKey.generate_key("P-256", {"kid": "k1"}) if kind == "ES256" else OKPKey.generate_key("Ed25519", {"kid": "k1"})


@contextmanager
def provided(clock: Clock) -> Iterator[Provider]:
    provider = Provider(clock)
    routes = [
        Route("/.well-known/openid-configuration", provider.discovery),
        Route("/authorize", provider.authorize),
        Route("/token", provider.token, methods=["POST"]),
        Route("/keys", provider.keys),
    ]
    with served(Starlette(routes=routes)) as address:
        provider.issuer = address
        yield provider


def _challenge(verifier: str) -> str:
    return spelt(hashlib.sha256(verifier.encode()).digest())


def spelt(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
