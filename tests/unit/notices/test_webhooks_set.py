"""Who is told of what: set, changed, removed; the secret part in its own place, and all of it in the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lockgate.domain.events import Action
from lockgate.domain.notices import Channel, DeliveryState, WebhookState
from lockgate.domain.policy import Policy
from lockgate.integrations.http.post import HttpPost
from lockgate.integrations.local.secrets import LocalSecrets
from lockgate.kernel.errors import Conflict, Invalid, InvalidInput, NotFound, Unavailable
from lockgate.ports.post import Answer
from lockgate.ports.secrets import SigningKey, WebhookSecret
from lockgate.ports.state import POLICIES, WEBHOOKS
from lockgate.testing.builders import ANNA
from lockgate.testing.company import policy_record
from lockgate.testing.notices import MemorySecrets
from lockgate.usecases.notice_world import NoticeWorld
from lockgate.usecases.remove_webhook import remove_webhook
from lockgate.usecases.set_webhook import OVERLAP, WantedWebhook, WebhookChanges, add_webhook, change_webhook, rotate_key
from lockgate.usecases.try_webhook import try_webhook
from tests.samples.notices import URL, Office


def actions(office: Office) -> list[Action]:
    return [event.happened.action for event in office.events()]


def change(office: Office, webhook_id: str, **changes: Any) -> None:
    change_webhook(office.world, office.notices, ANNA, webhook_id, WebhookChanges(**changes))


def test_the_state_knows_the_host_and_the_secrets_know_the_rest() -> None:
    office = Office()
    made = office.set(authorization="Bearer x", description="the team's channel")
    assert made.webhook.target == "hooks.example.org"
    assert office.secrets.kept == {made.webhook.id: WebhookSecret(URL, (SigningKey(made.key),), "Bearer x")}
    assert "secret" not in repr(office.events())
    assert "secret" not in repr(office.secrets.kept)
    [event] = office.events()
    assert event.happened.details == {
        "from": None,
        "to": {
            "channel": "http",
            "events": ["request:transition:*"],
            "target": "hooks.example.org",
            "description": "the team's channel",
            "state": "active",
        },
    }


def test_it_begins_behind_its_own_event() -> None:
    office = Office()
    webhook = office.add("*")
    assert webhook.after == 1
    office.turn()
    assert office.sent == []


@pytest.mark.parametrize(
    ("address", "target"), [("team@example.org", "t…@example.org"), ("o'neil+ml@mail.example.org", "o…@mail.example.org")]
)
def test_a_recipient_is_shown_by_its_first_letter(address: str, target: str) -> None:
    made = Office().set(channel=Channel.EMAIL, address=address)
    assert (made.webhook.target, made.key) == (target, "")


@pytest.mark.parametrize(
    "address", ["", "team", "@b.org", "a@b@c", "a b@b.org", "a@b.org\nBcc: c@b.org", "a@b.org,c@b.org", "<a@b.org>", "a@b.org\n"]
)
def test_what_is_not_one_recipient_is_refused(address: str) -> None:
    office = Office()
    with pytest.raises(Invalid, match="no address of one recipient"):
        office.set(channel=Channel.EMAIL, address=address)
    assert (office.events(), office.secrets.kept) == ([], {})


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"events": ("nothing:*",)}, "fits no event"),
        ({"events": ()}, "0 patterns"),
        ({"key": "whsec_short"}, "24 to 64 bytes"),
        ({"description": "a\nb"}, "printable"),
        ({"description": "x" * 1001}, "1001 characters"),
        ({"authorization": "a\r\nx-injected: 1"}, "printable ASCII"),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_nothing(wanted: dict[str, Any], expected: str) -> None:
    office = Office()
    fields = {"channel": Channel.HTTP, "address": URL, "events": ("*",), **wanted}
    with pytest.raises(Invalid, match=expected):
        add_webhook(office.world, office.notices, ANNA, WantedWebhook(**fields))
    assert (office.events(), office.secrets.kept) == ([], {})


def test_http_without_tls_only_where_the_policy_names_the_host() -> None:
    office = Office()
    notices = NoticeWorld(office.secrets, HttpPost(), office.mail)
    wanted = WantedWebhook(Channel.HTTP, "http://jenkins.corp:8080/hook", ("*",))
    with pytest.raises(Invalid, match="https:// expected"):
        add_webhook(office.world, notices, ANNA, wanted)
    with office.world.state.write() as tx:
        tx.put(POLICIES, policy_record(policy=Policy(targets=("jenkins.corp:8080",))))
    assert add_webhook(office.world, notices, ANNA, wanted).webhook.target == "jenkins.corp:8080"


def test_what_is_not_named_in_a_change_stays() -> None:
    office = Office()
    webhook = office.add(description="mine", authorization="Bearer x")
    change(office, webhook.id, events=("watch:*",), address="https://hooks.example.org/x")
    changed = office.webhook(webhook.id)
    assert (changed.events, changed.target, changed.description) == (("watch:*",), "hooks.example.org", "mine")
    kept = office.secrets.kept[webhook.id]
    assert (kept.address, kept.authorization, len(kept.keys)) == ("https://hooks.example.org/x", "Bearer x", 1)
    said = office.events()[-1].happened.details
    assert (said["from"]["events"], said["to"]["events"]) == (["request:transition:*"], ["watch:*"])


@pytest.mark.parametrize(("said", "kept"), [({}, ""), ({"authorization": "Bearer y"}, "Bearer y")])
def test_another_host_is_not_shown_what_was_meant_for_the_first(said: dict[str, str], kept: str) -> None:
    office = Office()
    webhook = office.add(authorization="Bearer x")
    change(office, webhook.id, address="https://other.example.org/x", **said)
    assert office.secrets.kept[webhook.id].authorization == kept


def test_what_waited_when_it_was_disabled_is_not_sent_when_it_is_enabled_again() -> None:
    office = Office()
    webhook = office.add()
    office.happens()
    office.outbox.take_up()
    change(office, webhook.id, state=WebhookState.DISABLED)
    [ended] = office.deliveries()
    assert (ended.state, ended.answer) == (DeliveryState.DEAD, "its webhook was disabled before it was delivered")
    assert ended.ended_at == office.clock.now()
    change(office, webhook.id, state=WebhookState.ACTIVE)
    office.turns(60)
    assert office.sent == []


def test_one_that_is_disabled_is_told_nothing_and_misses_what_happens() -> None:
    office = Office()
    webhook = office.add()
    change(office, webhook.id, state=WebhookState.DISABLED)
    office.happens()
    office.turns(60)
    change(office, webhook.id, state=WebhookState.ACTIVE)
    wanted = office.happens()
    office.turns(60)
    assert [one.event for one in office.deliveries()] == [wanted.seq]


def test_a_change_that_changes_no_state_moves_no_place() -> None:
    office = Office()
    webhook = office.add()
    wanted = office.happens()
    change(office, webhook.id, description="x")
    office.turn()
    assert [one.event for one in office.deliveries()] == [wanted.seq]


def test_a_rotated_key_signs_beside_the_one_before_for_a_day() -> None:
    office = Office()
    first = office.set()
    second = rotate_key(office.world, office.notices, ANNA, first.webhook.id)
    assert second.key != first.key
    signatures = []
    for wait in (0.0, OVERLAP - 10, 20):
        office.clock.advance(wait)
        office.happens()
        office.turn()
        signatures.append(len(office.sent[-1].headers["webhook-signature"].split()))
    assert signatures == [2, 2, 1]
    assert actions(office).count(Action.WEBHOOK_SET) == 2
    third = rotate_key(office.world, office.notices, ANNA, first.webhook.id)
    assert [key.text for key in office.secrets.kept[first.webhook.id].keys] == [third.key, second.key]


def test_where_nothing_is_signed_nothing_is_rotated() -> None:
    office = Office()
    webhook = office.add(channel=Channel.SLACK)
    with pytest.raises(Conflict, match="nothing is signed"):
        rotate_key(office.world, office.notices, ANNA, webhook.id)


class FullDisk(MemorySecrets):
    def write(self, kept: Mapping[str, WebhookSecret]) -> None:
        raise Unavailable(f"no room for {len(kept)} secrets")


def test_secrets_that_cannot_be_written_leave_no_webhook() -> None:
    office = Office()
    notices = NoticeWorld(FullDisk(), office.post, office.mail)
    with pytest.raises(Unavailable):
        add_webhook(office.world, notices, ANNA, WantedWebhook(Channel.HTTP, URL, ("*",)))
    with office.world.state.read() as tx:
        assert (tx.count(WEBHOOKS), tx.events()) == (0, [])


def test_what_a_crash_left_of_a_secret_goes_with_the_next_change() -> None:
    office = Office()
    office.secrets.kept = {"webhook-0000000000": WebhookSecret("https://left.example.org/")}
    webhook = office.add()
    assert set(office.secrets.kept) == {webhook.id}


def test_a_removed_one_is_an_event() -> None:
    office = Office()
    webhook = office.add()
    remove_webhook(office.world, office.notices, ANNA, webhook.id)
    assert office.events()[-1].happened.action is Action.WEBHOOK_REMOVED
    assert office.events()[-1].happened.details == {"target": "hooks.example.org"}


def test_a_trial_is_sent_now_and_nothing_is_kept_of_it() -> None:
    office = Office()
    webhook = office.add()
    before = office.events()
    office.answers(Answer(418, "tea ☕".encode() + b"\xff" + b"x" * 5000))
    tried = try_webhook(office.world, office.notices, ANNA, webhook.id)
    assert tried.status == 418
    assert tried.body.startswith("tea ☕\ufffd")
    assert len(tried.body) <= 2000
    assert b'"trial":true' in office.sent[0].body
    assert (office.events(), office.deliveries()) == (before, [])


def test_what_is_not_there_cannot_be_changed() -> None:
    office = Office()
    for act in (
        lambda: change(office, "webhook-x", description="x"),
        lambda: rotate_key(office.world, office.notices, ANNA, "webhook-x"),
        lambda: try_webhook(office.world, office.notices, ANNA, "webhook-x"),
    ):
        with pytest.raises(NotFound, match="there is no webhook 'webhook-x'"):
            act()


def test_there_are_only_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lockgate.usecases.set_webhook.MOST", 2)
    office = Office()
    office.add()
    office.add()
    with pytest.raises(Conflict, match="there are 2 webhooks"):
        office.add()


def test_a_pattern_that_fits_nothing_is_told_by_name() -> None:
    with pytest.raises(InvalidInput, match="'rollouts:\\*' fits no event"):
        Office().add("rollouts:*")


def test_the_file_is_its_owners_and_comes_back_as_it_was(tmp_path: Path) -> None:
    file = LocalSecrets(tmp_path / "webhooks.json")
    assert file.read() == {}
    kept = {"webhook-1": WebhookSecret(URL, (SigningKey("whsec_a"), SigningKey("whsec_b", 7.5)), "Bearer x")}
    file.write(kept)
    assert file.read() == kept
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file.path]


def test_a_file_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    file = LocalSecrets(tmp_path / "webhooks.json")
    file.write({})
    file.path.chmod(0o640)
    with pytest.raises(Invalid, match="by others than its owner"):
        file.read()


def test_a_damaged_file_is_told_without_being_spelt(tmp_path: Path) -> None:
    file = LocalSecrets(tmp_path / "webhooks.json")
    file.write({"webhook-1": WebhookSecret(URL)})
    file.path.write_text(file.path.read_text().replace('"keys"', '"keys": "very-secret", "x"'))
    with pytest.raises(Invalid, match="holds no secrets of webhooks") as caught:
        file.read()
    assert "very-secret" not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"
