"""What pages and API say of what stands in Staging."""

from __future__ import annotations

import pytest

from lockgate.domain.models import Stage
from lockgate.domain.people import Actor
from lockgate.domain.projects import After, Environment
from lockgate.domain.rollouts import Outcome, Signal
from lockgate.ports.state import MODELS, PROJECTS, VERSIONS
from lockgate.testing import builders as a
from lockgate.usecases.find_things import version_of
from lockgate.usecases.start_rollout import open_rollout
from lockgate.usecases.steer_rollout import give_signal
from tests.samples.asgi import Client, client_of
from tests.samples.story import Story

ADA = Actor("ada")


@pytest.fixture
def client(empty: Story) -> Client:
    """Version 2 came into Staging a moment ago; Production asks for an hour there."""
    now = empty.clock.now()
    with empty.world.state.write() as tx:
        tx.put(MODELS, a.registered_model(latest_version=2))
        tx.put(VERSIONS, a.version(1, stage=Stage.PRODUCTION))
        tx.put(VERSIONS, a.version(2))
        tx.put(PROJECTS, a.project(environments={"production": Environment(after=After("staging", 3600.0))}))
        opened = open_rollout(tx, version_of(tx, a.MODEL, 2), "staging", ADA, now)
        give_signal(tx, opened, Signal.PROVEN, ADA, now, Outcome(None))
    return client_of(empty)


def test_the_status_tells_since_when_and_from_when_on(client: Client, empty: Story) -> None:
    (model,) = client.get("/api/v1/status").json["models"]
    now = empty.clock.now()
    assert model["staging"] == 2
    staged = model["staged"]
    assert (staged["version"], staged["requests"], staged["failures"]) == (2, 0, 0)
    assert staged["says"] == "nobody asked it anything"
    assert (staged["since"], staged["possible_at"]) == (_spelled(now), _spelled(now.replace(hour=now.hour + 1)))


def _spelled(at: object) -> str:
    return str(at).replace(" ", "T").replace("+00:00", "Z")


def test_the_pages_tell_it_too(client: Client) -> None:
    page = client.get(f"/models/{a.MODEL}").text
    assert "Production possible at" in page
    assert "nobody asked it anything" in page
    assert "Production possible at" in client.get("/").text
