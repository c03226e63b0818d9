"""Sign-ins under way: how often they may be tried, and what must come back from the identity provider.

All of it is this process's memory, and bounded: whoever was half-way in when the server started again begins anew.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from hmac import compare_digest
from threading import Lock
from urllib.parse import urlsplit

from starlette.requests import Request

from lockgate.boundary.keys import Rate
from lockgate.boundary.limits import Failures
from lockgate.kernel.clock import Clock
from lockgate.ports.identity import Asked, IdentityProvider

TRIES = Rate(per_second=1 / 6, burst=10)  # sign-ins that fail, or begin at the provider, from one address
PATIENCE = 600.0  # seconds that somebody may take at the identity provider
MOST = 1000  # sign-ins under way


@dataclass(frozen=True, slots=True)
class Pending:
    """browser: what its cookie must show, so that nobody can be signed in by a link from somebody else."""

    asked: Asked
    browser: str
    next: str
    return_to: str
    until: float


class SignIns:
    """url: by which browsers reach the server; empty for whatever address they called."""

    def __init__(self, identity: IdentityProvider | None, url: str, clock: Clock) -> None:
        self.identity = identity
        self._url = url.rstrip("/")
        self._clock = clock
        self._addresses = Failures(TRIES)
        self._pending: OrderedDict[str, Pending] = OrderedDict()
        self._lock = Lock()

    def wait(self, peer: str) -> float:
        """Count a try. 0 if it may go on, else the seconds until one may.

        By address alone: who knows a token's id could else keep its owner out. 256 random bits need no more than that.
        """
        with self._lock:
            return self._addresses.wait(peer, self._clock.monotonic())

    def address(self, request: Request) -> str:
        """`https://host:port`, as the browser sees it. The host was checked by the guard."""
        return self._url or f"{request.url.scheme}://{request.headers.get('host', '')}"

    def is_secure(self, request: Request) -> bool:
        """Whether cookies may be kept to TLS."""
        return urlsplit(self.address(request)).scheme == "https"

    def begin(self, asked: Asked, to: str, return_to: str) -> str:
        """What the browser's cookie shall hold until it comes back."""
        browser = secrets.token_urlsafe(32)
        with self._lock:
            self._pending[asked.state] = Pending(asked, browser, to, return_to, self._clock.monotonic() + PATIENCE)
            if len(self._pending) > MOST:
                self._pending.popitem(last=False)
        return browser

    def end(self, state: str, browser: str) -> Pending | None:
        """The sign-in of that state, once: None if there is none, it took too long, or another browser began it."""
        with self._lock:
            pending = self._pending.pop(state, None)
        if pending is None or self._clock.monotonic() >= pending.until:
            return None
        return pending if compare_digest(pending.browser.encode(), browser.encode()) else None


def local(path: str) -> str:
    """The path, if it leads to a page here; else `/`. Browsers take two slashes, of either kind, for another host's beginning."""
    good = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if good else "/"
