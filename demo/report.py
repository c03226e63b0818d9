"""What the demo tells people as it goes, and what it writes down for machines."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


class Unexpected(Exception):
    """An act did not end as told."""


@dataclass
class Act:
    name: str
    expected: str
    observed: str = ""
    ok: bool = False
    seconds: float = 0.0
    figures: dict[str, Any] = field(default_factory=dict)


class Report:
    """Acts as they happen. On a terminal a line that moves is drawn over; elsewhere only what stays is printed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._moving = False
        self.acts: list[Act] = []
        self.facts: dict[str, Any] = {}

    @contextmanager
    def act(self, name: str, expected: str) -> Iterator[Act]:
        """The body sets `observed`; it raises Unexpected when something is not as told."""
        act = Act(name, expected)
        self.acts.append(act)
        self._print(f"\n{_bold(f'Act {len(self.acts)} · {name}')}\n  {_dim(expected)}")
        started = time.monotonic()
        try:
            yield act
            act.ok = True
        except Unexpected as error:
            act.observed = str(error)
        act.seconds = round(time.monotonic() - started, 1)
        self._print(f"  {_green('✔') if act.ok else _red('✘')} {act.observed} {_dim(f'({act.seconds:.0f} s)')}")
        self.write()
        if not act.ok:
            raise Unexpected(act.observed)

    def say(self, text: str) -> None:
        self._print(f"  · {text}")

    def ran(self, command: str) -> None:
        self._print(f"  {_dim('$ ' + command)}")

    def moving(self, text: str) -> None:
        if sys.stdout.isatty():
            print(f"\r\x1b[2K  {_dim('… ' + text)}", end="", flush=True)
            self._moving = True

    def _print(self, text: str) -> None:
        if self._moving:
            print("\r\x1b[2K", end="")
            self._moving = False
        print(text, flush=True)

    @property
    def ok(self) -> bool:
        return bool(self.acts) and all(act.ok for act in self.acts)

    def write(self) -> None:
        content = {"ok": self.ok, **self.facts, "acts": [asdict(act) for act in self.acts]}
        self._path.write_text(json.dumps(content, indent=2, default=str) + "\n")


def _bold(text: str) -> str:
    return _styled("1", text)


def _dim(text: str) -> str:
    return _styled("2", text)


def _green(text: str) -> str:
    return _styled("32", text)


def _red(text: str) -> str:
    return _styled("31", text)


def _styled(code: str, text: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if sys.stdout.isatty() else text
