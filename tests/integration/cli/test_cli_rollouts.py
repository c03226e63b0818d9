"""`rollout approve` and `rollout kill` on a home with a data plane that says what it is told to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lockgate.boundary.routes import Revision
from lockgate.domain.models import Stage
from lockgate.domain.people import Actor
from lockgate.domain.rollouts import Phase, Plan, Rollout, Strategy
from lockgate.ports.state import MODELS, ROLLOUTS, VERSIONS, WORKERS, Worker
from lockgate.testing import builders as a
from lockgate.usecases.find_things import rollout_by
from lockgate.usecases.publish_routes import publish_routes, route_table
from lockgate.usecases.start_rollout import open_rollout
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world
from tests.integration.cli.command import CommandLine

PLAN = Plan(Strategy.CANARY, (0.05, 0.25), yes=(0, 2))


@pytest.fixture
def home(elsewhere: CommandLine) -> tuple[World, Rollout]:
    """A canary at its first step."""
    world = open_world(Home(elsewhere.home))
    now = world.clock.now()
    with world.state.write() as tx:
        tx.put(MODELS, a.registered_model(latest_version=2))
        tx.put(VERSIONS, a.version(1, stage=Stage.PRODUCTION))
        tx.put(VERSIONS, a.version(2))
        publish_routes(tx, a.MODEL)
        rollout = replace(open_rollout(tx, a.version(2), "production", Actor("dan"), now, plan=PLAN), step=0)
        tx.put(ROLLOUTS, replace(rollout, phase=Phase.PROGRESSING))
    return world, rollout


def awaits(world: World, rollout: Rollout) -> None:
    with world.state.write() as tx:
        tx.put(ROLLOUTS, replace(rollout_by(tx, rollout.id), phase=Phase.AWAITING))


def worker(world: World, name: str, *, ahead: bool) -> None:
    """One that was heard a moment ago. ahead: it routes by whatever table is in force a little later, too."""
    now = datetime.now(UTC).timestamp()  # noqa: TID251 - the home's clock is the machine's
    with world.state.write() as tx:
        revision = Revision(9, 9) if ahead else route_table(tx).revision
        said = a.acknowledgement(worker=name, incarnation=f"{name}-a", revision=revision, applied_at=now + 0.05)
        tx.put(WORKERS, Worker(said.incarnation, now, said))


def test_two_people_say_yes_to_the_step_that_is_asked_for(elsewhere: CommandLine, home: tuple[World, Rollout]) -> None:
    world, rollout = home
    early = elsewhere("rollout", "approve", rollout.id, "--as", "ben")
    assert early.code == 1
    assert "is progressing: it asks for nobody's yes" in early.err
    awaits(world, rollout)
    assert f"Next: lockgate rollout approve {rollout.id} --share 25%" in elsewhere("rollout", "status", rollout.id).out
    refused = elsewhere("rollout", "approve", rollout.id, "--as", "dan")
    assert (refused.code, "dan is the requester of rollout" in refused.err) == (3, True)
    assert elsewhere("rollout", "approve", rollout.id, "--as", "ben", "--share", "5%").code == 1
    assert elsewhere("rollout", "approve", rollout.id, "--as", "ben", "--share", "five").code == 2
    first = elsewhere("rollout", "approve", rollout.id, "--as", "ben", "--share", "25%", "--comment", "fine")
    assert (first.code, "ben said yes to its step of 25 %, 1 more must" in first.out) == (0, True)
    second = elsewhere("rollout", "approve", rollout.id, "--as", "cleo")
    assert (second.code, "is progressing at 25%" in second.out) == (0, True)
    assert elsewhere("rollout", "status", rollout.id, "--json").json["approvals"][0]["comment"] == "fine"


def test_a_kill_says_how_long_the_last_worker_took(elsewhere: CommandLine, home: tuple[World, Rollout]) -> None:
    world, rollout = home
    worker(world, "0", ahead=True)
    worker(world, "1", ahead=True)
    killed = elsewhere("rollout", "kill", rollout.id, "--reason", "smoke")
    assert killed.code == 0
    assert "all of 2 workers answer without it" in killed.out
    assert "waiting for the workers" in killed.err
    with world.state.read() as tx:
        ended = rollout_by(tx, rollout.id)
        assert ended.outcome is not None
        assert (ended.phase, ended.outcome.detail) == (Phase.ABORTED, "smoke")
    again = elsewhere("rollout", "kill", rollout.id, "--json")
    assert (again.code, again.json["enforcement"]["missing"]) == (0, [])


def test_a_kill_names_the_workers_that_do_not_follow(elsewhere: CommandLine, home: tuple[World, Rollout]) -> None:
    world, rollout = home
    worker(world, "0", ahead=True)
    worker(world, "1", ahead=False)
    killed = elsewhere("rollout", "kill", rollout.id, "--wait", "0.1")
    assert killed.code == 1
    assert "not confirmed within 0.1 s: 1 of 2 workers" in killed.out


def test_a_kill_that_nobody_can_confirm_says_so(elsewhere: CommandLine, home: tuple[World, Rollout]) -> None:
    _, rollout = home
    killed = elsewhere("rollout", "kill", rollout.id, "--wait", "0.1")
    assert (killed.code, "no worker was heard of lately" in killed.out) == (1, True)
