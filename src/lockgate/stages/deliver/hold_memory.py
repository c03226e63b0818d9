"""What a hold-back remembers of units, so that each counts once in a window: kept by the journal, and folded from it again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from lockgate.domain.holds import Events, Told

MOST_FOLLOWED = 50_000  # units of one window, the first ones: enough to tell a router's fault, and to hold a rate against a limit


@dataclass(slots=True)
class Seen:
    """units: by key, bits of the events that it had. labels: keys that had the judged event. Windows have keys of their own."""

    units: dict[int, int] = field(default_factory=dict)
    labels: set[int] = field(default_factory=set)

    def keep(self, told: Told | Events) -> None:
        for key, bits in told.units:
            self.units[key] = self.units.get(key, 0) | bits
        self.labels.update(told.labels)


@dataclass(slots=True)
class Followed:
    """Units by key: how many requests (or labels) of theirs the promoted version had, and whether one had the event.

    begun: by window, how many there are. closed: windows of which no more are followed.
    """

    units: dict[int, tuple[int, int]] = field(default_factory=dict)
    begun: dict[int, int] = field(default_factory=dict)
    closed: set[int] = field(default_factory=set)

    def keep(self, window: int, visits: Iterable[tuple[int, int, int]], *, closed: bool) -> None:
        if closed:
            self.closed.add(window)
        for key, number, happened in visits:
            had = self.units.get(key)
            if had is None:
                self.begun[window] = self.begun.get(window, 0) + 1
            before, already = had or (0, 0)
            self.units[key] = before + number, already | happened


@dataclass(slots=True)
class Memory:
    """seen: of the whole traffic. inside: of each segment by itself. requests, labels: of sticky units that are followed."""

    seen: Seen = field(default_factory=Seen)
    inside: dict[str, Seen] = field(default_factory=dict)
    requests: Followed = field(default_factory=Followed)
    labels: Followed = field(default_factory=Followed)

    def keep(self, events: Events) -> None:
        self.seen.keep(events)
        if events.inside.units or events.inside.labels:
            self.inside.setdefault(events.segment, Seen()).keep(events.inside)
        told = events.outcomes
        self.requests.keep(events.day, told.requests, closed="requests" in told.closed)
        self.labels.keep(events.day, told.labels, closed="labels" in told.closed)
