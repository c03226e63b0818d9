"""A channel over HTTP: the control plane, which holds a question until there is news, or any web server with the same paths."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote, urlsplit

from lockgate.boundary.exposure import is_loopback
from lockgate.client.sources import LARGEST_POINTER, Offered, Stream, check_size
from lockgate.kernel.digest import digits
from lockgate.kernel.errors import Corrupt, Invalid, NotFound, Refused, Unavailable

_LONG_POLL = "x-lockgate-long-poll"
_SILENCE = 15.0  # seconds without a byte, beside what was asked to wait


class HttpSource:
    """url: as `https://models.example.com` or with a folder behind it. token: a key with the scope `subscribe`.

    ca: a file with the authority of the server; the system's authorities if it is None.

    Raises:
        Invalid: this is no such address, or a token would cross a network in the clear.
    """

    def __init__(self, url: str, token: str | None = None, ca: Path | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
            raise Invalid(f"source {_shown(url)!r} found, http://HOST:PORT or https://HOST expected, without a user and a query")
        if token and parts.scheme == "http" and not is_loopback(parts.hostname):
            raise Invalid(f"{url}: a token would cross the network in the clear", hint="Name the server by https://.")
        self._connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(parts.hostname, parts.port, timeout=_SILENCE, context=_trusting(ca))
            if parts.scheme == "https"
            else http.client.HTTPConnection(parts.hostname, parts.port, timeout=_SILENCE)
        )
        self._url = url
        self._prefix = parts.path.rstrip("/")
        self._headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self.waits = False
        self._interrupted = False

    def pointer(self, channel: str, tag: str, wait: float) -> Offered | None:
        path = f"/channels/{quote(channel, safe='@')}.json"
        asked = f"{path}?wait={wait:g}" if self.waits and tag and wait > 0 else path
        with self._asked(asked, {"If-None-Match": f'"{tag}"'} if tag else {}, wait if asked != path else 0.0) as answer:
            self.waits = answer.getheader(_LONG_POLL) is not None
            if answer.status == HTTPStatus.NOT_MODIFIED:
                answer.read()  # to its end, which is here: so the connection serves the next question too
                return None
            self._check(answer, HTTPStatus.OK, channel)
            content = answer.read(LARGEST_POINTER + 1)
            check_size(content, channel)
            return Offered(content, (answer.getheader("etag") or "").removeprefix("W/").strip('"'))

    @contextmanager
    def artifact(self, digest: str, first: int) -> Iterator[Stream]:
        name = digits(digest)
        headers = {"Range": f"bytes={first}-"} if first else {}
        with self._asked(f"/artifacts/{name[:2]}/{name[2:]}", headers, 0.0) as answer:
            if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise Corrupt(f"{self._url} has no more of artifact {digest} than came before")
            if answer.status != HTTPStatus.PARTIAL_CONTENT:
                self._check(answer, HTTPStatus.OK, digest)
                first = 0
            elif not (answer.getheader("content-range") or "").startswith(f"bytes {first}-"):
                raise Corrupt(f"{self._url} answered with another part of artifact {digest} than was asked for")
            size = None if answer.length is None else first + answer.length
            yield Stream(answer, first, size)

    def close(self) -> None:
        self._connection.close()

    def interrupt(self) -> None:
        self._interrupted = True
        connected = self._connection.sock
        if connected is not None:
            with suppress(OSError):
                # That of a TLS socket would end the encryption first, and let who writes meanwhile go on in the clear.
                socket.socket.shutdown(connected, socket.SHUT_RDWR)

    @contextmanager
    def _asked(self, path: str, headers: Mapping[str, str], wait: float) -> Iterator[http.client.HTTPResponse]:
        """The answer while its body is read. A connection whose answer was not read to its end is not used again."""
        answer = self._sent(path, headers, wait)
        try:
            yield answer
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{self._url} broke off: {error}") from error
        finally:
            if not answer.isclosed():
                self._connection.close()
                answer.close()  # it may have outlived the connection

    def _sent(self, path: str, headers: Mapping[str, str], wait: float) -> http.client.HTTPResponse:
        kept_alive = self._connection.sock is not None
        try:
            return self._once(path, headers, wait)
        except (ConnectionError, http.client.RemoteDisconnected) as error:
            if not kept_alive or self._interrupted:
                raise Unavailable(f"{self._url} does not answer: {error}") from error
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{self._url} does not answer: {error}") from error
        try:  # it had been idle and was closed from the other end, as it may be
            return self._once(path, headers, wait)
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{self._url} does not answer: {error}") from error

    def _once(self, path: str, headers: Mapping[str, str], wait: float) -> http.client.HTTPResponse:
        self._connection.timeout = _SILENCE + wait
        try:
            if self._connection.sock is None:
                self._connection.connect()
            self._connection.sock.settimeout(_SILENCE + wait)
            if self._interrupted:  # while it was being connected, when there was nothing to shut down
                raise ConnectionAbortedError("interrupted")
            self._connection.request("GET", self._prefix + path, headers={**self._headers, **headers})
            return self._connection.getresponse()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def _check(self, answer: http.client.HTTPResponse, expected: HTTPStatus, what: str) -> None:
        if answer.status == expected:
            return
        if answer.status == HTTPStatus.NOT_FOUND:
            raise NotFound(f"{self._url} has no {what}")
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            hint = "`lockgate token create --scope subscribe` makes a key."
            raise Refused(f"{self._url} refused {what}: {answer.status}; is the token good for it?", hint=hint)
        raise Unavailable(f"{self._url} answered {what} with {answer.status}")


def _trusting(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (ssl.SSLError, OSError) as error:
        raise Invalid(f"{ca} cannot be used as an authority: {error.strerror or error}", hint="Certificates in PEM.") from error


def _shown(url: str) -> str:
    """Without a password."""
    return url.rpartition("@")[2]
