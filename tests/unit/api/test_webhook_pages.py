"""Webhooks over the API and on their page."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from lockgate.domain.access import Scope
from lockgate.domain.events import Action
from lockgate.domain.notices import DeliveryState
from lockgate.entrypoints.api.app import create_app
from lockgate.ports.state import DELIVERIES, USERS
from lockgate.testing.builders import ANNA, MODEL, happened
from lockgate.testing.company import delivery, user
from lockgate.testing.notices import MemoryMail, MemoryPost, MemorySecrets
from lockgate.usecases.make_access_token import make_access_token
from lockgate.usecases.notice_world import NoticeWorld
from tests.samples.asgi import TOKEN, Answer, Client
from tests.samples.story import Story

URL = "https://hooks.example.org/services/very-secret"
NEW = {"channel": "http", "address": URL, "events": ["request:*"]}


@pytest.fixture
def notices() -> NoticeWorld:
    return NoticeWorld(MemorySecrets(), MemoryPost(), MemoryMail())


@pytest.fixture
def client(empty: Story, notices: NoticeWorld) -> Client:
    return Client(create_app(empty.world, home=None, control_token=TOKEN, notices=notices))


def call(client: Client, method: str, path: str, body: Any = None) -> Answer:
    headers = {"content-type": "application/json", "x-lockgate-actor": "ann"}
    return asyncio.run(client.call(method, path, json.dumps(body or {}).encode(), headers))


def test_a_webhook_over_the_api(client: Client, notices: NoticeWorld) -> None:
    made = client.post("/api/v1/webhooks", NEW)
    assert made.status == 201
    webhook, key = made.json["webhook"], made.json["key"]
    assert (webhook["target"], key[:6]) == ("hooks.example.org", "whsec_")
    assert "very-secret" not in made.text
    path = f"/api/v1/webhooks/{webhook['id']}"
    assert client.get(path).json == webhook
    assert client.get("/api/v1/webhooks").json["items"] == [webhook]
    changed = call(client, "PATCH", path, {"description": "mine", "state": "disabled"})
    assert (changed.status, changed.json["description"], changed.json["state"]) == (200, "mine", "disabled")
    assert changed.json["events"] == ["request:*"]
    rotated = client.post(f"{path}/rotate").json
    assert rotated["key"] not in (key, "")
    assert client.post(f"{path}/test").json == {"status": 200, "body": ""}
    assert call(client, "DELETE", path).status == 200
    assert (client.get(path).status, notices.secrets.read()) == (404, {})


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({**NEW, "events": ["nothing"]}, 422),
        ({**NEW, "channel": "pigeon"}, 422),
        ({**NEW, "secret": "x"}, 422),
        ({**NEW, "channel": "email", "address": "team"}, 400),
        ({"channel": "http"}, 422),
    ],
)
def test_what_makes_no_sense_over_the_api_is_refused(client: Client, body: dict[str, Any], status: int) -> None:
    assert client.post("/api/v1/webhooks", body).status == status


def test_a_server_without_a_place_for_secrets_says_so(empty: Story) -> None:
    bare = Client(create_app(empty.world, home=None, control_token=TOKEN))
    assert bare.post("/api/v1/webhooks", NEW).status == 503
    assert bare.get("/api/v1/webhooks").json["total"] == 0


def test_webhooks_are_the_administrators(client: Client, empty: Story) -> None:
    with empty.world.state.write() as tx:
        tx.put(USERS, user("ann"))
    made = client.post("/api/v1/webhooks", NEW)
    assert made.status == 401
    writer = make_access_token(empty.world, ANNA, "ann", "ci", tuple(set(Scope) - {Scope.ADMIN}))
    shown = {"authorization": f"Bearer {writer.text}"}
    assert client.post("/api/v1/webhooks", NEW, headers=shown).status == 403
    assert client.get("/api/v1/webhooks", headers=shown).status == 200


def with_deliveries(client: Client, empty: Story) -> tuple[str, int]:
    """A webhook with a dead delivery, one that waits and one that was delivered; and the event that they tell of."""
    webhook = client.post("/api/v1/webhooks", NEW).json["webhook"]["id"]
    said = happened(action=Action.REQUEST_CREATED, model=MODEL, version=3, details={"to": "Production", "comment": "<b>now</b>"})
    with empty.world.state.write() as tx:
        seq = tx.record(said).seq
        for state in DeliveryState:
            tx.put(
                DELIVERIES, delivery(id=f"{webhook}-{state.value}", webhook=webhook, event=seq, state=state, answer="451 <full>")
            )
    return webhook, seq


def test_what_was_given_up_is_sent_anew_over_the_api(client: Client, empty: Story) -> None:
    webhook, _ = with_deliveries(client, empty)
    path = f"/api/v1/webhooks/{webhook}/deliveries"
    assert client.get(path).json["total"] == 3
    assert [one["answer"] for one in client.get(f"{path}?state=dead").json["items"]] == ["451 <full>"]
    assert client.post(f"/api/v1/deliveries/{webhook}-delivered/replay").json["state"] == "waiting"
    assert client.post(f"/api/v1/webhooks/{webhook}/replay").json == {"due": 1}
    assert client.get(f"{path}?state=waiting").json["total"] == 3
    assert client.post("/api/v1/deliveries/none/replay").status == 404


def test_the_page_shows_who_is_told_and_what_was_given_up(client: Client, empty: Story) -> None:
    assert "Nobody is told of anything yet." in client.page("/notifications").text
    webhook, seq = with_deliveries(client, empty)
    text = client.page("/notifications").text
    for part in (
        "hooks.example.org",
        "request:*",
        "1 given up, 1 waiting",
        "anna asks for flight-delay v3 to go to Production: &lt;b&gt;now&lt;/b&gt;.",
        "451 &lt;full&gt;",
        f'data-write="/api/v1/webhooks/{webhook}/replay"',
        f'data-write="/api/v1/deliveries/{webhook}-dead/replay"',
        f'aria-label="Send event {seq} anew"',
    ):
        assert part in text
    assert f"{webhook}-waiting/replay" not in text
    assert "very-secret" not in text
    assert text.index(f"{webhook}-dead") < text.index(f"{webhook}-delivered"), "what was given up comes first"


def test_a_disabled_one_is_shown_as_such(client: Client) -> None:
    webhook = client.post("/api/v1/webhooks", NEW).json["webhook"]["id"]
    assert "everything was delivered" in client.page("/notifications").text
    call(client, "PATCH", f"/api/v1/webhooks/{webhook}", {"state": "disabled"})
    assert "disabled: it is told nothing" in client.page("/notifications").text
