"""`request`, `versions` and `status` where Production comes after Staging."""

from __future__ import annotations

import pytest

from lockgate.domain.people import Actor
from lockgate.domain.projects import After, Environment
from lockgate.domain.rollouts import Outcome, Signal
from lockgate.ports.state import MODELS, PROJECTS, VERSIONS
from lockgate.testing import builders as a
from lockgate.usecases.find_things import version_of
from lockgate.usecases.start_rollout import open_rollout
from lockgate.usecases.steer_rollout import give_signal
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world
from tests.integration.cli.command import CommandLine

ADA = Actor("ada")


@pytest.fixture
def home(elsewhere: CommandLine) -> World:
    """Two versions, of which the second stands in Staging since now."""
    world = open_world(Home(elsewhere.home))
    now = world.clock.now()
    with world.state.write() as tx:
        tx.put(MODELS, a.registered_model(latest_version=2))
        tx.put(VERSIONS, a.version(1))
        tx.put(VERSIONS, a.version(2))
        tx.put(PROJECTS, a.project(environments={"production": Environment(after=After("staging", 3600.0))}))
        opened = open_rollout(tx, version_of(tx, a.MODEL, 2), "staging", ADA, now)
        give_signal(tx, opened, Signal.PROVEN, ADA, now, Outcome(None))
    return world


@pytest.mark.usefixtures("home")
def test_who_asks_too_early_is_told_what_to_do(elsewhere: CommandLine) -> None:
    refused = elsewhere("request", a.MODEL, "1", "--to", "production")
    assert refused.code == 3
    assert f"{a.MODEL} 1 stands in None, Staging expected for 1h before it comes into Production" in refused.err
    assert f"next: lockgate request {a.MODEL} 1 --to Staging" in refused.err
    early = elsewhere("request", a.MODEL, "2", "--to", "production")
    assert (early.code, "1h there expected" in early.err) == (3, True)


@pytest.mark.usefixtures("home")
def test_since_when_and_from_when_on_is_told(elsewhere: CommandLine) -> None:
    for verb in (["versions", a.MODEL], ["status"]):
        told = elsewhere(*verb).out
        assert "version 2 is in Staging since" in told
        assert "Production possible at" in told
        assert "nobody asked it anything" in told
    assert elsewhere("status", "--json").json["models"][0]["staged"]["version"] == 2
