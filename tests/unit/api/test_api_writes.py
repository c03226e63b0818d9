"""What people ask of the REST API: requests, decisions, a hand on rollouts."""

from __future__ import annotations

from typing import Any

import pytest

from lockgate.domain.models import Stage
from lockgate.ports.state import VERSIONS
from tests.samples.asgi import Client
from tests.samples.story import MODEL, Behaviour, Story, first_version, proven_canary, register

API = "/api/v1"
ASK = {"model": MODEL, "version": 1, "to_stage": "Production"}


@pytest.fixture
def registered(empty: Story) -> Story:
    register(empty, auc=0.671, months=[1, 2], commit="3f1c9a7e2b60")
    return empty


def asked(client: Client, **body: Any) -> Any:
    answer = client.post(f"{API}/requests", {**ASK, **body})
    assert answer.status == 201, answer.text
    return answer.json


def test_one_asks_another_approves(registered: Story, client: Client) -> None:
    request = asked(client, comment="ready")
    assert (request["state"], request["requester"], request["comment"]) == ("open", "ann", "ready")
    answer = client.post(f"{API}/requests/{request['id']}/approve", {"comment": "go"}, actor="ben")
    assert answer.status == 200
    assert answer.json["state"] == "approved"
    rollouts = client.get(f"{API}/rollouts?model={MODEL}").json["items"]
    assert [one["request"] for one in rollouts] == [request["id"]]


def test_the_name_is_recorded_as_not_authenticated(registered: Story, client: Client) -> None:
    asked(client)
    event = client.get(f"{API}/events?model={MODEL}").json["items"][-1]
    assert (event["action"], event["actor"], event["authenticated"]) == ("request:transition:created", "ann", False)


def test_nobody_approves_their_own(registered: Story, client: Client) -> None:
    request = asked(client)
    answer = client.post(f"{API}/requests/{request['id']}/approve", actor="ann")
    assert answer.status == 403
    assert answer.json["hint"]


def test_reject_and_cancel(registered: Story, client: Client) -> None:
    first = asked(client)
    assert client.post(f"{API}/requests/{first['id']}/reject", {"comment": "no"}, actor="ben").json["state"] == "rejected"
    second = asked(client)
    assert client.post(f"{API}/requests/{second['id']}/cancel", actor="ann").json["state"] == "cancelled"


def test_a_decided_request_is_a_conflict(registered: Story, client: Client) -> None:
    request = asked(client)
    client.post(f"{API}/requests/{request['id']}/reject", actor="ben")
    assert client.post(f"{API}/requests/{request['id']}/approve", actor="carl").status == 409


@pytest.mark.parametrize("actor", [None, "", " ", "x" * 101, "a\x07b", "policy", "Controller", "watch"])
def test_a_write_says_who_acts(registered: Story, client: Client, actor: str | None) -> None:
    answer = client.post(f"{API}/requests", ASK, actor=actor)
    assert answer.status == 422
    assert answer.json["errors"][0]["field"] == "x-lockgate-actor"


def test_a_name_may_have_any_letters(registered: Story, client: Client) -> None:
    assert client.post(f"{API}/requests", ASK, actor="Åsa Ødegård").json["requester"] == "Åsa Ødegård"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"version": 1, "to_stage": "Staging"}, "model"),
        ({**ASK, "version": 0}, "version"),
        ({**ASK, "version": "one"}, "version"),
        ({**ASK, "to_stage": "production"}, "to_stage"),
        ({**ASK, "note": "?"}, "note"),
    ],
)
def test_a_fault_names_its_field(registered: Story, client: Client, body: dict[str, Any], field: str) -> None:
    answer = client.post(f"{API}/requests", body)
    assert answer.status == 422
    assert [one["field"] for one in answer.json["errors"]] == [field]
    assert answer.headers["content-type"] == "application/problem+json"


def test_what_is_no_json_is_said_so(client: Client) -> None:
    broken = client.post(f"{API}/requests", b"{", actor="ann")
    [fault] = broken.json["errors"]
    assert (broken.status, fault["field"]) == (422, "body")
    assert fault["message"].startswith("no JSON: ")


def test_a_comment_is_kept(registered: Story, client: Client) -> None:
    answer = client.post(f"{API}/models/{MODEL}/versions/1/comments", {"text": "looks fine"})
    assert answer.status == 201
    assert answer.json["details"]["comment"] == "looks fine"
    assert client.post(f"{API}/models/{MODEL}/versions/1/comments", {"text": ""}).status == 422


def test_a_rollout_into_staging_and_its_end(registered: Story, client: Client) -> None:
    started = client.post(f"{API}/rollouts", {"model": MODEL, "version": 1, "environment": "staging"})
    assert started.status == 201, started.text
    path = f"{API}/rollouts/{started.json['id']}"
    refused = client.post(f"{path}/resume")
    assert refused.status == 409
    assert "preparing" in refused.json["detail"]
    assert client.post(f"{path}/abort", {"reason": "enough"}).json["phase"] == "aborted"
    assert client.post(f"{path}/explode").status == 422


def test_a_running_rollout_is_paused_resumed_and_promoted(empty: Story, client: Client) -> None:
    first_version(empty)
    register(empty, auc=0.7, months=[1], commit="c")
    request = asked(client, version=2)
    client.post(f"{API}/requests/{request['id']}/approve", actor="ben")
    for _ in range(2):
        empty.traffic(20, {1: Behaviour(), 2: Behaviour()})
    path = f"{API}/rollouts/{empty.rollout(2).id}"
    phases = [client.post(f"{path}/{signal}").json["phase"] for signal in ("pause", "resume", "promote")]
    assert phases == ["paused", "progressing", "promoted"]


def test_roll_back_brings_the_version_before(empty: Story, client: Client) -> None:
    first_version(empty)
    assert client.post(f"{API}/models/{MODEL}/rollback").status == 404
    proven_canary(empty)
    assert client.post(f"{API}/models/{MODEL}/rollback", {"reason": "complaints"}).json["version"] == 1
    with empty.world.state.read() as tx:
        assert [one.version for one in tx.find(VERSIONS, model=MODEL, stage=Stage.PRODUCTION.value)] == [1]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"version": 0}, "1 or more expected, 0 found"),
        ({"version": "two"}, "a whole number expected, 'two' found"),
        ({"to_stage": "Prodction"}, "found (did you mean 'Production'?)"),
        ({"stage": "Production"}, "unknown field"),
        ({"if_digest": 1}, "a string expected, 1 found"),
    ],
)
def test_faults_are_told_in_the_words_of_all_others(client: Client, body: dict[str, Any], message: str) -> None:
    answer = client.post(f"{API}/requests", {**ASK, **body})
    assert answer.status == 422
    assert message in answer.json["errors"][0]["message"]


def test_an_address_that_is_not_there_says_where_they_all_are(client: Client) -> None:
    answer = client.get(f"{API}/nope")
    assert (answer.status, answer.json["detail"]) == (404, "there is no GET /api/v1/nope")
    assert "/docs" in answer.json["hint"]
