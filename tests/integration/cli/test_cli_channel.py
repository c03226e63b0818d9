"""`lockgate channel` as somebody types it, the controller that publishes beside it, and a program that follows both."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from lockgate.boundary.pointers import follow
from lockgate.boundary.trust import trusting
from lockgate.client import Subscriber
from lockgate.domain.models import Stage
from lockgate.integrations.local.channels import LocalChannels
from lockgate.ports.state import SUBSCRIBERS, VERSIONS
from lockgate.testing import builders as a
from lockgate.testing import released
from lockgate.usecases.publish_routes import publish_routes
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.signer import open_release_signer
from lockgate.wiring.world import open_world
from tests.contracts.runtime_models import onnx
from tests.contracts.runtime_models.fixture import Fixture
from tests.integration.cli.command import CommandLine
from tests.samples.packaged import keep
from tests.unit.client.following import until

CHANNEL = f"{a.MODEL}@production"


@pytest.fixture(scope="module")
def fixture(tmp_path_factory: pytest.TempPathFactory) -> Fixture:
    return onnx.make(tmp_path_factory.mktemp("onnx"))


@pytest.fixture
def world(elsewhere: CommandLine, fixture: Fixture) -> World:
    """A home with two signed versions, the first of them in Production."""
    world = open_world(Home(elsewhere.home))
    for _ in range(2):
        keep(world, fixture)
    stand(world, 1)
    return world


def stand(world: World, number: int) -> None:
    with world.state.write() as tx:
        for one in tx.find(VERSIONS, model=a.MODEL):
            tx.put(VERSIONS, replace(one, stage=Stage.PRODUCTION if one.version == number else Stage.ARCHIVED))
        publish_routes(tx, a.MODEL)


def test_a_channel_is_listed_shown_and_laid_down_where_a_program_follows_it(
    world: World, elsewhere: CommandLine, fixture: Fixture, tmp_path: Path
) -> None:
    key = open_release_signer(Home(elsewhere.home)).public_key
    with world.state.write() as tx:
        tx.put(SUBSCRIBERS, released.subscriber(standing=released.standing(faults=("no network",))))
    (listed,) = elsewhere("channel", "list", "--json").json
    assert (listed["channel"], listed["revision"], len(listed["followers"])) == (CHANNEL, "0.1", 1)
    shown = elsewhere("channel", "show", CHANNEL).out
    for expected in ("revision 0.1", "champion", "100.00%", "host-1", "no network"):
        assert expected in shown
    site = tmp_path / "site"
    said = elsewhere("channel", "publish", CHANNEL, "--to", str(site))
    assert (said.code, "revision 0.1" in said.out) == (0, True)
    with Subscriber(CHANNEL, site, keys=key, folder=tmp_path / "kept", interval=0.02) as model:
        rows = {name: values[0] for name, values in fixture.rows.items()}
        assert model.predict(rows) == pytest.approx(float(fixture.expected[-1][0][1]), abs=1e-5)
        stand(world, 2)
        assert elsewhere("channel", "publish", CHANNEL, "--to", str(site), "--json").json["revision"] == "0.2"
        until(lambda: model.version == 2)


def test_a_channel_that_is_not_there_is_told(world: World, elsewhere: CommandLine, tmp_path: Path) -> None:
    del world
    for words in (["show", "other@production"], ["publish", "other@production", "--to", str(tmp_path)]):
        said = elsewhere("channel", *words)
        assert said.code == 1
        assert "there is no channel 'other@production'" in said.err
    assert "MODEL@ENVIRONMENT" in elsewhere("channel", "show", "other").err


def test_the_controller_publishes_what_moves_and_goes_on_after_it_was_killed(world: World, elsewhere: CommandLine) -> None:
    store = LocalChannels(elsewhere.home / "channels")
    trust = trusting([open_release_signer(Home(elsewhere.home)).public_key])

    def stands(version: int) -> bool:
        content = store.read(CHANNEL)
        champion = follow(content, CHANNEL, trust).route.champion if content is not None else None
        return champion is not None and champion.version == version

    for version in (1, 2):
        stand(world, version)
        command = [sys.executable, "-m", "lockgate.entrypoints.controller", "--home", str(elsewhere.home)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as controller:
            try:
                until(partial(stands, version), seconds=20)
            finally:
                controller.send_signal(signal.SIGKILL)
