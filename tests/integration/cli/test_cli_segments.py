"""`request`, `status`, `versions` and `rollback` of a home whose project lets segments have champions of their own."""

from __future__ import annotations

import pytest

from lockgate.domain.models import Stage
from lockgate.domain.projects import Champions, Environment
from lockgate.domain.rollouts import Plan
from lockgate.ports.state import MODELS, PROJECTS, REQUESTS, VERSIONS, WORKERS, Worker
from lockgate.testing import builders as a
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.publish_routes import publish_routes, route_table
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world
from tests.integration.cli.command import CommandLine, Said

TWO = Champions("field:origin", ("JFK", "LGA"))


@pytest.fixture
def world(elsewhere: CommandLine) -> World:
    """Version 1 in Production, 2 and 3 beside it."""
    made: World = open_world(Home(elsewhere.home))
    with made.state.write() as tx:
        tx.put(MODELS, a.registered_model(latest_version=3))
        for number in (1, 2, 3):
            tx.put(VERSIONS, a.version(number, stage=Stage.PRODUCTION if number == 1 else Stage.NONE))
        tx.put(PROJECTS, a.project(environments={"production": Environment(Plan(), champions=TWO)}))
        publish_routes(tx, a.MODEL)
    return made


def load(world: World) -> None:
    """A worker has loaded what the table names, and the controller looks."""
    now = world.clock.now().timestamp()
    with world.state.write() as tx:
        table = route_table(tx)
        ready = {digest: a.acknowledgement().packages[a.digest("package 1")] for digest in table.digests()}
        said = a.acknowledgement(revision=table.revision, applied_at=now, packages=ready)
        tx.put(WORKERS, Worker(said.incarnation, now, said))
    advance_rollouts(world, Judges())


def ask(lockgate: CommandLine, version: int, segment: str) -> Said:
    return lockgate("request", a.MODEL, str(version), "--to", "Production", "--segment", segment, "--as", "zoe")


def test_a_version_goes_into_a_segment_and_back(elsewhere: CommandLine, world: World) -> None:
    asked = ask(elsewhere, 2, "JFK")
    assert f"{a.MODEL} 2 → Production, segment JFK, waiting for approval" in asked.out
    assert "→ Production, segment JFK (request-" in elsewhere("versions", a.MODEL).out
    approved = elsewhere("approve", asked.out.partition(":")[0], "--as", "ben")
    assert "2 is on its way to Production, segment JFK" in approved.out
    rollout = elsewhere("rollout", "status", "--json").json[0]["id"]
    assert f"{a.MODEL} 2 → production, segment JFK by replace, preparing" in elsewhere("rollout", "status", rollout).out
    assert f"segment JFK: the general champion answers, version 2 at 0 % ({rollout})" in elsewhere("status").out
    load(world)
    assert f"{a.MODEL}: segment JFK: version 2 answers" in elsewhere("status").out
    assert "None, champion of JFK" in elsewhere("versions", a.MODEL).out
    assert "JFK 2" in elsewhere("models").out
    told = elsewhere("status", "--json").json["models"][0]
    assert (told["version"], [(one["segment"], one["champion"]) for one in told["segments"]]) == (1, [("JFK", 2), ("LGA", None)])
    back = elsewhere("rollback", a.MODEL, "--segment", "JFK")
    assert f"segment JFK of {a.MODEL} is back at the general champion, version 1" in back.out
    assert "segment JFK" not in elsewhere("status").out


def test_what_cannot_be_says_what_to_do(elsewhere: CommandLine, world: World) -> None:
    unknown = ask(elsewhere, 2, "SFO")
    assert unknown.code != 0
    assert "segment 'SFO' found, one of JFK, LGA expected (field:origin)" in unknown.err
    assert "lockgate.yaml" in unknown.err
    none = elsewhere("rollback", a.MODEL, "--segment", "LGA")
    assert none.code != 0
    assert "segment 'LGA' of flight-delay has no champion of its own to go back from" in none.err


def test_an_unset_variable_does_not_mean_all_traffic(elsewhere: CommandLine, world: World) -> None:
    for empty in (ask(elsewhere, 2, ""), elsewhere("rollback", a.MODEL, "--segment", "")):
        assert empty.code == 2
        assert "'' found, the name of a segment expected; for all traffic leave --segment out" in empty.err
    with world.state.read() as tx:
        assert tx.find(REQUESTS) == []


def test_a_champion_that_is_not_in_force_is_told(elsewhere: CommandLine, world: World) -> None:
    asked = ask(elsewhere, 2, "JFK")
    elsewhere("approve", asked.out.partition(":")[0], "--as", "ben")
    load(world)
    with world.state.write() as tx:
        tx.put(PROJECTS, a.project(environments={"production": Environment(Plan())}))
        publish_routes(tx, a.MODEL)
    assert "segment JFK: version 2 is not in force, lockgate.yaml does not name the segment any more" in elsewhere("status").out
