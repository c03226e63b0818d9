"""Whose signatures count: public keys, and those that were revoked. A text that people keep, mail and read.

    # who may sign releases
    ed25519:q83v… platform
    revoked ed25519:7M2x… laptop of 2025

To revoke a key that stands in such a file, add a line: a key that is revoked is revoked, wherever else it stands.

A file of it in the data plane's home says that nothing runs there that is not signed by one of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from lockgate.boundary import laying
from lockgate.boundary.public_keys import key_id
from lockgate.kernel.errors import Fault, Invalid, InvalidInput

FILE = "trusted-keys"  # in the data plane's home
MOST = 200  # keys
_REVOKED = "revoked"


class TrustedKey(msgspec.Struct, frozen=True):
    """name: for people. revoked: whatever it signed, at any time, counts no more."""

    key: str
    name: str = ""
    revoked: bool = False


class Trust(msgspec.Struct, frozen=True):
    """Keys in their order, each once."""

    keys: tuple[TrustedKey, ...] = ()

    def by_id(self) -> dict[str, TrustedKey]:
        return {key_id(one.key): one for one in self.keys}


def trusting(keys: Iterable[str]) -> Trust:
    """In these keys, as `ed25519:…`.

    Raises:
        InvalidInput: one is no public key.
    """
    return parse("\n".join(keys))


def together(found: Iterable[TrustedKey]) -> Trust:
    """Of several lists, each key once: revoked if one of them says so."""
    keys: dict[str, TrustedKey] = {}
    for one in found:
        keys[one.key] = _revoked_of(keys.get(one.key, one), one)
    return Trust(tuple(keys.values()))


def parse(text: str, source: str = "trusted keys") -> Trust:
    """
    Raises:
        InvalidInput: lines that are no keys, or a key twice in one standing; all of them at once.
    """  # noqa: D212 - there is nothing else to say
    keys: dict[str, TrustedKey] = {}
    seen: set[tuple[str, bool]] = set()
    faults: list[Fault] = []
    for number, line in enumerate(text.splitlines(), 1):
        content = line.partition("#")[0].strip()
        if not content:
            continue
        try:
            one = _line(content)
        except Invalid as error:
            faults.append(Fault(f"line {number}", error.message, line=number))
            continue
        if (one.key, one.revoked) in seen:
            faults.append(Fault(f"line {number}", f"key {one.key:.60} found twice", line=number))
        seen.add((one.key, one.revoked))
        keys[one.key] = _revoked_of(keys.get(one.key, one), one)
    if len(keys) > MOST:
        faults.append(Fault("keys", f"{len(keys)} keys found, at most {MOST} expected"))
    if faults:
        raise InvalidInput(source, faults, hint="One key a line: `ed25519:BASE64 NAME`, or `revoked ed25519:BASE64 NAME`.")
    return Trust(tuple(keys.values()))


def spelled(trust: Trust) -> str:
    """As `parse` reads it."""
    return "".join(f"{_REVOKED + ' ' if one.revoked else ''}{one.key} {one.name}".strip() + "\n" for one in trust.keys)


def lay_down(folder: Path, trust: Trust | None) -> bool:
    """Write it where the data plane looks, whole or not at all; None: nothing need be signed. Returns whether anything changed.

    Raises:
        OSError: the folder cannot be written.
    """
    return laying.lay_down(folder / FILE, spelled(trust).encode() if trust is not None else None)


def read(path: Path) -> Trust:
    """
    Raises:
        Invalid: it cannot be read. InvalidInput: as `parse`.
    """  # noqa: D212 - there is nothing else to say
    try:
        return parse(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Invalid(f"{path}: the trusted keys cannot be read: {reason}") from error


def _revoked_of(known: TrustedKey, more: TrustedKey) -> TrustedKey:
    """One of two entries of a key: that which revokes it, by the other's name if it has none itself; else the former."""
    kept, other = (more, known) if more.revoked and not known.revoked else (known, more)
    return msgspec.structs.replace(kept, name=kept.name or other.name)


def _line(content: str) -> TrustedKey:
    words = content.split(maxsplit=1)
    revoked = words[0] == _REVOKED and len(words) > 1
    key, _, name = (words[1] if revoked else content).partition(" ")
    key_id(key)
    return TrustedKey(key, name.strip(), revoked)
