"""Where a data plane listens, and how: its options of the command line, the check before it starts, and what Granian is told."""

from __future__ import annotations

import argparse
import logging
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from granian.constants import SSLProtocols

from lockgate.boundary.certificates import check_tls
from lockgate.boundary.exposure import Exposure, Tls, check_exposure
from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import Invalid

_MINIMA = {"1.2": SSLProtocols.tls12, "1.3": SSLProtocols.tls13}

log = logging.getLogger(__name__)


def add_options(asked: argparse.ArgumentParser) -> None:
    asked.add_argument("--public", action="store_true", help="anybody may ask for predictions; all else needs a key")
    asked.add_argument(
        "--plain-http", action="store_true", help="no TLS beyond this machine: it ends at a proxy, or the network is trusted"
    )
    asked.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate, with what chains it to its authority (PEM)")
    asked.add_argument("--tls-key", type=Path, metavar="FILE", help="its private key (PEM, not encrypted)")
    asked.add_argument(
        "--tls-min", choices=tuple(_MINIMA), default="1.2", help="oldest TLS that is spoken (default: %(default)s)"
    )
    asked.add_argument("--tls-client-ca", type=Path, metavar="FILE", help="callers must show a certificate by one of these (PEM)")
    asked.add_argument(
        "--control-ca", type=Path, metavar="FILE", help="authority of an https control plane, if it is a private one"
    )


def take_tls(given: MutableMapping[str, Any]) -> Tls | None:
    """The TLS options, taken out of what was given.

    Raises:
        Invalid: some of them make no sense without others.
    """
    cert, key, client_ca, minimum = (given.pop(f"tls_{name}") for name in ("cert", "key", "client_ca", "min"))
    if cert is None and key is None and client_ca is None:
        return None
    if cert is None or key is None:
        raise Invalid("TLS needs both a certificate and its key", hint="Give --tls-cert FILE and --tls-key FILE.")
    return Tls(cert, key, minimum, client_ca)


def check(exposure: Exposure, keys: Path, clock: Clock) -> None:
    """Raises:
    Invalid: it may not listen there as it was told to, or files of TLS or keys cannot be used.
    """
    check_exposure(exposure, keys)
    if exposure.tls is not None:
        for warning in check_tls(exposure.tls, clock.now()):
            log.warning("tls", extra={"reason": warning})


def granian_options(tls: Tls | None) -> dict[str, Any]:
    """Arguments of Granian's server. Its workers read the files when they start: a new certificate needs new workers."""
    if tls is None:
        return {}
    return {
        "ssl_cert": tls.certificate,
        "ssl_key": tls.key,
        "ssl_protocol_min": _MINIMA[tls.minimum],
        "ssl_ca": tls.client_ca,
        "ssl_client_verify": tls.client_ca is not None,
    }
