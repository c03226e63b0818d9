"""End a rollout at once, and see that every worker of the data plane has heard of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from lockgate.boundary.routes import Revision
from lockgate.domain.people import Actor
from lockgate.domain.rollouts import Outcome, Phase, Rollout, Signal
from lockgate.stages.deliver.readiness import enforced_at
from lockgate.usecases.find_things import rollout_by
from lockgate.usecases.live_workers import live_workers
from lockgate.usecases.steer_rollout import give_signal
from lockgate.usecases.world import World

_LOOK = 0.02  # seconds between two looks at the workers


@dataclass(frozen=True, slots=True)
class Enforcement:
    """Who routes by the table that ended a rollout. missing: names of live workers that do not yet; at: when the last one did."""

    workers: int
    missing: tuple[str, ...]
    at: datetime | None

    @property
    def complete(self) -> bool:
        """False also while no worker is alive: then nobody can say that the version answers no more."""
        return self.at is not None


def kill_rollout(world: World, rollout_id: str, actor: Actor, reason: str = "") -> Rollout:
    """Abort it; one that was aborted already stays as it is, so that whoever pulls the cord second is told the same.

    Raises:
        NotFound: no such rollout. IllegalSignal: it was promoted; going back is a roll-back.
    """
    now = world.clock.now()
    with world.state.write() as tx:
        rollout = rollout_by(tx, rollout_id)
        if rollout.phase is Phase.ABORTED:
            return rollout
        return give_signal(tx, rollout, Signal.ABORT, actor, now, Outcome(rollout.verdict, detail=reason or "killed"))


def followed(world: World, rollout: Rollout, patience: float, pause: Callable[[float], object]) -> Iterator[Enforcement]:
    """How far the end of a rollout has come: at once, and whenever that changes.

    Ends as soon as every live worker follows, or after `patience` seconds. pause: lets so many seconds pass.
    """
    until = world.clock.monotonic() + patience
    told = seen = enforcement(world, rollout)
    yield seen
    while not seen.complete and world.clock.monotonic() < until:
        pause(_LOOK)
        seen = enforcement(world, rollout)
        if seen != told:
            told = seen
            yield seen


def enforcement(world: World, rollout: Rollout) -> Enforcement:
    """How far the end of a rollout has come, by what the workers acknowledge: no controller need be alive for it."""
    last = rollout.ramp[-1]
    revision = Revision(last.epoch, last.n)
    with world.state.read() as tx:
        workers = live_workers(tx, world.clock.now())
    missing = tuple(sorted(worker.worker for worker in workers if worker.revision < revision))
    at = enforced_at(workers, revision)
    return Enforcement(len(workers), missing, datetime.fromtimestamp(at, UTC) if at is not None else None)
