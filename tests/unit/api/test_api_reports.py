"""/reports as embedded models and subscribers use it: by key, bounded, idempotent, and every refusal says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from lockgate.boundary.key_file import KEY_FILE, KeyFile
from lockgate.boundary.keys import KeyScope, Rate
from lockgate.embedded.reporter import Reporter
from lockgate.embedded.sending import Sent
from lockgate.embedded.tallies import Tally
from lockgate.entrypoints.api.app import create_app
from lockgate.entrypoints.api.guard import LARGEST_REPORT
from lockgate.ports.state import INBOX, MODELS, SUBSCRIBERS, VERSIONS
from lockgate.testing import builders as a
from lockgate.testing.clock import VirtualClock
from lockgate.testing.records import MemoryRecords
from tests.samples.asgi import TOKEN, Answer, Client
from tests.samples.story import Story
from tests.unit.serving.key_desk import KeyDesk


class Site:
    """A control plane that knows version 1 of two models, keys, and what reports brought."""

    def __init__(self, story: Story, folder: Path) -> None:
        clock = story.world.clock
        assert isinstance(clock, VirtualClock)
        self.world, self.clock, self.records = story.world, clock, MemoryRecords()
        self.desk = KeyDesk(folder, clock)
        app = create_app(story.world, home=None, control_token=TOKEN, keys=KeyFile(folder / KEY_FILE), reported=self.records)
        self.client = Client(app, {"host": "lockgate.example"})
        with self.world.state.write() as tx:
            for name in (a.MODEL, "fares"):
                tx.put(MODELS, a.registered_model(name=name, latest_version=1))
                tx.put(VERSIONS, a.version(model=name))

    def bodies(self, token: str = TOKEN, model: str = a.MODEL) -> list[bytes]:
        """What a reporter sends of one prediction."""
        sent: list[bytes] = []

        def send(body: bytes, _patience: float) -> Sent:
            sent.append(body)
            return Sent.TAKEN

        reporter = Reporter("http://127.0.0.1", token, model, host="till-7", every=3600.0, clock=self.clock, send=send)
        ids = reporter.answered(Tally(model, 1), 0, 0.01, [0.25], {"hour": [18]})
        reporter.label(ids[0], 1)
        reporter.close()
        return sent

    def post(self, body: bytes, token: str = TOKEN) -> Answer:
        return self.client.post("/reports", body, actor=None, headers={"authorization": f"Bearer {token}"})

    def count(self, kind: Any) -> int:
        with self.world.state.read() as tx:
            return tx.count(kind)


@pytest.fixture
def site(empty: Story, tmp_path: Path) -> Site:
    return Site(empty, tmp_path)


def test_what_a_reporter_sends_is_taken_once(site: Site) -> None:
    (body,) = site.bodies()
    assert [site.post(body).status for _ in range(2)] == [204, 204]
    assert (site.count(INBOX), site.count(SUBSCRIBERS)) == (1, 1)
    (record,) = site.records.read({}).records
    assert (record.inputs, record.scores, record.answered) == ({"hour": [18]}, (0.25,), True)
    with site.world.state.read() as tx:
        (received,) = tx.find(INBOX)
    assert received.worker == "embedded/till-7@home"
    assert received.block.feedback[0].prediction_id == record.prediction_ids[0]


def test_a_key_reports_on_its_models_until_it_is_revoked(site: Site) -> None:
    key = site.desk.add("tills", KeyScope.SUBSCRIBE, model=a.MODEL)
    assert site.post(site.bodies(key)[0], key).status == 204
    refused = site.post(site.bodies(key, "fares")[0], key)
    assert (refused.status, refused.json["detail"]) == (403, f"the key {key[4:16]} may not report on 'fares'")
    site.desk.revoke("tills", site.clock.now())
    assert site.post(site.bodies(key)[0], key).status == 401


@pytest.mark.parametrize("scope", [scope for scope in KeyScope if scope is not KeyScope.SUBSCRIBE])
def test_no_other_key_does(site: Site, scope: KeyScope) -> None:
    key = site.desk.add("other", scope)
    answer = site.post(site.bodies()[0], key)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert site.count(INBOX) == 0


def test_a_key_reports_no_more_often_than_its_rate(site: Site) -> None:
    key = site.desk.add("tills", KeyScope.SUBSCRIBE, rate=Rate(1.0, 2))
    body = site.bodies(key)[0]
    answers = [site.post(body, key) for _ in range(3)]
    assert [one.status for one in answers] == [204, 204, 429]
    assert answers[-1].headers["retry-after"] == "1"
    site.clock.advance(1.0)
    assert site.post(body, key).status == 204


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "this is no report"),
        (b"\xff", "this is no report"),
        (b"[" * 100_000, "this is no report"),
        (b'{"block": {}}', "missing required field `worker`"),
        (b'{"block": {"worker": "0", "incarnation": "i", "sequence": 1.5, "opened_at": 1, "closed_at": 1}}', "Expected `int`"),
        (b'{"block": {"worker": "0", "incarnation": "i", "sequence": 1, "opened_at": NaN, "closed_at": 1}}', "malformed"),
    ],
)
def test_what_is_no_report_is_said_to_be_none(site: Site, body: bytes, said: str) -> None:
    answer = site.post(body)
    assert answer.status == 400
    assert said in answer.json["detail"]


def test_what_cannot_be_taken_is_named_field_by_field(site: Site) -> None:
    told = msgspec.json.decode(site.bodies()[0])
    told["block"]["aside"][0]["version"] = 7
    told["block"]["worker"] = "0"
    answer = site.post(msgspec.json.encode(told))
    assert answer.status == 422
    assert [one["field"] for one in answer.json["errors"]] == ["block.worker", "block.aside[0].version"]


def test_a_body_is_bounded(site: Site) -> None:
    assert site.post(b" " * (LARGEST_REPORT + 1)).status == 413
    assert site.post(b" " * LARGEST_REPORT).status == 400


def test_reporters_are_listed_with_how_they_stand(site: Site) -> None:
    told = msgspec.json.decode(site.bodies()[0])
    told["standing"] = {"channel": a.MODEL, "host": "till-7", "revision": [0, 0], "running": 1, "ready": [1], "faults": ["dusty"]}
    site.post(msgspec.json.encode(told))
    site.clock.advance(30.0)
    (one,) = site.client.get("/api/v1/subscribers", {"host": "127.0.0.1"}).json
    assert (one["channel"], one["host"], one["kind"], one["running"], one["ready"]) == (a.MODEL, "till-7", "embedded", 1, [1])
    assert (one["faults"], one["silent"], one["seen_at"][:19]) == (["dusty"], False, "2026-01-05T09:00:00")
    site.clock.advance(3600.0)
    (silent,) = site.client.get("/api/v1/subscribers", {"host": "127.0.0.1"}).json
    assert silent["silent"] is True
    assert TOKEN not in str(silent)
    assert told["block"]["incarnation"] not in str(silent)
