"""How a receiver knows that a notice is ours and fresh: Standard Webhooks 1.0.0 (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable

from lockgate.kernel.errors import Invalid

PREFIX = "whsec_"
_BYTES = 32
_FEWEST, _MOST = 24, 64


def new_key() -> str:
    """`whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def check_key(text: str) -> None:
    """Raises:
    Invalid: it is no key of the specification. The message does not repeat it.
    """
    if not _FEWEST <= len(_bytes(text)) <= _MOST:
        raise Invalid(
            f"a webhook's key is {PREFIX} and {_FEWEST} to {_MOST} bytes in base64", hint="Leave it out, and one is made."
        )


def headers(keys: Iterable[str], notice_id: str, at: int, body: bytes) -> dict[str, str]:
    """The three headers of the specification. at: Unix seconds. keys: all that are good now, the newest first."""
    signed = b".".join((notice_id.encode(), str(at).encode(), body))
    signatures = (base64.b64encode(hmac.digest(_bytes(key), signed, hashlib.sha256)).decode() for key in keys)
    return {
        "webhook-id": notice_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def _bytes(key: str) -> bytes:
    try:
        return base64.b64decode(key.removeprefix(PREFIX), validate=True) if key.startswith(PREFIX) else b""
    except binascii.Error:
        return b""
