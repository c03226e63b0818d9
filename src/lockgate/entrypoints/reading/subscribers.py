"""Who follows which channel, and who embeds which version: what runs there, and how far behind it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lockgate.boundary.routes import Route
from lockgate.domain.models import Stage
from lockgate.domain.subscribers import Subscriber
from lockgate.entrypoints.reading.tones import Tone
from lockgate.entrypoints.reading.words import enumerated
from lockgate.ports.state import SUBSCRIBERS, VERSIONS, Reader
from lockgate.stages.deliver.channels import channels
from lockgate.usecases.publish_routes import route_table

SILENT = 900.0  # seconds without a word, after which a process is not counted as running; longer than the longest pause
SHOWN = 200  # of one model


@dataclass(frozen=True, slots=True)
class Following:
    """One process. kind: embedded or subscriber. channel: which it follows; a wheel follows none, and says its model.

    running: what answers whoever is in no trial. wanted: what should, by the channel; None of a wheel, and of a channel behind
    which nothing stands. behind: it answers otherwise than the channel says, or cannot answer yet with all that has a share.
    """

    channel: str
    host: str
    kind: str
    running: int | None
    ready: tuple[int, ...]
    wanted: int | None
    behind: bool
    revision: str
    faults: tuple[str, ...]
    seen_at: datetime
    silent: bool

    @property
    def state(self) -> str:
        return "silent" if self.silent else "behind" if self.behind else "with faults" if self.faults else "up to date"

    @property
    def tone(self) -> Tone:
        return _TONES[self.state]


_TONES = {"silent": Tone.CALM, "behind": Tone.WAIT, "with faults": Tone.ASK, "up to date": Tone.GOOD}


def following(tx: Reader, now: datetime, model: str | None = None) -> list[Following]:
    """By channel, those that are behind first. model: of which alone; None: of all."""
    found = tx.find(SUBSCRIBERS) if model is None else tx.find(SUBSCRIBERS, model=model)
    routes = channels(route_table(tx), tx.find(VERSIONS, stage=Stage.STAGING.value)) if found else {}
    told = [_following(one, routes, now) for one in found]
    return sorted(told, key=lambda one: (one.channel, one.silent, not one.behind, one.host))


def channel_clauses(found: Sequence[Following]) -> list[str]:
    """`flight-delay@production: 12 follow: version 3 on 11, version 2 on 1; 1 behind, 1 with faults`, one for each channel."""
    by_channel: dict[str, list[Following]] = {}
    for one in found:
        if not one.silent:
            by_channel.setdefault(one.channel, []).append(one)
    return [f"{channel}: {_clause(here)}" for channel, here in by_channel.items()]


def _clause(here: Sequence[Following]) -> str:
    runs = Counter(one.running for one in here)
    named = [f"version {number} on {count}" for number, count in sorted(runs.items(), key=_in_order) if number is not None]
    waiting = [f"nothing on {runs[None]}"] if runs[None] else []
    behind, faulty = sum(one.behind for one in here), sum(bool(one.faults) for one in here)
    what = "embed it" if all(one.kind == "embedded" for one in here) else "follow"
    amiss = ", ".join(f"{count} {said}" for count, said in ((behind, "behind"), (faulty, "with faults")) if count)
    return f"{len(here)} {what}: {enumerated([*named, *waiting])}" + (f"; {amiss}" if amiss else "")


def _in_order(counted: tuple[int | None, int]) -> int:
    return -(counted[0] or 0)


def _following(one: Subscriber, routes: Mapping[str, Route], now: datetime) -> Following:
    said = one.standing
    route = routes.get(said.channel)
    wanted = route.champion.version if route is not None and route.champion is not None else None
    answering = {arm.version for each in route.with_parts for arm in each.arms if arm.weight > 0} if route is not None else set()
    return Following(
        said.channel,
        said.host,
        one.id.partition("/")[0],
        said.running,
        said.ready,
        wanted,
        route is not None and (said.running != wanted or not answering <= set(said.ready)),
        str(said.revision),
        said.faults,
        datetime.fromtimestamp(one.seen_at, UTC),
        now.timestamp() - one.seen_at > SILENT,
    )
