"""A kill: the abort, and the word of every worker that it answers without the version."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lockgate.domain.models import Stage
from lockgate.domain.people import Actor
from lockgate.domain.rollouts import Outcome, Phase, Plan, Rollout, Signal, Strategy
from lockgate.kernel.machine import IllegalSignal
from lockgate.ports.state import MODELS, VERSIONS, WORKERS, Worker
from lockgate.testing import builders as a
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import VirtualClock
from lockgate.testing.state import MemoryState
from lockgate.usecases.find_things import rollout_by
from lockgate.usecases.kill_rollout import Enforcement, followed, kill_rollout
from lockgate.usecases.publish_routes import publish_routes, route_table
from lockgate.usecases.start_rollout import open_rollout
from lockgate.usecases.steer_rollout import give_signal, steer
from lockgate.usecases.world import World

ADA, BEN = Actor("ada"), Actor("ben")
PATIENCE = 5.0


class Site:
    """Version 2 has 5 % of the units; workers `0` and `1` were heard a moment ago."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.world = World(MemoryState(), MemoryArtifacts(), self.clock)
        now = self.clock.now()
        with self.world.state.write() as tx:
            tx.put(MODELS, a.registered_model(latest_version=2))
            tx.put(VERSIONS, a.version(1, stage=Stage.PRODUCTION))
            tx.put(VERSIONS, a.version(2))
            publish_routes(tx, a.MODEL)
            plan = Plan(Strategy.CANARY, (0.05,))
            rollout = open_rollout(tx, a.version(2), "production", ADA, now, plan=plan)
            self.rollout = give_signal(tx, rollout, Signal.READY, ADA, now, Outcome(None)).id
        for name in ("0", "1"):
            self.hear(name)

    def hear(self, name: str) -> None:
        """The worker routes by the table in force, and says so."""
        now = self.clock.now().timestamp()
        with self.world.state.write() as tx:
            said = a.acknowledgement(worker=name, incarnation=name, revision=route_table(tx).revision, applied_at=now)
            tx.put(WORKERS, Worker(name, now, said))

    def pausing(self, **at: str) -> Callable[[float], None]:
        """Lets time pass; a worker is heard at the pause whose number is given: `p3="0"`."""
        pauses = 0

        def pause(seconds: float) -> None:
            nonlocal pauses
            pauses += 1
            self.clock.advance(seconds)
            if (name := at.get(f"p{pauses}")) is not None:
                self.hear(name)

        return pause

    def kill(self) -> Rollout:
        return kill_rollout(self.world, self.rollout, BEN, "smoke")


def told(seen: Enforcement) -> tuple[int, tuple[str, ...], bool]:
    return seen.workers, seen.missing, seen.complete


def test_it_is_told_whenever_one_more_worker_follows_and_ends_with_the_last() -> None:
    site = Site()
    killed = site.kill()
    seen = list(followed(site.world, killed, PATIENCE, site.pausing(p3="0", p10="1")))
    assert [told(one) for one in seen] == [(2, ("0", "1"), False), (2, ("1",), False), (2, (), True)]
    assert seen[-1].at == site.clock.now(), "when the last worker followed"
    assert killed.outcome is not None
    assert (killed.phase, killed.outcome.detail) == (Phase.ABORTED, "smoke")


def test_it_gives_up_in_time_and_names_who_is_missing() -> None:
    site = Site()
    began = site.clock.monotonic()
    seen = list(followed(site.world, site.kill(), PATIENCE, site.pausing(p1="1")))
    assert told(seen[-1]) == (2, ("0",), False)
    assert PATIENCE <= site.clock.monotonic() - began < PATIENCE + 1


def test_a_worker_that_was_not_heard_for_long_is_not_waited_for() -> None:
    site = Site()
    site.clock.advance(9)
    site.hear("1")
    seen = list(followed(site.world, site.kill(), PATIENCE, site.pausing(p1="1")))
    assert told(seen[-1]) == (1, (), True), "worker 0 is believed dead after 10 s"


def test_without_a_worker_nobody_confirms_it() -> None:
    site = Site()
    site.clock.advance(60)
    assert told(list(followed(site.world, site.kill(), PATIENCE, site.pausing()))[-1]) == (0, (), False)


def test_killing_twice_changes_nothing_the_second_time() -> None:
    site = Site()
    assert site.kill() == site.kill()
    with site.world.state.read() as tx:
        assert [event.happened.action.value for event in tx.events(subject=site.rollout)].count("rollout:plan:aborted") == 1


def test_what_was_promoted_is_rolled_back_and_not_killed() -> None:
    site = Site()
    steer(site.world, site.rollout, Signal.PROMOTE, BEN)
    with pytest.raises(IllegalSignal, match="promoted"):
        site.kill()
    with site.world.state.read() as tx:
        assert rollout_by(tx, site.rollout).phase is Phase.PROMOTED
