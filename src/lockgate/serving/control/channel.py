"""A small HTTP client for one thread: one connection, kept alive, opened again when it broke."""

from __future__ import annotations

import http.client
import ssl
from http import HTTPStatus
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from lockgate.kernel.errors import Invalid, Refused, Unavailable

_NEVER = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY})


class Line(Protocol):
    """What Channel is, for whoever only calls."""

    def call(self, method: str, path: str, body: bytes | None = None, content_type: str = "application/json") -> bytes | None: ...

    def close(self) -> None: ...


class Nobody:
    """Where there is no control plane: whatever is told counts as told, so that nothing waits for ever."""

    def call(self, method: str, path: str, body: bytes | None = None, content_type: str = "") -> bytes | None:  # noqa: ARG002
        return None

    def close(self) -> None:
        """There is nothing to close."""


class Channel:
    """Not for two threads at once.

    url: the control plane's address, as `http://127.0.0.1:7070`. timeout: seconds without a byte, above `wait` of a long poll.
    ca: a file with the authority of an https control plane; the system's authorities if it is None.
    """

    def __init__(self, url: str, token: str, timeout: float, ca: Path | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Invalid(f"control plane address {url!r} found, http://HOST:PORT expected")
        self._connection = (
            http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=_trusting(ca))
            if parts.scheme == "https"
            else http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
        )
        self._prefix = parts.path.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}

    def call(self, method: str, path: str, body: bytes | None = None, content_type: str = "application/json") -> bytes | None:
        """The answer's content; None for 204.

        Raises:
            Unavailable: no answer, or one that may be another tomorrow. Refused: this content will never be taken.
        """
        headers = self._headers | ({"Content-Type": content_type} if body is not None else {})
        kept_alive = self._connection.sock is not None
        try:
            return self._once(method, path, body, headers)
        except http.client.RemoteDisconnected as error:
            if not kept_alive:
                raise Unavailable(f"the control plane hung up: {error}") from error
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"the control plane does not answer: {error}") from error
        return self._again(method, path, body, headers)

    def close(self) -> None:
        self._connection.close()

    def _again(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> bytes | None:
        """The connection had been idle and was closed from the other end, as it may be: every call here can be repeated."""
        try:
            return self._once(method, path, body, headers)
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"the control plane does not answer: {error}") from error

    def _once(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> bytes | None:
        try:
            self._connection.request(method, self._prefix + path, body, headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise
        if response.status in _NEVER:
            raise Refused(f"the control plane refused {path}: {response.status} {content[:200]!r}")
        if response.status not in (HTTPStatus.OK, HTTPStatus.NO_CONTENT):
            raise Unavailable(f"the control plane answered {path} with {response.status}")
        return None if response.status == HTTPStatus.NO_CONTENT else content


def _trusting(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (ssl.SSLError, OSError) as error:
        raise Invalid(f"{ca} cannot be used as an authority: {error.strerror or error}", hint="Certificates in PEM.") from error


def pause_after(failures: int, longest: float) -> float:
    """Seconds to wait after so many failures in a row: 0.1, 0.2, 0.4, … up to `longest`."""
    return float(min(longest, 0.1 * 2.0 ** min(failures - 1, 20)))
