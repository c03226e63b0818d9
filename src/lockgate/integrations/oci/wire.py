"""Requests to one registry: who we are, once it asks; again when it falters; and never in the clear beyond this machine.

Source: OCI Distribution Specification 1.1, and Docker's token authentication (distribution, `spec/auth/token.md`).
"""

from __future__ import annotations

import http.client
import logging
import os
import re
import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from typing import IO, NamedTuple
from urllib.parse import urlencode, urljoin, urlsplit

import msgspec

from lockgate.boundary.exposure import is_loopback
from lockgate.integrations.oci.credentials import Credentials, credentials_for
from lockgate.integrations.oci.references import Reference
from lockgate.kernel.errors import Invalid, Refused, Unavailable

_PATIENCE = 60.0  # seconds of silence
_PAUSES = (0.5, 2.0)  # seconds before the second and the third attempt
_MOST_REDIRECTS = 4
_FALTERS = frozenset((408, 429, 500, 502, 503, 504))
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_UNAUTHORISED, _FORBIDDEN = 401, 403
_READING = ("GET", "HEAD")
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_TOKEN = re.compile(r"[ -~]*", re.ASCII)  # what a header can hold, and nothing that ends it
_LONGEST = 4 << 20  # bytes of an answer that is read whole
_SHOWN = 300

Body = bytes | Callable[[], IO[bytes]] | None
"""A function is called for each attempt; it opens what is sent."""

log = logging.getLogger(__name__)


