"""What stood where at a time: by the events that moved it, and by no others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lockgate.kernel.errors import NotFound
from lockgate.ports.state import MODELS, Reader
from lockgate.stages.decide.standing import MOVES, Named, Standing, Standings, Waiting
from lockgate.usecases.find_events import last_event_at
from lockgate.usecases.world import World

PAGE = 20_000  # events at a time


@dataclass(frozen=True, slots=True)
class Past:
    """at: the time asked for. event: the last one that counts, 0 where nothing had happened yet."""

    at: datetime
    event: int
    stages: list[Standing]
    aliases: list[Named]
    requests: list[Waiting]


def look_back(world: World, moment: datetime, model: str | None = None) -> Past:
    """Stages, aliases (so also segments' champions) and open requests as they were then; of one model, if it is named.

    Raises:
        NotFound: nothing was ever said of such a model.
    """
    with world.state.read() as tx:
        if model and tx.get(MODELS, model) is None and not tx.events(model=model, limit=1):
            raise NotFound(f"there never was a model {model!r}", hint="See the models: lockgate models")
        last = last_event_at(tx, moment)
        standings = _folded(tx, last, model)
    return Past(moment, last, standings.stages, standings.aliases, standings.requests)


def _folded(tx: Reader, last: int, model: str | None) -> Standings:
    standings = Standings()
    seq = 0
    while page := tx.events(after=seq, before=last + 1, limit=PAGE, model=model, actions=MOVES):
        standings.follow(event.happened for event in page)
        seq = page[-1].seq
    return standings
