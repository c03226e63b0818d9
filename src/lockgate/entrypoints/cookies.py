"""The cookie of a signed-in browser, and the value that its pages prove themselves with.

A browser sends a cookie with whatever asks for it, so a write must also show what only our own pages can read: a value derived
from the cookie, in a header that no other site can set. It needs no place in the state, and the state does not give it away.
"""

from __future__ import annotations

import hmac

from starlette.requests import cookie_parser

SESSION = "lockgate_session"
CSRF_HEADER = "x-lockgate-csrf"


def csrf_of(cookie: str) -> str:
    """64 hexadecimal digits: HMAC-SHA256 under the cookie's 256 random bits."""
    return hmac.new(cookie.encode(), b"lockgate csrf", "sha256").hexdigest()


def proves(shown: str, cookie: str) -> bool:
    """Whether `shown` is the cookie's value. Takes the same time wherever they differ."""
    return hmac.compare_digest(shown.encode(), csrf_of(cookie).encode())


def cookie_in(header: str, name: str) -> str:
    """The cookie's value; empty if there is none. Read as `request.cookies` is, whatever other applications on the host have set:
    of two readings one would send a browser to the sign-in that the other sends it back from.
    """
    return cookie_parser(header).get(name, "")
