"""The authorization code flow with PKCE, state and nonce (OpenID Connect Core 1.0, section 3.1; RFC 7636), by Authlib.

What the provider says of itself and its keys is read anew for each sign-in: they are rare, and so a key that was withdrawn counts
no more at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.client import OAuth2Client

from lockgate.integrations.oidc.id_token import checked_claims
from lockgate.integrations.oidc.metadata import Metadata, fetched, metadata_of
from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import Refused, Unavailable
from lockgate.ports.identity import Asked, Vouched
from lockgate.project.identity_file import IdentityFile

PATIENCE = 10.0  # seconds for each question


class OidcProvider:
    """A ports.identity.IdentityProvider. secret: that of our client at the provider."""

    def __init__(self, file: IdentityFile, secret: str, clock: Clock) -> None:
        self._file = file
        self._secret = secret
        self._clock = clock

    @property
    def name(self) -> str:
        return self._file.name

    @property
    def create(self) -> bool:
        return self._file.create

    def ask(self, return_to: str) -> Asked:
        state, nonce, verifier = (secrets.token_urlsafe(48) for _ in range(3))
        with self._speaking() as http:
            metadata = metadata_of(http, self._file.issuer)
            address, _ = self._client(http, return_to).create_authorization_url(
                metadata.authorization_endpoint, state=state, nonce=nonce, code_verifier=verifier
            )
        return Asked(address, state, nonce, verifier)

    def vouch(self, asked: Asked, return_to: str, code: str) -> Vouched:
        with self._speaking() as http:
            metadata = metadata_of(http, self._file.issuer)
            answer = self._exchanged(self._client(http, return_to), metadata, asked, code)
            keys = fetched(http, metadata.jwks_uri)
        claims = checked_claims(
            answer, keys, issuer=self._file.issuer, client_id=self._file.client_id, nonce=asked.nonce, now=self._clock.unix()
        )
        return self._vouched(claims)

    def _client(self, http: httpx.Client, return_to: str) -> OAuth2Client:
        return OAuth2Client(
            http,
            client_id=self._file.client_id,
            client_secret=self._secret,
            scope="openid email profile",
            redirect_uri=return_to,
            code_challenge_method="S256",
        )

    def _exchanged(self, client: OAuth2Client, metadata: Metadata, asked: Asked, code: str) -> Mapping[str, Any]:
        sent: dict[str, Any] = {"grant_type": "authorization_code", "code": code, "code_verifier": asked.verifier}
        if metadata.takes_basic:
            sent["auth"] = (self._file.client_id, self._secret)
        else:
            sent |= {"auth": httpx.Auth(), "client_id": self._file.client_id, "client_secret": self._secret}
        try:
            answer: Mapping[str, Any] = client.fetch_token(metadata.token_endpoint, **sent)
        except ValueError:  # whose message is kept out, lest it spell a token
            raise Unavailable(f"{metadata.token_endpoint} answers with no JSON object", hint="Try again later.") from None
        return answer

    def _vouched(self, claims: Mapping[str, Any]) -> Vouched:
        file = self._file
        verified = claims.get("email_verified", file.verified == "assumed") in (True, "true")
        if file.claim == "email" and not verified:
            raise _unverified(claims)
        name = claims.get(file.claim)
        if not isinstance(name, str) or not name:
            hint = "See `claim` in oidc.yaml, and what the provider tells this client."
            raise Refused(f"the id token has no claim {file.claim!r}", hint=hint)
        email = claims.get("email") if verified else None
        return Vouched(
            issuer=file.issuer,
            subject=str(claims["sub"]),
            name=name,
            email=email if isinstance(email, str) else "",
            groups=None if file.groups_claim is None else _groups(claims.get(file.groups_claim)),
        )

    @contextmanager
    def _speaking(self) -> Iterator[httpx.Client]:
        """A connection whose failures are told in our words. What the provider answered may hold secrets: none of it is told."""
        try:
            with httpx.Client(timeout=PATIENCE) as http:
                yield http
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(f"{self._file.issuer} does not answer: {type(error).__name__}", hint="Try again later.") from error
        except OAuth2Error as error:
            hint = "See `client_id` in oidc.yaml and secrets/oidc.secret, or try again."
            raise Refused(f"the identity provider said no: {error.error}", hint=hint) from error


def _unverified(claims: Mapping[str, Any]) -> Refused:
    if "email_verified" in claims:
        return Refused("the identity provider has not verified this e-mail address", hint="Verify it there, then try again.")
    hint = "Let it tell `email_verified`, or write `verified: assumed` into oidc.yaml if nobody can choose an address there."
    return Refused(
        "the identity provider does not say whether this e-mail address is verified; it counts as not verified", hint=hint
    )


def _groups(value: object) -> tuple[str, ...]:
    """None told is none had: whoever left a group loses what it gave."""
    listed = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(one for one in listed if isinstance(one, str) and one)
