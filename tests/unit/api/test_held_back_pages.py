"""What pages and API say of the time after a promotion."""

from __future__ import annotations

import pytest

from lockgate.boundary.observations import Block, Cell, UnitOutcome
from lockgate.domain.holds import Hold
from lockgate.domain.models import Stage
from lockgate.domain.people import Actor
from lockgate.domain.rollouts import JudgePolicy, Phase, Signal
from lockgate.entrypoints.ui.render import number
from lockgate.ports.state import INBOX, MODELS, ROLLOUTS, VERSIONS, Received
from lockgate.testing import builders as a
from lockgate.usecases.advance_rollouts import advance_rollouts
from lockgate.usecases.find_holds import hold_by
from lockgate.usecases.publish_routes import publish_rollout, route_table
from lockgate.usecases.release_hold import release_hold
from lockgate.usecases.steer_rollout import steer
from tests.samples.asgi import Client, client_of
from tests.samples.story import Story

ADA = Actor("ada")
PATH = "/rollouts/rollout-1"


@pytest.fixture
def held(empty: Story) -> Story:
    """Version 2 was promoted by a person; version 1 keeps 5 %."""
    rollout = a.rollout(judge=JudgePolicy(metrics=("errors",), requests_per_unit=1), hold_back=0.05, held=7 * 86400.0, step=1)
    now = empty.clock.now()
    with empty.world.state.write() as tx:
        tx.put(MODELS, a.registered_model(latest_version=2))
        tx.put(VERSIONS, a.version(1, stage=Stage.PRODUCTION))
        tx.put(VERSIONS, a.version(2))
        tx.put(ROLLOUTS, rollout)
        publish_rollout(tx, rollout, now)
    assert steer(empty.world, rollout.id, Signal.PROMOTE, ADA).phase is Phase.PROMOTED
    return empty


@pytest.fixture
def client(held: Story) -> Client:
    return client_of(held)


def hold(story: Story) -> Hold:
    with story.world.state.read() as tx:
        return hold_by(tx, "rollout-1")


def see(story: Story, sequence: int, failing: int) -> None:
    """1,900 answers of version 2, of which so many failed, and 100 of version 1."""
    with story.world.state.write() as tx:
        revision = route_table(tx).revision
        units = tuple(UnitOutcome(10_000 * sequence + key, int(key < failing)) for key in range(1900))
        failures = {"error": failing} if failing else {}
        cells = Cell(a.MODEL, 2, revision, 1900, failures, {}, units=units), Cell(a.MODEL, 1, revision, 100, {}, {})
        block = Block("0", "w", sequence, 0.0, 1.0, cells)
        tx.put(INBOX, Received("0", "w", sequence, block))
    advance_rollouts(story.world, story.judges)


def test_the_rollouts_page_shows_what_its_promotion_left_behind(held: Story, client: Client) -> None:
    see(held, 1, 19)
    page = client.page(PATH).text
    assert "After the promotion" in page
    assert "Version 1 keeps 5 % of units, other ones every day, until 2026-01-12 09:00:00 UTC" in page
    assert f"19 of {number(1900)}" in page
    assert "lockgate rollout release rollout-1" in page
    assert "hold:share:begun" in page


def test_an_open_page_follows_it_and_stops_when_it_is_over(held: Story, client: Client) -> None:
    page = client.page(PATH).text
    tag = page.partition(f"/fragments{PATH}?seen=")[2].partition('"')[0]
    assert tag
    assert client.get(f"/fragments{PATH}?seen={tag}").status == 204
    see(held, 1, 0)
    assert client.get(f"/fragments{PATH}?seen={tag}").status == 200
    release_hold(held.world, "rollout-1", ADA, "seen enough")
    over = client.get(f"/fragments{PATH}?seen={tag}").text
    assert "Version 1 kept 5 % of units until 2026-01-05 09:00:00 UTC: seen enough." in over


def test_the_api_tells_it_too(held: Story, client: Client) -> None:
    see(held, 1, 19)
    told = client.get(f"/api/v1{PATH}").json["held"]
    assert (told["hold"]["baseline"], told["hold"]["weight"], told["hold"]["state"]) == (1, 0.05, "held")
    assert told["hold"]["promoted"]["failed"] == 19
    assert set(told["evidence"]) == {"harm", "harm/errors", "router"}
    assert told["bound"] == pytest.approx(5.298, abs=1e-3)
    assert client.get("/api/v1/rollouts").json["items"][0]["version"] == 2


def test_the_status_names_both_versions_and_their_shares(held: Story, client: Client) -> None:
    (live,) = client.get("/api/v1/status").json["models"]
    assert (live["version"], live["share"], live["held_back"], live["held_share"]) == (2, 0.95, 1, 0.05)
    assert live["held_until"] == "2026-01-12T09:00:00Z"
    release_hold(held.world, "rollout-1", ADA)
    (live,) = client.get("/api/v1/status").json["models"]
    assert (live["share"], live["held_back"], live["held_until"]) == (1.0, None, None)


def test_harm_is_told_with_its_figures(held: Story, client: Client) -> None:
    for sequence in range(1, 9):
        see(held, sequence, 1500)
    assert hold(held).end == "harm"
    page = client.page(PATH).text
    assert "harm after the promotion of version 2: errors 78.95 %" in page
    assert client.get("/api/v1/status").json["models"][0]["version"] == 1
