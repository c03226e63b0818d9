"""Ids of predictions that a program makes by itself: what a label needs to be judged by travels inside, as in the gateway's.

`KEY.BODY`: the id of the reporter's key (`home` if it shows the home's control token), and 56 characters of URL-safe base 64 with
the fields of `boundary.predictions` and a MAC by the reporter's token. So any process of the program that has the token can send
the label, days later and with nothing remembered, and whoever the id was shown to cannot make another one of it.

Under revision 0.0 stands what no table assigned: its label tells how good the version is, and is no evidence for or against it.
"""

from __future__ import annotations

import re
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from hashlib import blake2b
from hmac import compare_digest
from typing import NamedTuple

from lockgate.kernel.errors import Invalid

HOME = "home"
# version u32, epoch u16, n u32, key u64, score f32, answered_at f64, segment u8, serial u24 (tells rows of one instant apart)
_BODY = struct.Struct(">IHIQfdI")
_SERIAL = 24  # bits
_MAC = 8
_KEY = re.compile(r"lgk_([0-9a-f]{12})_[0-9a-f]{64}", re.ASCII)
_LARGEST = (2.0 - 2.0**-23) * 2.0**127  # of a float in four bytes


class Predicted(NamedTuple):
    """segment: its place among those that the route declares, from 1; 0 for none."""

    version: int
    revision: tuple[int, int]
    key: int
    score: float
    answered_at: float
    serial: int
    segment: int = 0


class Ids:
    """Of one model, by one token."""

    def __init__(self, token: str, model: str) -> None:
        match = _KEY.fullmatch(token)
        self.reporter = match[1] if match else HOME
        self._secret = blake2b(token.encode(), digest_size=32, person=b"lockgate-ids").digest()
        self._model = model.encode()

    def write(self, one: Predicted) -> str:
        last = one.segment << _SERIAL | one.serial & (1 << _SERIAL) - 1
        score = min(max(one.score, -_LARGEST), _LARGEST)
        body = _BODY.pack(one.version, *one.revision, one.key, score, one.answered_at, last)
        return f"{self.reporter}.{urlsafe_b64encode(body + self._mac(body)).decode()}"

    def read(self, text: str) -> Predicted:
        """
        Raises:
            Invalid: it was not given out under this token for this model.
        """  # noqa: D212 - there is nothing else to say
        reporter, _, encoded = text.partition(".")
        try:
            content = urlsafe_b64decode(encoded)
        except (Base64Error, ValueError):
            content = b""
        body, mac = content[: _BODY.size], content[_BODY.size :]
        if len(body) != _BODY.size or not compare_digest(mac, self._mac(body)) or reporter != self.reporter:
            raise Invalid(
                f"prediction_id {text[:100]!r} was not given out for model {self._model.decode()!r} under this token",
                hint="Send the id exactly as the prediction carried it, with the token that the prediction was reported by.",
            )
        version, epoch, n, key, score, answered_at, last = _BODY.unpack(body)
        return Predicted(version, (epoch, n), key, score, answered_at, last & (1 << _SERIAL) - 1, last >> _SERIAL)

    def _mac(self, body: bytes) -> bytes:
        return blake2b(body + self._model, digest_size=_MAC, key=self._secret).digest()
