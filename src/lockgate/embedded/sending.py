"""Sends reports over HTTP, with the standard library alone. A token goes to the address that was named and to no other."""

from __future__ import annotations

import logging
from enum import Enum
from http.client import HTTPException, HTTPResponse
from io import BufferedReader, RawIOBase
from ipaddress import ip_address
from socket import socket
from time import monotonic
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, ProxyHandler, Request, build_opener

from lockgate.kernel.errors import Invalid

REPORTS = "/reports"
_PATIENCE = 5.0  # seconds
_LONGEST_WORD = 2000  # bytes of a refusal that are read
_TRY_AGAIN = (408, 425, 429)
_SERVER_ERRORS = 500

log = logging.getLogger(__name__)


class Sent(Enum):
    """LATER: nobody took it now, and the same may be taken later."""

    TAKEN = "taken"
    REFUSED = "refused"
    LATER = "later"


class _NoRedirects(HTTPRedirectHandler):
    """A redirect would carry the token to an address that nobody named."""

    def redirect_request(self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str) -> None:  # noqa: ARG002
        return None


class _Until(RawIOBase):
    """What a socket gives until `deadline`, however often a byte comes. A timeout alone begins anew with each."""

    def __init__(self, raw: RawIOBase, connected: socket) -> None:
        self._raw, self._connected = raw, connected
        self._deadline = monotonic() + (connected.gettimeout() or _PATIENCE)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._connected.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(HTTPResponse):
    def __init__(self, sock: socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = BufferedReader(_Until(self.fp.detach(), sock))


def _bounded(http_class: Any) -> Any:
    """Makes the same connections, which wait for a whole answer no longer than their timeout."""

    def connection(host: str, **options: Any) -> Any:
        made = http_class(host, **options)
        made.response_class = _Answer
        return made

    return connection


class _Http(HTTPHandler):
    def do_open(self, http_class: Any, req: Request, **options: Any) -> HTTPResponse:
        return super().do_open(_bounded(http_class), req, **options)


class _Https(HTTPSHandler):
    def do_open(self, http_class: Any, req: Request, **options: Any) -> HTTPResponse:
        return super().do_open(_bounded(http_class), req, **options)


class Sender:
    """url: of the control plane, `https://lockgate.example`."""

    def __init__(self, url: str, token: str, *, plain_http: bool = False) -> None:
        """plain_http: the token may travel unencrypted: the network is trusted.

        Raises:
            Invalid: it is no address that a token may be sent to.
        """
        self._address = _checked(url, plain_http=plain_http).rstrip("/") + REPORTS
        self._token = token
        # A proxy on the way to https sees where a token goes; on the way to http it would see the token.
        direct = [ProxyHandler({})] if urlsplit(url).scheme == "http" else []
        self._open = build_opener(_NoRedirects, _Http, _Https, *direct).open

    def __call__(self, body: bytes, patience: float = _PATIENCE) -> Sent:
        """patience: seconds to be let in, and as many for the whole answer."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        request = Request(self._address, body, headers, method="POST")  # noqa: S310 - checked above
        try:
            with self._open(request, timeout=patience):
                return Sent.TAKEN
        except HTTPError as error:
            with error:
                return self._answered(error)
        except (OSError, HTTPException) as error:
            log.info("a report was not taken now", extra={"address": self._address, "reason": str(error)})
            return Sent.LATER

    def _answered(self, error: HTTPError) -> Sent:
        if error.code in _TRY_AGAIN or error.code >= _SERVER_ERRORS:
            return Sent.LATER
        try:
            said = error.read(_LONGEST_WORD).decode(errors="replace")
        except (OSError, HTTPException):
            said = ""
        why = f"{error.code} {' '.join(said.split()) or error.reason}"
        log.warning("a report was refused: %s", why, extra={"address": self._address, "status": error.code})
        return Sent.REFUSED


def _checked(url: str, *, plain_http: bool) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise Invalid(f"address {url!r:.200} found, one such as https://lockgate.example expected")
    if parts.scheme == "http" and not plain_http and not _loopback(parts.hostname):
        raise Invalid(
            f"address {url!r:.200} found: the token would travel unencrypted",
            hint="Use https, or say plain_http=True where the network is trusted.",
        )
    return url


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
