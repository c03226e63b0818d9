"""Champions of segments: over REST, on the model's page, on the page of a rollout, on the overview."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lockgate.domain.models import Stage
from lockgate.domain.projects import Champions, Environment
from lockgate.domain.rollouts import Outcome, Plan, Rollout, Signal
from lockgate.entrypoints.reading.words import status_line
from lockgate.ports.state import MODELS, PROJECTS, VERSIONS
from lockgate.testing import builders as a
from lockgate.usecases.find_things import rollout_by
from lockgate.usecases.publish_routes import publish_routes
from lockgate.usecases.steer_rollout import give_signal
from tests.samples.asgi import Client
from tests.samples.story import Story

API = "/api/v1"
ASK = {"model": a.MODEL, "version": 2, "to_stage": "Production", "segment": "JFK"}


@pytest.fixture
def flights(empty: Story) -> Story:
    with empty.world.state.write() as tx:
        tx.put(MODELS, a.registered_model(latest_version=3))
        for number in (1, 2, 3):
            tx.put(VERSIONS, a.version(number, stage=Stage.PRODUCTION if number == 1 else Stage.NONE))
        production = Environment(Plan(), champions=Champions("field:origin", ("JFK", "LGA")))
        tx.put(PROJECTS, a.project(environments={"production": production}))
        publish_routes(tx, a.MODEL)
    return empty


def brought_in(story: Story, client: Client) -> Rollout:
    asked = client.post(f"{API}/requests", ASK).json
    assert client.post(f"{API}/requests/{asked['id']}/approve", actor="ben").status == 200
    found = client.get(f"{API}/rollouts?model={a.MODEL}").json["items"][-1]
    with story.world.state.write() as tx:
        return give_signal(tx, rollout_by(tx, found["id"]), Signal.PROVEN, a.BEN, story.world.clock.now(), Outcome(None))


def test_asked_for_brought_in_and_taken_back_over_rest(flights: Story, client: Client) -> None:
    rollout = brought_in(flights, client)
    told = client.get(f"{API}/rollouts/{rollout.id}").json
    assert (told["segment"], told["version"], told["baseline"], told["falls_back"]) == ("JFK", 2, 1, False)
    assert client.get(f"{API}/requests").json["items"][0]["segment"] == "JFK"
    live = client.get(f"{API}/status").json["models"][0]
    assert [(one["segment"], one["champion"], one["in_force"]) for one in live["segments"]] == [
        ("JFK", 2, True),
        ("LGA", None, True),
    ]
    assert live["segments"][0]["by"] == "ben"
    assert client.get(f"{API}/models/{a.MODEL}").json["aliases"] == {"champion:JFK": 2}
    back = client.post(f"{API}/models/{a.MODEL}/rollback", {"segment": "JFK"}, actor="ben")
    assert (back.status, back.json["falls_back"], back.json["version"]) == (200, True, 1)
    again = client.post(f"{API}/models/{a.MODEL}/rollback", {"segment": "JFK"}, actor="ben")
    assert again.status == 404
    assert "has no champion of its own to go back from" in again.text


def test_a_segment_that_there_is_not_is_a_fault(flights: Story, client: Client) -> None:
    answer = client.post(f"{API}/requests", {**ASK, "segment": "SFO"})
    assert answer.status == 400
    assert "one of JFK, LGA expected" in answer.text


def test_all_traffic_is_no_segment_or_null_and_never_an_empty_name(flights: Story, client: Client) -> None:
    for path, body in ((f"{API}/requests", ASK), (f"{API}/models/{a.MODEL}/rollback", {})):
        assert client.post(path, {**body, "segment": ""}, actor="ben").status == 422
    asked = client.post(f"{API}/requests", {**ASK, "segment": None})
    assert (asked.status, asked.json["segment"], asked.json["by"]) == (201, "", "")
    assert client.post(f"{API}/requests", ASK).json["by"] == "field:origin"


def test_a_champion_of_a_segment_that_is_told_otherwise_by_now_is_not_in_force(flights: Story, client: Client) -> None:
    brought_in(flights, client)
    with flights.world.state.write() as tx:
        production = Environment(Plan(), champions=Champions("field:destination", ("JFK",)))
        tx.put(PROJECTS, a.project(environments={"production": production}))
        publish_routes(tx, a.MODEL)
    (found,) = client.get(f"{API}/status").json["models"][0]["segments"]
    why = "it came in for field:origin, and segments are told by field:destination now"
    assert (found["champion"], found["in_force"], found["withheld"]) == (2, False, why)
    assert f"not in force: {why}" in client.page(f"/models/{a.MODEL}").text


def test_pages_name_the_segment(flights: Story, client: Client) -> None:
    asked = client.post(f"{API}/requests", ASK).json
    assert "Production, segment JFK</strong>" in client.page("/").text
    client.post(f"{API}/requests/{asked['id']}/approve", actor="ben")
    rollout = client.get(f"{API}/rollouts?model={a.MODEL}").json["items"][-1]["id"]
    page = client.page(f"/rollouts/{rollout}").text
    assert "<h1>Version 2 into production, segment JFK</h1>" in page
    assert "compared with the general champion" in page
    page = client.page(f"/models/{a.MODEL}").text
    assert '<h2 id="segments">Segments</h2>' in page
    assert f'<a href="/rollouts/{rollout}">version 2</a> replace' in page
    assert "segment JFK: the general champion answers, version 2 at 0 %" in client.page("/").text


def test_the_general_champion_is_told_without_what_happens_in_a_segment(flights: Story, client: Client) -> None:
    client.post(f"{API}/requests", ASK)
    brought_in_elsewhere = client.get(f"{API}/status").json["models"][0]
    assert (brought_in_elsewhere["version"], brought_in_elsewhere["share"], brought_in_elsewhere["rollout"]) == (1, 1.0, None)


def test_sentences_say_where(flights: Story, client: Client) -> None:
    rollout = brought_in(flights, client)
    assert status_line(rollout, {}) == "Version 2 serves production, segment JFK, in place of version 1."
    back = replace(rollout, version=1, baseline=2, falls_back=True)
    assert status_line(back, {}) == "Segment JFK fell back to the general champion, version 1."
    under_way = a.rollout(segment="JFK", unit="request")
    assert status_line(under_way, {}).startswith("Version 2 takes 5 % of requests of segment JFK;")
