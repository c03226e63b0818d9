"""The policy, break-glass, aliases and direct moves over HTTP."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.samples.asgi import Answer, Client
from tests.samples.registry import POLICY_FILE
from tests.samples.story import MODEL, Story, register

API = "/api/v1"
ASK = {"model": MODEL, "version": 1, "to_stage": "Production"}


@pytest.fixture
def registered(empty: Story) -> Story:
    register(empty, auc=0.671, months=[1, 2], commit="3f1c9a7e2b60")
    return empty


def send(client: Client, method: str, path: str, body: Any = None, actor: str = "olga") -> Answer:
    headers = {"content-type": "application/json", "x-lockgate-actor": actor}
    return asyncio.run(client.call(method, path, json.dumps(body or {}).encode(), headers))


def test_the_policy_is_set_and_read_and_rules_at_once(registered: Story, client: Client) -> None:
    assert client.get(f"{API}/policy").json == {"text": "", "digest": "", "set_by": None, "set_at": None}
    set_ = send(client, "PUT", f"{API}/policy", {"text": POLICY_FILE, "if_digest": ""})
    assert (set_.status, set_.json["set_by"]) == (200, "olga")
    assert client.get(f"{API}/policy").json == set_.json
    assert send(client, "PUT", f"{API}/policy", {"text": POLICY_FILE, "if_digest": ""}).status == 409
    request = client.post(f"{API}/requests", ASK).json
    assert request["expires_at"] > request["created_at"]
    refused = client.post(f"{API}/requests/{request['id']}/approve", actor="dora")
    assert (refused.status, "none of the roles" in refused.json["detail"]) == (403, True)
    assert client.post(f"{API}/requests/{request['id']}/approve", actor="ben").json["state"] == "open"


def test_faults_of_a_policy_come_with_their_fields(client: Client) -> None:
    answer = send(client, "PUT", f"{API}/policy", {"text": "roles: {a: [ben]}\nstages: {Production: {from: [b], need: 0}}"})
    assert answer.status == 422
    assert [one["field"] for one in answer.json["errors"]] == ["stages.Production.from[0]", "stages.Production.need"]
    assert client.get(f"{API}/policy").json["text"] == ""


def test_the_glass_is_broken_listed_and_mended(registered: Story, client: Client) -> None:
    assert client.post(f"{API}/break-glass", {"why": "harm"}, actor="olga").status == 403
    send(client, "PUT", f"{API}/policy", {"text": POLICY_FILE})
    glass = client.post(f"{API}/break-glass", {"why": "harm", "model": MODEL}, actor="olga")
    assert (glass.status, glass.json["by"]) == (201, "olga")
    assert [one["id"] for one in client.get(f"{API}/break-glass").json["items"]] == [glass.json["id"]]
    moved = client.post(f"{API}/models/{MODEL}/versions/1/transition", {"to_stage": "Production"}, actor="olga")
    assert (moved.status, moved.json["state"]) == (200, "approved")
    assert client.post(f"{API}/break-glass/{glass.json['id']}/close", actor="ben").status == 200
    assert client.post(f"{API}/break-glass/{glass.json['id']}/close", actor="ben").status == 409


def test_a_direct_move_says_what_is_missing(registered: Story, client: Client) -> None:
    answer = client.post(f"{API}/models/{MODEL}/versions/1/transition", {"to_stage": "Production"})
    assert answer.status == 403
    assert "whoever asks may not decide" in answer.json["detail"]
    assert answer.json["hint"].startswith("Ask others: lockgate request")


def test_what_was_seen_must_still_be_so(registered: Story, client: Client) -> None:
    assert client.post(f"{API}/requests", {**ASK, "if_digest": "sha256:other"}).status == 409
    request = client.post(f"{API}/requests", ASK).json
    path = f"{API}/requests/{request['id']}/approve"
    assert client.post(path, {"if_digest": "sha256:other"}, actor="ben").status == 409
    assert client.post(path, {"if_digest": request["binding"]}, actor="ben").status == 200


def test_names_are_given_and_taken(registered: Story, client: Client) -> None:
    path = f"{API}/models/{MODEL}/aliases"
    assert send(client, "PUT", f"{path}/challenger", {"version": 1}).json == {"model": MODEL, "name": "challenger", "version": 1}
    assert client.get(f"{API}/models/{MODEL}").json["aliases"] == {"challenger": 1}
    assert send(client, "PUT", f"{path}/champion", {"version": 1}).status == 403
    assert send(client, "PUT", f"{path}/challenger", {"version": 9}).status == 404
    assert send(client, "DELETE", f"{path}/challenger").status == 200
    assert send(client, "DELETE", f"{path}/challenger").status == 404
