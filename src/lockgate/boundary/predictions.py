"""Prediction ids: what a label needs to be judged by travels inside the id, so that no join can be lost.

An id carries the version, the revision by which the request was assigned, the unit's key, the score, the time, the segment, and a
MAC over all of it and the model's name: it cannot be forged, and it cannot be moved to another model. 56 characters of URL-safe
base 64.

Revision 0.0 marks an answer that no table assigned (asked for by version, without its unit, or in place of a version that
failed): its label tells how good the version is, and is no evidence for or against an arm.
"""

from __future__ import annotations

import struct
from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from binascii import b2a_base64
from hashlib import blake2b
from hmac import compare_digest
from typing import NamedTuple

from lockgate.boundary.routes import Revision
from lockgate.kernel.errors import Invalid

# version u32, epoch u16, n u32, key u64, score f32, answered_at f64, segment u8, serial u24 (tells rows of one instant apart)
_BODY = struct.Struct(">IHIQfdI")
_SERIAL = 24  # bits
_MAC = 8
SIZE = _BODY.size + _MAC  # a multiple of three: base 64 of it needs no padding
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class Prediction(NamedTuple):
    """segment: the place of the request's segment among those that the route declares, from 1; 0 if it is in none."""

    version: int
    revision: Revision
    key: int
    score: float
    answered_at: float
    serial: int
    segment: int = 0


class Mint:
    """Makes the ids of one model."""

    def __init__(self, secret: bytes, model: str) -> None:
        self._keyed = blake2b(digest_size=_MAC, key=secret)  # setting a key costs more than copying what has one
        self._model = model.encode()

    def __call__(self, prediction: Prediction) -> str:
        version, revision, key, score, answered_at, serial, segment = prediction
        last = segment << _SERIAL | serial & (1 << _SERIAL) - 1
        body = _BODY.pack(version, revision.epoch, revision.n, key, score, answered_at, last)
        mac = self._keyed.copy()
        mac.update(body + self._model)
        return b2a_base64(body + mac.digest(), newline=False).translate(_URL_SAFE).decode()


def mint(secret: bytes, model: str, prediction: Prediction) -> str:
    return Mint(secret, model)(prediction)


def read(secret: bytes, model: str, text: str) -> Prediction:
    """The prediction that an id speaks of.

    Raises:
        Invalid: not an id of this model from this home.
    """
    try:
        content = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (Base64Error, ValueError):
        content = b""
    body, mac = content[: _BODY.size], content[_BODY.size :]
    if len(content) != SIZE or not compare_digest(mac, _mac(secret, model, body)):
        raise Invalid(
            f"prediction_id {text[:80]!r} was not given out for model {model!r} here",
            hint="Send the prediction_id exactly as the answer carried it.",
        )
    version, epoch, n, key, score, answered_at, last = _BODY.unpack(body)
    return Prediction(version, Revision(epoch, n), key, score, answered_at, last & (1 << _SERIAL) - 1, last >> _SERIAL)


def segment_place(text: str) -> int:
    """The place of the segment in an id that is known to be one of ours, as in a prediction record: nothing is proven by it."""
    return int(_BODY.unpack(urlsafe_b64decode(text)[: _BODY.size])[-1]) >> _SERIAL


def _mac(secret: bytes, model: str, body: bytes) -> bytes:
    return blake2b(body + model.encode(), digest_size=_MAC, key=secret).digest()
