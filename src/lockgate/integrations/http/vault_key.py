"""A key in HashiCorp Vault or OpenBao: the transit engine signs with it, and never gives it away (HTTP API, version 1)."""

from __future__ import annotations

import http.client
import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from lockgate.boundary import public_keys
from lockgate.boundary.exposure import is_loopback
from lockgate.kernel.errors import Invalid, Refused, Unavailable

_SECONDS = 10.0  # for one wait
_MOST = 1 << 20  # bytes of an answer
_KIND = "ed25519"


@dataclass(slots=True)
class VaultKey:
    """A ports.signer.Signer. address: of the server. name: of the key, which is of type ed25519. mount: of the engine.

    The newest version of the key when it is first asked for signs as long as this object lives, so that signatures and the public
    key belong together while somebody rotates it.
    """

    address: str
    token: str = field(repr=False)
    name: str
    mount: str = "transit"
    namespace: str = ""
    seconds: float = _SECONDS
    _known: tuple[int, str] | None = field(default=None, repr=False)

    @property
    def public_key(self) -> str:
        return self._key()[1]

    def sign(self, content: bytes) -> str:
        version, public = self._key()
        said = self._asked("POST", "sign", {"input": b64encode(content).decode(), "key_version": version})
        signature = str(said.get("signature", "")).removeprefix(f"vault:v{version}:")
        if not public_keys.genuine(public, content, signature):
            raise Refused(f"{self}: what it gave is no signature of that content by {public}")
        return signature

    def genuine(self, public_key: str, content: bytes, signature: str) -> bool:
        return public_keys.genuine(public_key, content, signature)

    def __str__(self) -> str:
        return f"the key {self.name} in the vault {self.address}"

    def _key(self) -> tuple[int, str]:
        """Its version and its public half."""
        if self._known is None:
            said = self._asked("GET", "keys")
            if said.get("type") != _KIND:
                raise Invalid(f"{self} is of type {str(said.get('type'))!r:.40}, {_KIND} expected")
            versions: Any = said.get("keys")
            known = {int(one): key for one, key in versions.items() if one.isdecimal()} if isinstance(versions, dict) else {}
            newest = max(known, default=0)
            found = known.get(newest)
            if not isinstance(found, dict):
                raise Invalid(f"{self} has no version with a public key")
            self._known = newest, public_keys.understood(f"{public_keys.KIND}{found.get('public_key')}")
        return self._known

    def _asked(self, method: str, what: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        path = f"/v1/{quote(self.mount)}/{what}/{quote(self.name, safe='')}"
        headers = {"x-vault-token": self.token, "x-vault-request": "true"}
        if self.namespace:
            headers["x-vault-namespace"] = self.namespace
        connection = self._connection()
        try:
            connection.request(method, path, msgspec.json.encode(body) if body is not None else None, headers)
            answer = connection.getresponse()
            status, content = answer.status, answer.read(_MOST)
        except (OSError, http.client.HTTPException) as error:
            hint = "See that $VAULT_ADDR is right and the vault unsealed."
            raise Unavailable(f"{self} does not answer: {type(error).__name__}: {error}", hint=hint) from error
        finally:
            connection.close()
        return self._data(status, content)

    def _connection(self) -> http.client.HTTPConnection:
        scheme, host, port = self._server()
        if not self.token:
            raise Invalid(f"{self}: there is no token", hint="Set $VAULT_TOKEN.")
        if scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self.seconds)
        return http.client.HTTPSConnection(host, port, timeout=self.seconds, context=ssl.create_default_context())

    def _server(self) -> tuple[str, str, int | None]:
        """Scheme, host and port. The token never crosses a network in the clear."""
        try:
            parts = urlsplit(self.address)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise self._misplaced() from None
        if not host or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))):
            raise self._misplaced()
        return parts.scheme, host, port

    def _misplaced(self) -> Invalid:
        expected = "https://HOST:PORT expected, or http:// of this machine's loopback"
        return Invalid(f"vault address {self.address!r:.100} found, {expected}", hint="Set $VAULT_ADDR.")

    def _data(self, status: int, content: bytes) -> dict[str, Any]:
        try:
            said = msgspec.json.decode(content, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError):
            said = {}
        data = said.get("data")
        if status != http.HTTPStatus.OK or not isinstance(data, dict):
            told = "; ".join(map(str, said.get("errors") or ())) or "it says no more"
            denied = "The token needs `read` on keys/NAME and `update` on sign/NAME of the transit engine."
            raise Unavailable(f"{self} answers {status}: {told:.500}", hint=denied)
        return data
