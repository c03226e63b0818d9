"""Where a notice goes: a URL, taken apart, and refused if it is none that a notice may go to."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from lockgate.kernel.errors import Invalid

LONGEST = 2048
_PORTS = {"https": 443, "http": 80}
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")
_LONGEST_NAME = 253


@dataclass(frozen=True, slots=True)
class Target:
    """host: a name in small letters, or an address without brackets. named: the policy says that it may be private."""

    secure: bool
    host: str
    port: int
    path: str  # with the query
    named: bool

    @property
    def shown(self) -> str:
        """The host, and the port where it is not the usual one: for people, and the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["https" if self.secure else "http"] else f"{host}:{self.port}"


def parse(url: str, private: Collection[str]) -> Target:
    """No message repeats the URL: its path is often all the secret that there is.

    Raises:
        Invalid: it is no URL that a notice may go to.
    """
    if len(url) > LONGEST or not _PRINTABLE.fullmatch(url):
        raise Invalid(f"a URL of 1 to {LONGEST} printable ASCII characters expected", hint="Write other characters as %xx.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Invalid("the URL cannot be read", hint=_HINT) from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise Invalid(f"a URL with the scheme {parts.scheme[:20]!r} found, https://HOST/… expected", hint=_HINT)
    if "@" in parts.netloc:
        raise Invalid("the URL holds a user or a password", hint="Give what the receiver wants to see as its authorization.")
    if "\\" in parts.netloc or port == 0:
        raise Invalid("the URL cannot be read", hint=_HINT)
    target = _target(parts.scheme, _host(parts.hostname), port or _PORTS[parts.scheme], parts.path, parts.query, private)
    if not target.secure and not target.named:
        raise Invalid(
            f"http://{target.shown} found, https:// expected",
            hint="Only hosts that the policy names under `webhooks.targets` may be called without TLS.",
        )
    return target


_HINT = "Give the receiver's whole address, such as https://hooks.example.org/lockgate"


def _target(scheme: str, host: str, port: int, path: str, query: str, private: Collection[str]) -> Target:
    names = {one.lower() for one in private}
    spelt = f"[{host}]" if ":" in host else host
    named = not names.isdisjoint({host, spelt, f"{spelt}:{port}"})
    return Target(scheme == "https", host, port, (path or "/") + (f"?{query}" if query else ""), named)


def _host(text: str) -> str:
    """In one spelling. What looks like a number must be an address in its usual form, as resolvers read `127.1` too."""
    host = text.lower()
    try:
        address = ip_address(host)
    except ValueError:
        return _name(host)
    if "%" in host:
        raise Invalid("the URL's host is an address with a zone, which is one of this network", hint=_HINT)
    return str(address)


def _name(host: str) -> str:
    last = host.rstrip(".").rpartition(".")[2]
    if len(host) > _LONGEST_NAME or not _NAME.fullmatch(host) or last.isdigit() or last.startswith("0x"):
        raise Invalid("the URL's host is neither a name nor an address", hint=_HINT)
    return host.rstrip(".")
