"""Keys of callers: who may ask the data plane for what, and how often. The command line writes them, both towers read them.

A key's text is `lgk_ID_SECRET`, 12 and 64 hexadecimal digits. What is kept is its SHA-256: the secret has 256 random bits, which
nobody guesses, so a slow hash would cost every request and protect nothing. The id is no secret: it finds the key in one step and
stands in logs and events. The hash covers the id too, so no entry can be given another's secret.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from hmac import compare_digest
from typing import Annotated

import msgspec
from msgspec import Meta

from lockgate.kernel.digest import digest_bytes
from lockgate.kernel.errors import Invalid

MOST_KEYS = 10_000
LONGEST_NAME = 100
_TEXT = re.compile(r"lgk_([0-9a-f]{12})_[0-9a-f]{64}", re.ASCII)
_RATE = re.compile(r"(\d{1,7}(?:\.\d{1,6})?)\s*/\s*([smh])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600}

Moment = Annotated[datetime, Meta(tz=True)]


class KeyScope(StrEnum):
    """What a key opens."""

    INFER = "infer"  # predictions, and what a model says of itself
    FEEDBACK = "feedback"  # labels: they decide what a rollout does
    LEARN = "learn"  # rows that change a model that learns
    REPOSITORY = "repository"  # what is loaded here
    METRICS = "metrics"
    SUBSCRIBE = "subscribe"  # what channels point to, and reports of what became of it
    CONTROL = "control"  # a data plane's worker, towards the control plane


WHOLE_SERVER = frozenset({KeyScope.METRICS, KeyScope.CONTROL})  # these concern every model


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many requests per second in the long run, and at most `burst` at once."""

    per_second: Annotated[float, Meta(gt=0, le=1_000_000)]
    burst: Annotated[int, Meta(ge=1, le=1_000_000)]

    @classmethod
    def parse(cls, text: str, burst: int | None = None) -> Rate:
        """`100/s`, `600/m`, `10/h`. burst: what comes in a second if it is None.

        Raises:
            ValueError: it is no rate.
        """
        match = _RATE.fullmatch(text.strip())
        per_second = float(match[1]) / _SECONDS[match[2]] if match else 0.0
        if not 0 < per_second <= 1_000_000:  # noqa: PLR2004 - the field's own bound
            raise ValueError("a number per s, m or h expected, such as 100/s")
        return cls(per_second, burst if burst is not None else max(1, round(per_second)))


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """models: those that it is for; all if there are none. Fields that are not known are refused: they might restrict it."""

    id: Annotated[str, Meta(pattern="^[0-9a-f]{12}$")]
    name: Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
    hash: Annotated[str, Meta(pattern="^sha256:[0-9a-f]{64}$")]
    scopes: Annotated[frozenset[KeyScope], Meta(min_length=1)]
    created_at: Moment
    models: tuple[Annotated[str, Meta(min_length=1)], ...] = ()
    rate: Rate | None = None
    expires_at: Moment | None = None
    revoked_at: Moment | None = None

    def opens(self, text: str) -> bool:
        """Whether `text` is this key. Takes the same time wherever they differ."""
        return compare_digest(self.hash, digest_bytes(text.encode()))

    def covers(self, model: str) -> bool:
        return not self.models or model in self.models

    def ended(self, now: datetime) -> str | None:
        """Why it opens nothing any more; None while it does."""
        if self.revoked_at is not None:
            return f"was revoked at {self.revoked_at:%Y-%m-%d %H:%M} UTC"
        if self.expires_at is not None and now >= self.expires_at:
            return f"expired at {self.expires_at:%Y-%m-%d %H:%M} UTC"
        return None


def closes(keys: Collection[Key]) -> bool:
    """Whether a data plane that has these answers nobody without a key: not if none opens anything of it, ended or not."""
    return not keys or any(key.scopes != {KeyScope.SUBSCRIBE} for key in keys)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keys: Annotated[tuple[Key, ...], Meta(max_length=MOST_KEYS)]


_decoder = msgspec.json.Decoder(_File)


def new_key(
    name: str,
    scopes: Iterable[KeyScope],
    at: datetime,
    *,
    models: Sequence[str] = (),
    rate: Rate | None = None,
    expires_at: datetime | None = None,
) -> tuple[Key, str]:
    """A key and its text, which is nowhere else."""
    number = secrets.token_hex(6)
    text = f"lgk_{number}_{secrets.token_hex(32)}"
    key = Key(number, name, digest_bytes(text.encode()), frozenset(scopes), at, tuple(models), rate, expires_at)
    return key, text


def key_id(text: str) -> str | None:
    """The id of the key whose text this may be; None if it has not the shape of one."""
    match = _TEXT.fullmatch(text)
    return match[1] if match else None


def encode(keys: Sequence[Key]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(_File(tuple(keys)), order="deterministic"), indent=2) + b"\n"


def decode(content: bytes) -> dict[str, Key]:
    """The keys by id, in their order.

    Raises:
        Invalid: this is no file of keys, or one of a later version.
    """
    try:
        found = _decoder.decode(content).keys
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"this is no file of keys: {error}", hint="Keys are made by `lockgate token create`.") from error
    keys = {key.id: key for key in found}
    if len(keys) < len(found):
        raise Invalid("a file of keys names an id twice", hint="Remove one of the two entries.")
    return keys
