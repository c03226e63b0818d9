"""What holds for every request before any route sees it: who may call from a browser, how much may come, how answers may be used.

The control plane listens on loopback without passwords, so a page in somebody's browser is the likeliest attacker. It is kept out
by the Host header (DNS rebinding), by JSON-only writes (a form cannot send them across origins) and by Sec-Fetch-Site.
"""

from __future__ import annotations

from collections.abc import Collection
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lockgate.entrypoints.api.problems import problem

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
READING = frozenset({"GET", "HEAD", "OPTIONS"})
LARGEST_BODY = 512 * 1024
LARGEST_BLOCK = 16 * 1024 * 1024  # what a worker saw while it could not deliver comes in one block
LARGEST_REPORT = 4 * 1024 * 1024
REPORTS = "/reports"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}


class Guard:
    """hosts: further names that this server is called by; loopback always is among them."""

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()) -> None:
        self._app = app
        self._hosts = LOOPBACK | {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            answer = problem(HTTPStatus.FORBIDDEN, refusal[0], hint=refusal[1])
            await answer(scope, receive, _with_headers(send))
            return
        await self._app(scope, _limited(receive, _limit(scope["path"])), _with_headers(send))

    def _refusal(self, scope: Scope) -> tuple[str, str] | None:
        """Why the request is not let in, and what to do. Probes, workers and subscribers come by other addresses; the
        latter two show a token.
        """
        path = scope["path"]
        if path.startswith(("/health/", "/control/", "/channels/", "/artifacts/")) or path == REPORTS:
            return None
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if _name(host) not in self._hosts:
            known = ", ".join(sorted(self._hosts))
            return f"Host {host!r} found, one of {known} expected", "Call the server by the name that it was bound to."
        if scope["method"] in READING:
            return None
        if not _is_json(headers) and not _is_bare_delete(scope["method"], headers):
            return "a write must be JSON", "Send `Content-Type: application/json`."
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return "another site's page may not write here", "Use the command line or a page of this server."
        return None


def _limit(path: str) -> int:
    if path.startswith("/control/"):
        return LARGEST_BLOCK
    return LARGEST_REPORT if path == REPORTS else LARGEST_BODY


def _is_json(headers: Headers) -> bool:
    return headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def _is_bare_delete(method: str, headers: Headers) -> bool:
    """Without a body there is nothing to be JSON. A browser asks before it sends another site's DELETE, and gets no leave."""
    return method == "DELETE" and "content-type" not in headers


def _name(host: str) -> str:
    """`127.0.0.1:7070` → `127.0.0.1`, `[::1]:7070` → `[::1]`."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()


def _limited(receive: Receive, limit: int) -> Receive:
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {limit} bytes")
        return message

    return counted


def _with_headers(send: Send) -> Send:
    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sender
