"""`status`, `rollout status` and `rollout promote` of a home in which three versions answer side by side."""

from __future__ import annotations

import pytest

from lockgate.domain.contests import Contest
from lockgate.domain.events import Action
from lockgate.domain.models import Stage
from lockgate.domain.people import Actor
from lockgate.domain.rollouts import Plan, Signal, Strategy
from lockgate.ports.state import MODELS, VERSIONS
from lockgate.stages.deliver.rollout import advance
from lockgate.testing import builders as a
from lockgate.usecases.publish_routes import publish_rollout
from lockgate.usecases.start_rollout import open_rollout
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world
from tests.integration.cli.command import CommandLine

PLAN = Plan(Strategy.AB, contest=Contest((3,), (0.5, 0.3, 0.2)))


@pytest.fixture
def rollout(elsewhere: CommandLine) -> str:
    """Of version 2, beside version 1 in Production and version 3, which was there before."""
    world: World = open_world(Home(elsewhere.home))
    now = world.clock.now()
    with world.state.write() as tx:
        tx.put(MODELS, a.registered_model(latest_version=3))
        for number, stage in ((1, Stage.PRODUCTION), (2, Stage.NONE), (3, Stage.ARCHIVED)):
            tx.put(VERSIONS, a.version(number, stage=stage))
        was_there = {"action": Action.STAGE_APPLIED, "subject": f"{a.MODEL}/3", "details": {"to": "Production"}}
        tx.record(a.happened(**was_there))
        opened = open_rollout(tx, a.version(2), "production", Actor("ada"), now, plan=PLAN)
        publish_rollout(tx, advance(opened, Signal.READY, now), now)
    return opened.id


def test_every_arm_is_told_and_a_person_may_promote_the_requested_version(elsewhere: CommandLine, rollout: str) -> None:
    assert "versions 2 and 3 at 50%" in elsewhere("status").out
    told = elsewhere("rollout", "status", rollout).out
    for line in ("fewest errors", "version 1 (champion)", "50 % now, goal nothing yet", "20 % now, goal nothing yet"):
        assert line in told
    assert [one["weight"] for one in elsewhere("rollout", "status", rollout, "--json").json["contestants"]] == [0.5, 0.3, 0.2]
    assert elsewhere("rollout", "promote", rollout).code == 0
    assert elsewhere("status", "--json").json["models"][0]["version"] == 2
