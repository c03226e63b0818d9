"""One tree of errors. Each says what was found, what was expected and what to do next; none needs a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class LockgateError(Exception):
    """Something went wrong that its reader can do something about.

    `hint` is the next step, in the imperative; it is printed on a line of its own.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class NotFound(LockgateError):
    """The thing that was named does not exist."""


class Conflict(LockgateError):
    """What was asked contradicts what is."""


class Refused(LockgateError):
    """A policy, a gate or a verdict said no."""


class Invalid(LockgateError):
    """The input cannot be understood or breaks its rules."""


class Corrupt(LockgateError):
    """Stored bytes are not what was stored: their digest differs."""


class Unavailable(LockgateError):
    """Something that is needed does not answer now."""


class MissingExtra(LockgateError):
    """A library of an optional extra is needed and not installed."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with an input: where, what was found, what was expected."""

    path: str
    message: str
    file: str | None = None
    line: int | None = None
    suggestion: str | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.file and self.line else f"{self.file}: " if self.file else ""
        where = f"{self.path}: " if self.path else ""
        meant = f" (did you mean {self.suggestion!r}?)" if self.suggestion else ""
        return f"{place}{where}{self.message}{meant}"


class InvalidInput(Invalid):
    """An input with one or more faults, all of them at once."""

    def __init__(self, subject: str, faults: Sequence[Fault], *, hint: str | None = None) -> None:
        self.subject = subject
        self.faults = tuple(faults)
        noun = "fault" if len(self.faults) == 1 else "faults"
        lines = "".join(f"\n  {fault}" for fault in self.faults)
        super().__init__(f"{subject} has {len(self.faults)} {noun}:{lines}", hint=hint)
