"""The verbs for webhooks: the key is shown once, the address never again, and what was given up is sent anew."""

from __future__ import annotations

import io
import json

import pytest

from lockgate.domain.notices import DeliveryState
from lockgate.domain.policy import Policy
from lockgate.ports.state import DELIVERIES, POLICIES
from lockgate.testing.company import delivery, policy_record
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world
from tests.integration.cli.command import CommandLine
from tests.samples.receivers import http_receiver

URL = "https://hooks.example.org/services/very-secret"
ADD = ("webhook", "add", "--events", "request:*", "--events", "rollout:plan:*")


@pytest.fixture
def here(elsewhere: CommandLine) -> CommandLine:
    return elsewhere


def kept(here: CommandLine) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads((here.home / "secrets" / "webhooks.json").read_text())
    return found


def test_a_webhook_from_its_making_to_its_end(here: CommandLine) -> None:
    made = here(*ADD, "--url", URL, "--model", "delays", "--description", "the team", "--as", "Ada", "--json").json
    assert made["key"].startswith("whsec_")
    assert kept(here)[made["id"]]["address"] == URL
    [listed] = here("webhook", "list", "--json").json
    assert {name: listed[name] for name in ("id", "target", "events", "model", "state", "created_by")} == {
        "id": made["id"],
        "target": "hooks.example.org",
        "events": ["request:*", "rollout:plan:*"],
        "model": "delays",
        "state": "active",
        "created_by": "Ada",
    }
    changed = here("webhook", "set", made["id"], "--disable", "--model", "", "--events", "watch:*", "--json").json
    assert (changed["state"], changed["model"], changed["events"]) == ("disabled", "", ["watch:*"])
    assert (changed["target"], changed["description"]) == ("hooks.example.org", "the team")
    other = here("webhook", "rotate", made["id"], "--json").json["key"]
    assert other.startswith("whsec_")
    assert other != made["key"]
    assert here("webhook", "remove", made["id"]).code == 0
    assert kept(here) == {}
    happened = [one["happened"]["action"] for one in here("audit", "log", "--json").json]
    assert happened == ["notice:webhook:set"] * 3 + ["notice:webhook:removed"]
    assert here("audit", "verify").code == 0


def test_the_key_is_for_standard_output_and_the_rest_for_people(here: CommandLine) -> None:
    said = here(*ADD, "--url", URL)
    assert said.code == 0
    assert said.out.splitlines()[1].startswith("whsec_")
    assert "only time" in said.err
    assert "very-secret" not in said.out + said.err
    assert "very-secret" not in here("webhook", "list").out


def test_what_others_on_this_machine_should_not_read_comes_by_standard_input(
    here: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(URL + "\n"))
    made = here(*ADD, "--slack", "-", "--json").json
    assert (made["channel"], made["target"], made["key"]) == ("slack", "hooks.example.org", "")
    assert kept(here)[made["id"]]["address"] == URL


def test_a_trial_shows_what_the_receiver_says(here: CommandLine) -> None:
    world = open_world(Home(here.home))
    with world.state.write() as tx:
        tx.put(POLICIES, policy_record(policy=Policy(targets=("127.0.0.1",))))
    with http_receiver() as receiver:
        made = here(*ADD, "--url", receiver.url, "--json").json
        assert here("webhook", "test", made["id"]).out == "200 thank you\n"
        receiver.status = 503
        failed = here("webhook", "test", made["id"], "--json")
        assert (failed.code, failed.json) == (1, {"status": 503, "body": "thank you"})
        assert "503 found, 200 to 299 expected" in failed.err
    said = here("webhook", "test", made["id"])
    assert (said.code, "ConnectionRefused" in said.err) == (1, True)


@pytest.mark.parametrize("host", ["localhost", "api.localhost:8443", "127.0.0.1", "10.1.2.3", "[::1]"])
def test_an_address_in_this_network_is_refused_before_it_is_kept(here: CommandLine, host: str) -> None:
    said = here(*ADD, "--url", f"https://{host}/hook")
    assert (said.code, "`webhooks.targets`" in said.err) == (3, True)
    assert here("webhook", "list", "--json").json == []


def test_what_would_keep_a_webhook_silent_is_said_when_it_is_made(here: CommandLine) -> None:
    said = here(*ADD, "--email", "team@example.org", "--model", "nope")
    assert said.code == 0
    assert "note: there is no model 'nope' yet" in said.err
    assert "smtp.json; no mail is sent before it says by which server" in said.err
    assert "note" not in here(*ADD, "--url", URL).err


def test_deliveries_are_listed_and_sent_anew(here: CommandLine) -> None:
    made = here(*ADD, "--email", "team@example.org", "--json").json
    assert "none" in here("webhook", "deliveries", made["id"]).out
    dead = [
        delivery(id=f"{made['id']}-{n}", webhook=made["id"], event=n, state=DeliveryState.DEAD, attempts=14, answer="451 full")
        for n in (1, 2, 3)
    ]
    with open_world(Home(here.home)).state.write() as tx:
        tx.add_all(DELIVERIES, dead)
    assert [one["event"] for one in here("webhook", "deliveries", made["id"], "--state", "dead", "--json").json] == [3, 2, 1]
    assert "451 full" in here("webhook", "deliveries", made["id"]).out
    assert here("webhook", "replay", dead[0].id, "--json").json == {"due": 1}
    assert here("webhook", "replay", made["id"]).out == "2 due now\n"
    again = here("webhook", "deliveries", made["id"], "--json").json
    assert {(one["state"], one["attempts"]) for one in again} == {("waiting", 0)}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["add", "--url", URL], "--events"),
        (["add", "--events", "*"], "one of --url, --slack and --email"),
        (["add", "--events", "*", "--url", URL, "--email", "a@b.org"], "one of --url, --slack and --email"),
        (["deliveries", "webhook-x", "--state", "lost"], "'lost' is not one of"),
    ],
)
def test_wrong_usage_of_webhooks_is_2(here: CommandLine, words: list[str], expected: str) -> None:
    said = here("webhook", *words)
    assert (said.code, expected in said.err) == (2, True), said.err
    assert not here.home.exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["add", "--events", "request", "--url", URL], "'request' fits no event"),
        (["add", "--events", "*", "--url", "http://example.org/very-secret"], "https:// expected"),
        (["add", "--events", "*", "--url", "https://u:very-secret@example.org/"], "a user or a password"),
        (["add", "--events", "*", "--email", "team"], "one recipient"),
        (["set", "webhook-x", "--disable"], "there is no webhook 'webhook-x'"),
        (["replay", "webhook-x"], "there is no webhook 'webhook-x'"),
        (["deliveries", "webhook-x"], "lockgate webhook list"),
    ],
)
def test_webhooks_that_make_no_sense_are_refused(here: CommandLine, words: list[str], expected: str) -> None:
    here("token", "create", "--name", "x", "--scope", "infer")
    said = here("webhook", *words)
    assert (said.code, expected in said.err) == (1, True), said.err
    assert "very-secret" not in said.err
