"""May the data plane listen where it was told to? Beyond this machine only with keys or declared public, and only encrypted,
unless somebody said that it need not be.

The supervisor of a home asks before it starts anything, and the data plane asks again, because it may be started alone.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from lockgate.boundary.key_file import KeyFile
from lockgate.kernel.errors import Fault, InvalidInput


class Tls(msgspec.Struct, frozen=True):
    """Files in PEM, the key not encrypted. client_ca: callers must show a certificate by one of its authorities."""

    certificate: Path
    key: Path
    minimum: Literal["1.2", "1.3"] = "1.2"
    client_ca: Path | None = None


class Exposure(msgspec.Struct, frozen=True):
    """public: anybody may ask for predictions. plain_http: TLS ends before this server, or the network is trusted.

    control: the control plane's address, to which the control token is sent.
    """

    host: str
    public: bool = False
    plain_http: bool = False
    tls: Tls | None = None
    control: str = "http://127.0.0.1:7070"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it. A name that is not `localhost` may lead anywhere."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_exposure(exposure: Exposure, keys: Path) -> None:
    """keys: the file of keys, which need not be there on loopback.

    Raises:
        InvalidInput: all that keeps the data plane from listening there. Invalid: the file of keys cannot be used.
    """
    file = KeyFile(keys)
    file.refresh()
    who = _who(exposure, file)
    faults = [fault for fault in (who, _how(exposure), _token(exposure)) if fault is not None]
    if faults:
        make = "lockgate token create --name NAME --scope infer makes a key. " if who else ""
        hint = f"{make}On 127.0.0.1 nothing of this is needed."
        raise InvalidInput(f"a data plane that listens on {exposure.host or 'every address'}", faults, hint=hint)


def _who(exposure: Exposure, file: KeyFile) -> Fault | None:
    if is_loopback(exposure.host) or exposure.public or file.closes:
        return None
    found = "only some of the scope subscribe, which opens nothing of it" if file.there else "none"
    return Fault(
        "keys",
        f"keys in {file.path} expected, because other machines can reach this address, and {found} found: "
        "make a key, or say --public if anybody may ask for predictions",
    )


def _how(exposure: Exposure) -> Fault | None:
    if is_loopback(exposure.host) or exposure.tls is not None or exposure.plain_http:
        return None
    return Fault(
        "tls",
        "a certificate expected (--tls-cert, --tls-key): keys and rows would cross the network in the clear; "
        "say --plain-http if TLS ends at a proxy before this server",
    )


def _token(exposure: Exposure) -> Fault | None:
    control = urlsplit(exposure.control)
    if control.scheme != "http" or exposure.plain_http or is_loopback(control.hostname or ""):
        return None
    return Fault(
        "control",
        f"{exposure.control} found, https expected: the control token would cross the network in the clear; "
        "say --plain-http if that network is trusted",
    )
