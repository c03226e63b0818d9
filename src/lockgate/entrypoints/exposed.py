"""May the control plane listen where it was told to? Beyond this machine only if it knows its callers, and only encrypted, unless
somebody said that it need not be.

`lockgate up` asks before it starts anything, and the control plane asks again, because it may be started alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from lockgate.boundary.exposure import is_loopback
from lockgate.kernel.errors import Fault, InvalidInput
from lockgate.ports.state import State
from lockgate.usecases.recognise_caller import is_closed
from lockgate.wiring.home import Home
from lockgate.wiring.identity import FILE


@dataclass(frozen=True, slots=True)
class Exposed:
    """url: by which browsers reach it, where a proxy stands before it. plain_http: the network between is trusted."""

    host: str = "127.0.0.1"
    url: str = ""
    plain_http: bool = False


def check_exposure(exposed: Exposed, state: State, home: Home) -> None:
    """Nothing, if it may.

    Raises:
        InvalidInput: all that keeps the control plane from listening there.
    """
    faults = [fault for fault in (_address(exposed), _who(exposed, state, home), _how(exposed)) if fault is not None]
    if faults:
        make = "lockgate user add NAME makes a user, lockgate user token NAME what they show."
        hint = f"{make} On 127.0.0.1 nothing of this is needed."
        raise InvalidInput(f"a control plane that listens on {exposed.host or 'every address'}", faults, hint=hint)


def _address(exposed: Exposed) -> Fault | None:
    parts = urlsplit(exposed.url)
    if not exposed.url or (parts.scheme in ("http", "https") and parts.hostname and parts.path in ("", "/") and not parts.query):
        return None
    return Fault("url", f"{exposed.url[:200]!r} found, https://HOST expected, without a path")


def _who(exposed: Exposed, state: State, home: Home) -> Fault | None:
    if is_loopback(exposed.host) or (home.folder / FILE).exists():
        return None
    with state.read() as tx:
        closed = is_closed(tx)
    return None if closed else Fault("users", "other machines can reach this address, and anybody could do anything: make a user")


def _how(exposed: Exposed) -> Fault | None:
    if is_loopback(exposed.host) or exposed.plain_http or urlsplit(exposed.url).scheme == "https":
        return None
    message = "tokens would cross the network in the clear: let TLS end at a proxy, and name its address by --url https://HOST; "
    return Fault("tls", message + "or say --plain-http if the network is trusted")
