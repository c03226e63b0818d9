"""A gateway's access over a real file of keys, and callers with headers, for tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from lockgate.boundary.key_file import KEY_FILE, KeyFile
from lockgate.boundary.keys import Key, KeyScope, Rate, new_key
from lockgate.integrations.local.keys import LocalKeys
from lockgate.serving.gateway.access import LOOK_EVERY, Access
from lockgate.serving.gateway.ratelimit import SharedLimits
from lockgate.serving.protocol.problems import Answer
from lockgate.testing.clock import VirtualClock

INFER, FEEDBACK = "/v2/models/delays/infer", "/v2/models/delays/feedback"


class Headers:
    def __init__(self, items: Sequence[tuple[str, str]]) -> None:
        self._items = items

    def get(self, key: str, default: None = None, /) -> str | None:
        return next(iter(self.get_all(key)), default)

    def get_all(self, key: str, /) -> list[str]:
        return [value for name, value in self._items if name == key]


@dataclass
class Caller:
    """One request."""

    path: str
    items: Sequence[tuple[str, str]] = ()
    query_string: str = ""
    client: str = "10.0.0.9:4711"
    method: str = "POST"

    @property
    def headers(self) -> Headers:
        return Headers(self.items)


def bearing(text: str, path: str = INFER, **more: Any) -> Caller:
    return Caller(path, [("authorization", f"Bearer {text}")], **more)


@dataclass
class KeyDesk:
    """A folder of secrets, and a gateway that follows its file of keys."""

    folder: Path
    clock: VirtualClock
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def store(self) -> LocalKeys:
        return LocalKeys(self.folder / KEY_FILE)

    def add(self, name: str, *scopes: KeyScope, lifetime: float | None = None, rate: Rate | None = None, model: str = "") -> str:
        """Puts a key into the file; its text."""
        now = self.clock.now()
        ends = now + timedelta(seconds=lifetime) if lifetime is not None else None
        models = [model] if model else []
        key, text = new_key(name, scopes or [KeyScope.INFER], now, models=models, rate=rate, expires_at=ends)
        self.store.write([*(self.store.read() or ()), key])
        return text

    def revoke(self, name: str, at: datetime) -> None:
        keys = self.store.read() or ()
        self.store.write([msgspec.structs.replace(key, revoked_at=at) if key.name == name else key for key in keys])

    def key(self, name: str) -> Key:
        return next(key for key in self.store.read() or () if key.name == name)

    def access(self, host: str = "0.0.0.0", *, public: bool = False) -> Access:  # noqa: S104 - nothing is bound
        def count(name: str) -> None:
            self.counts[name] += 1

        file, limits = KeyFile(self.folder / KEY_FILE), SharedLimits(self.folder / "limits")
        return Access(file, limits, self.clock, count, host=host, public=public)

    def look_again(self, access: Access) -> None:
        self.clock.advance(LOOK_EVERY)
        access.refresh()


def ask(access: Access, caller: Caller) -> int:
    """The status that the caller gets; 200 if it is let in."""
    answer = access.refusal(caller) if access.closed else None
    return answer.status if answer is not None else 200


def refused(access: Access, caller: Caller) -> tuple[Answer, dict[str, str], str]:
    """The answer that keeps the caller out, its headers, and what it says."""
    answer = access.refusal(caller)
    assert answer is not None
    return answer, dict(answer.headers), msgspec.json.decode(answer.body)["detail"]