class _Token(msgspec.Struct, frozen=True):
    token: str = ""
    access_token: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Wire:
    """For one repository. actions: what is asked for, `pull` or `pull,push`. sleep: how it waits before another attempt."""

    def __init__(self, reference: Reference, actions: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._reference = reference
        self._scope = f"repository:{reference.name}:{actions}"
        self._sleep = sleep
        self._known: Credentials | None = None
        self._authorization: str | None = None
        self._looked = False

    @property
    def base(self) -> str:
        scheme = "https" if self._reference.secure else "http"
        return f"{scheme}://{self._reference.api}/v2/{self._reference.name}/"

    def ask(
        self, method: str, path: str, body: Body = None, headers: Mapping[str, str] | None = None, size: int | None = None
    ) -> Answer:
        """Whatever it answers, read whole. path: below the repository, or an address that the registry gave.

        size: bytes of a body that is a function.

        Raises:
            Unavailable: it cannot be reached, or falters at every attempt. Refused: it does not let us.
        """
        with self.asked(method, path, body, headers, size) as answer:
            content = answer.read(_LONGEST + 1)
            if len(content) > _LONGEST:
                raise Unavailable(f"{self._reference.host}: an answer of more than {_LONGEST} bytes came")
            return Answer(answer.status, answer.headers, content)

    @contextmanager
    def asked(
        self, method: str, path: str, body: Body = None, headers: Mapping[str, str] | None = None, size: int | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """The same, still to be read."""
        url = _joined(self.base, path, self._reference)
        sent = dict(headers or {})
        if size is not None:
            sent["content-length"] = str(size)
        for pause in (*_PAUSES, None):
            exchange, reason = self._attempt(method, url, body, sent)
            if exchange is not None and (exchange.answer.status not in _FALTERS or pause is None):
                with closing(exchange):
                    yield exchange.answer
                return
            if exchange is not None:
                exchange.close()
            if pause is None:
                raise self._unreachable(reason)
            log.info("registry falters", extra={"registry": self._reference.host, "reason": reason})
            self._sleep(pause)

    def _attempt(self, method: str, url: str, body: Body, headers: Mapping[str, str]) -> tuple[_Exchange | None, str]:
        """None, and why, if no answer comes."""
        try:
            exchange = self._followed(method, url, body, headers)
        except ssl.SSLCertVerificationError as error:
            raise Unavailable(f"{self._reference.host} shows no certificate for itself: {error.verify_message}") from error
        except (OSError, http.client.HTTPException) as error:
            return None, f"{type(error).__name__}: {error}"
        return exchange, f"it answers {exchange.answer.status}"

    def _followed(self, method: str, url: str, body: Body, headers: Mapping[str, str]) -> _Exchange:
        """Through a challenge, and through redirects of what is only read. Other hosts are never told who we are."""
        challenged = False
        for _ in range(_MOST_REDIRECTS + 2):
            here = urlsplit(url)[:2] == urlsplit(self.base)[:2]  # scheme, and host with its port
            shown = {"authorization": self._authorization} if here and self._authorization else {}
            exchange = _exchanged(method, url, body, {**headers, **shown})
            answer = exchange.answer
            if answer.status == _UNAUTHORISED and here and not challenged:
                challenged = True
                exchange.close()
                self._authorization = self._answer_to(answer.getheader("www-authenticate") or "")
            elif answer.status in _REDIRECTS and method in _READING:
                exchange.close()
                url = _joined(url, answer.getheader("location") or "", self._reference)
            elif answer.status in (_UNAUTHORISED, _FORBIDDEN):
                exchange.close()
                raise self._refused(answer.status, method)
            else:
                return exchange
        raise Unavailable(f"{self._reference.host} leads from one address to the next without an end")

    def _refused(self, status: int, method: str) -> Refused:
        doing = "read" if method in _READING else "write"
        return Refused(
            f"{self._reference.host} does not let us {doing} {self._reference.name} ({status})",
            hint=f"Log in: docker login {self._reference.host}; or set LOCKGATE_REGISTRY, …_USER and …_PASSWORD.",
        )

    def _answer_to(self, challenge: str) -> str | None:
        """What to show from now on. Raises Unavailable if the registry asks in a way that we do not know."""
        if not self._looked:
            self._known, self._looked = credentials_for(self._reference.host, os.environ), True
        kind, _, rest = challenge.partition(" ")
        if kind.lower() == "basic":
            return _basic(self._known) if self._known is not None else None
        asked = dict(_CHALLENGE.findall(rest))
        if kind.lower() != "bearer" or "realm" not in asked:
            raise Unavailable(f"{self._reference.host} asks who we are in a way that is not known here: {kind!r:.40}")
        return f"Bearer {self._token(asked)}"

    def _token(self, asked: Mapping[str, str]) -> str:
        """By the form of OAuth 2 for an identity token, else by GET, with the password if there is one."""
        url = _joined(self.base, asked["realm"], self._reference)
        fields = {"service": asked.get("service", ""), "scope": self._scope}
        if self._known is not None and self._known.token:
            form = fields | {"grant_type": "refresh_token", "refresh_token": self._known.token, "client_id": "lockgate"}
            kind = {"content-type": "application/x-www-form-urlencoded"}
            exchange = _exchanged("POST", url, urlencode(form).encode(), kind)
        else:
            shown = {"authorization": _basic(self._known)} if self._known is not None else {}
            mark = "&" if urlsplit(url).query else "?"
            exchange = _exchanged("GET", f"{url}{mark}{urlencode(fields)}", None, shown)
        with closing(exchange):
            content, status = exchange.answer.read(_LONGEST), exchange.answer.status
        if status in (_UNAUTHORISED, _FORBIDDEN):
            raise self._refused(status, "GET")
        try:
            found = msgspec.json.decode(content, type=_Token)
        except (msgspec.DecodeError, UnicodeDecodeError):  # its message could repeat the token
            raise Unavailable(f"{self._reference.host} gives no token ({status})") from None
        token = found.token or found.access_token
        if not _TOKEN.fullmatch(token):
            raise Unavailable(f"{self._reference.host} gives a token with which nobody can be asked ({status})")
        return token

    def _unreachable(self, reason: str) -> Unavailable:
        return Unavailable(
            f"the registry {self._reference.host} cannot be reached: {reason:.{_SHOWN}}", hint="Try again when it answers."
        )


class _Exchange(NamedTuple):
    connection: http.client.HTTPConnection
    answer: http.client.HTTPResponse

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


def _exchanged(method: str, url: str, body: Body, headers: Mapping[str, str]) -> _Exchange:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=_PATIENCE)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with body() if callable(body) else nullcontext(body) as content:
            connection.request(method, target, content, {"user-agent": "lockgate", **headers})
        return _Exchange(connection, connection.getresponse())
    except BaseException:
        connection.close()
        raise


def _basic(credentials: Credentials) -> str:
    return "Basic " + b64encode(f"{credentials.user}:{credentials.password}".encode()).decode()


def _joined(base: str, given: str, reference: Reference) -> str:
    """An address that the registry gave, or a path below it. In the clear only between programs of this machine; and no registry
    of another machine leads us to what listens here.

    Raises:
        Invalid: it leads elsewhere, or is no address.
    """
    try:
        url = urljoin(base, given)
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")
    except ValueError:  # of any part of it
        raise _misled(reference, repr(given), "an address") from None
    where = f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")
    if not url.isascii() or not host or parts.username is not None:
        raise _misled(reference, repr(given), "an address")
    if reference.secure and is_loopback(host):
        raise _misled(reference, where, "another machine than this")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise _misled(reference, where, "https")
    return url


def _misled(reference: Reference, found: str, expected: str) -> Invalid:
    return Invalid(f"{reference.host} leads to {found:.100}, {expected} expected", hint="Ask whoever runs the registry.")
