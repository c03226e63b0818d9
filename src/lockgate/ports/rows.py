"""How every store keeps a noun: plain columns to find it by, and its whole self as JSON text.

Stores share this file so that they agree on what may be kept: what a test in memory accepts, a database accepts too, and what
is read is what was kept. Unknown fields of dataclasses are passed over, so that an older lockgate reads what a newer one wrote.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar, cast, get_type_hints

import msgspec

from lockgate.domain.events import Happened
from lockgate.kernel.digest import canonical_json
from lockgate.kernel.errors import Corrupt, Invalid
from lockgate.ports.state import Kind

T = TypeVar("T")

details = msgspec.json.Decoder(dict[str, Any]).decode  # of an event, from the text that `canonical_json` makes of them

_BEYOND = 1 << 63
_encode = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode
_NOT_FINITE = re.compile(rb"\xcb[\x7f\xff][\xf0-\xff]")  # how MessagePack spells NaN and infinities, and seldom anything else


@cache
def column_types(kind: Kind[Any]) -> Mapping[str, type[str | int]]:
    """The fields that an item is found by, key first, each with the plain type of its column."""
    hints = get_type_hints(kind.noun)
    return {field: _plain_type(kind, field, hints[field]) for field in kind.key + kind.asked}


def columns(kind: Kind[T], item: T) -> dict[str, str | int]:
    return {field: plain(kind, field, getattr(item, field)) for field in column_types(kind)}


def key(kind: Kind[Any], values: tuple[str | int, ...]) -> dict[str, str | int]:
    """The key's fields with their values.

    Raises:
        Invalid: their number or their types are not those of the kind's key.
    """
    if len(values) != len(kind.key):
        raise Invalid(f"{kind.name}: {len(values)} values found, a key has {len(kind.key)}: {', '.join(kind.key)}")
    return {field: plain(kind, field, value) for field, value in zip(kind.key, values, strict=True)}


def plain(kind: Kind[Any], field: str, value: Any) -> str | int:
    """The value as its column holds it; an enumeration's member as its text.

    Raises:
        Invalid: items of the kind are not found by that field, or not by such a value.
    """
    expected = column_types(kind).get(field)
    if expected is None:
        raise Invalid(f"{kind.name} are not found by {field!r}, they are by {', '.join(column_types(kind))}")
    if not isinstance(value, expected) or isinstance(value, bool):
        raise Invalid(f"{kind.name}.{field}: {value!r} found, {expected.__name__} expected")
    return _text(f"{kind.name}.{field}", value) if isinstance(value, str) else _number(f"{kind.name}.{field}", value)


def body(kind: Kind[T], item: T) -> bytes:
    """The whole item as JSON.

    Raises:
        Invalid: it holds what JSON cannot spell: foreign objects, NaN, infinities.
    """
    try:
        text = _encode(item)
        if b"null" in text and _may_not_be_finite(item):  # as which JSON's encoder spells NaN and infinities, silently
            json.dumps(msgspec.to_builtins(item, str_keys=True), allow_nan=False)
    except (TypeError, ValueError, OverflowError) as error:
        raise Invalid(f"{kind.name}: {item!r:.200} cannot be kept: {error}", hint="Keep plain, finite values.") from error
    return text


def _may_not_be_finite(item: Any) -> bool:
    """Whether the standard library has to look, which tells NaN from None, at a price: most nouns have a None somewhere."""
    try:
        return _NOT_FINITE.search(_pack(item)) is not None
    except OverflowError:  # integers that MessagePack has no room for
        return True


def item(kind: Kind[T], text: bytes | str) -> T:
    """The item that `body` wrote.

    Raises:
        Corrupt: the text is no such item.
    """
    try:
        return cast("T", _decoder(kind).decode(text))
    except msgspec.DecodeError as error:
        raise Corrupt(
            f"{kind.name}: what is stored is no {kind.noun.__name__}: {error}: {text!r:.200}",
            hint="It was altered, or a newer lockgate wrote it: upgrade.",
        ) from error


def settled(happened: Happened) -> Happened:
    """The event as it will be read again, so that its hash never depends on what JSON cannot tell apart (tuples and lists).

    Raises:
        Invalid: its details or texts hold what cannot be spelled, or its time has no zone.
    """
    if happened.at.tzinfo is None:
        raise Invalid(f"{happened.action}: the time {happened.at} has no zone", hint="Take the time from a kernel.clock.Clock.")
    for name in ("actor", "subject", "model"):
        _text(f"{happened.action}: {name}", getattr(happened, name))
    try:
        return replace(happened, details=details(canonical_json(happened.details)))
    except (TypeError, ValueError) as error:
        raise Invalid(f"{happened.action}: the details cannot be kept: {error}", hint="Keep plain, finite values.") from error


def _text(where: str, value: str) -> str:
    """Text that every database can hold: no NUL, no halves of surrogate pairs."""
    if "\0" in value or not _encodable(value):
        raise Invalid(f"{where}: {value!r:.200} found, text that UTF-8 can spell expected, without NUL")
    return str(value)


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _number(where: str, value: int) -> int:
    if not -_BEYOND <= value < _BEYOND:
        raise Invalid(f"{where}: {value} found, an integer of 64 bits expected")
    return int(value)


def _plain_type(kind: Kind[Any], field: str, hint: Any) -> type[str | int]:
    for plain_type in (str, int):
        if isinstance(hint, type) and issubclass(hint, plain_type):
            return plain_type
    raise TypeError(f"{kind.name}.{field} is {hint}: a field to find by must be str, int or StrEnum")


@cache
def _decoder(kind: Kind[Any]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind.noun)
