"""`status`, `rollout status`, `rollout release` and `rollout replay --held-back` of a home that holds a version back."""

from __future__ import annotations

import pytest

from lockgate.domain.models import Stage
from lockgate.domain.people import Actor
from lockgate.domain.rollouts import Plan, Signal, Strategy
from lockgate.ports.state import MODELS, VERSIONS
from lockgate.stages.deliver.rollout import advance
from lockgate.testing import builders as a
from lockgate.usecases.publish_routes import publish_rollout
from lockgate.usecases.start_rollout import open_rollout
from lockgate.usecases.steer_rollout import steer
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world
from tests.integration.cli.command import CommandLine

ADA = Actor("ada")
PLAN = Plan(Strategy.CANARY, (0.5,), hold_back=0.05, held=86400.0)


@pytest.fixture
def rollout(elsewhere: CommandLine) -> str:
    """Of version 2, which was promoted; version 1 keeps 5 % for a day."""
    world: World = open_world(Home(elsewhere.home))
    now = world.clock.now()
    with world.state.write() as tx:
        tx.put(MODELS, a.registered_model(latest_version=2))
        tx.put(VERSIONS, a.version(1, stage=Stage.PRODUCTION))
        tx.put(VERSIONS, a.version(2))
        opened = open_rollout(tx, a.version(2), "production", ADA, now, plan=PLAN)
        publish_rollout(tx, advance(opened, Signal.READY, now), now)
    steer(world, opened.id, Signal.PROMOTE, ADA)
    return opened.id


def test_what_is_held_back_is_told_and_released(elsewhere: CommandLine, rollout: str) -> None:
    status = elsewhere("status", "--json").json["models"][0]
    assert (status["version"], status["share"], status["held_back"], status["held_share"]) == (2, 0.95, 1, 0.05)
    told = elsewhere("rollout", "status", rollout).out
    assert "Version 1 keeps 5 % of requests until" in told
    assert "e = 1, an alarm at 200" in told
    replayed = elsewhere("rollout", "replay", rollout, "--held-back")
    assert (replayed.code, "0 minutes of hold-" in replayed.out) == (0, True)
    released = elsewhere("rollout", "release", rollout, "--reason", "seen enough")
    assert (released.code, released.out) == (0, "version 2 of flight-delay answers everybody. Next: lockgate status\n")
    assert "seen enough" in elsewhere("rollout", "status", rollout).out
    again = elsewhere("rollout", "release", rollout)
    assert (again.code, "version 1 of flight-delay is held back no longer: released" in again.err) == (1, True)


def test_a_rollout_that_left_nothing_behind_says_so(elsewhere: CommandLine, rollout: str) -> None:
    assert elsewhere("rollback", a.MODEL).code == 0
    later = elsewhere("rollout", "status", "--json").json[0]["id"]
    assert later != rollout
    refused = elsewhere("rollout", "release", later)
    assert (refused.code, f"after {later} no version is held back" in refused.err) == (1, True)
    assert elsewhere("rollout", "replay", later, "--held-back").code == 1
