"""Find events in the audit log by what they are, whose they are and when they were, wherever in the log that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from lockgate.domain.events import Action, Event
from lockgate.kernel.errors import Invalid
from lockgate.ports.state import Reader


@dataclass(frozen=True, slots=True)
class Sought:
    """What all events found have in common. actions: none named means all. since, until: with their zone, both inclusive."""

    actions: tuple[Action, ...] = ()
    actor: str | None = None
    model: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def actions_like(pattern: str) -> tuple[Action, ...]:
    """Those that `rollout:*` or `*:applied` names; none for "" and `*`, which name all.

    Raises:
        Invalid: there is no such action.
    """
    if pattern in ("", "*"):
        return ()
    found = tuple(action for action in Action if fnmatchcase(action.value, pattern))
    if not found:
        first = sorted({action.value.partition(":")[0] for action in Action})
        hint = f"An action is subject:thing:action, * stands for any text; subjects are {', '.join(first)}."
        raise Invalid(f"no action is like {pattern!r:.100}", hint=hint)
    return found


def find_events(
    tx: Reader, sought: Sought, *, after: int = 0, before: int | None = None, limit: int, newest_first: bool = False
) -> list[Event]:
    """A page of them, between two numbers that are not included."""
    if sought.since is not None:
        since = sought.since
        after = max(after, _last(tx, lambda at: at < since))
    if sought.until is not None:
        behind = last_event_at(tx, sought.until) + 1
        before = behind if before is None else min(before, behind)
    return tx.events(
        after=after,
        before=before,
        limit=limit,
        newest_first=newest_first,
        subject=sought.subject,
        model=sought.model,
        actor=sought.actor,
        actions=sought.actions,
    )


def last_event_at(tx: Reader, moment: datetime) -> int:
    """The number of the last event at or before the moment; 0 where there is none.

    Found by halving, 20 looks in a million: the log is in the order of its times, but for clocks that differ or were set back,
    and then it is one of the places where the time passes the moment.
    """
    return _last(tx, lambda at: at <= moment)


def _last(tx: Reader, early: Callable[[datetime], bool]) -> int:
    newest = tx.events(newest_first=True, limit=1)
    low, high = 0, newest[0].seq if newest else 0
    while low < high:
        middle = (low + high + 1) // 2
        if early(tx.events(after=middle - 1, limit=1)[0].happened.at):
            low = middle
        else:
            high = middle - 1
    return low
