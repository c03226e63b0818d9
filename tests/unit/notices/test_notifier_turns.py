"""From the log of events to receivers: each event once to each that wants it, whatever fails meanwhile."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.domain.events import Action
from lockgate.domain.notices import Channel, DeliveryState, WebhookState
from lockgate.entrypoints.notifier.__main__ import EVERY, PAUSE_AFTER_ERROR, STAND_BY_EVERY, Turns
from lockgate.kernel.errors import Corrupt, NotFound, Refused, Unavailable
from lockgate.ports.post import Answer
from lockgate.ports.state import DELIVERIES
from lockgate.testing.builders import ANNA, MODEL
from lockgate.testing.company import delivery
from lockgate.testing.notices import AtOnce, MemoryPost
from lockgate.usecases import take_up_events as taking
from lockgate.usecases.remove_webhook import remove_webhook
from lockgate.usecases.replay_deliveries import replay_dead, replay_delivery
from lockgate.usecases.send_due import EACH, LOOKED_AT, MOST, Sending
from lockgate.usecases.set_webhook import WebhookChanges, change_webhook
from lockgate.usecases.take_up_events import Outbox
from lockgate.usecases.tidy_deliveries import tidy_deliveries
from tests.samples.notices import URL, Office

DAY = 86400.0


def ids(office: Office) -> list[str]:
    return [sent.headers["webhook-id"] for sent in office.sent]


def test_what_happens_is_told_once_to_those_who_want_it() -> None:
    office = Office()
    office.happens()
    first, second, third = office.add(), office.add("watch:*"), office.add("*", model=MODEL)
    wanted, finding = office.happens(), office.happens(Action.FINDING_RECORDED)
    office.turns(300)
    assert sorted(ids(office)) == sorted(
        [f"{first.id}-{wanted.seq}", f"{second.id}-{finding.seq}", f"{third.id}-{wanted.seq}", f"{third.id}-{finding.seq}"]
    )
    assert {one.state for one in office.deliveries()} == {DeliveryState.DELIVERED}
    assert {one.answer for one in office.deliveries()} == {"200"}


def test_where_nothing_is_to_be_done_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office()
    office.happens()
    assert office.turn() == 0
    office.add()
    office.turns(60)
    monkeypatch.setattr(office.world.state, "write", lambda: pytest.fail("a write"))
    assert office.turn() == 0


def test_an_http_notice_carries_the_event_the_signature_and_the_authorization() -> None:
    office = Office()
    webhook = office.add(authorization="Bearer of-the-receiver")
    event = office.happens()
    office.turn()
    [sent] = office.sent
    assert sent.url == URL
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["authorization"] == "Bearer of-the-receiver"
    assert sent.headers["webhook-id"] == f"{webhook.id}-{event.seq}"
    assert sent.headers["webhook-timestamp"] == str(int(office.clock.unix()))
    assert json.loads(sent.body)["data"]["hash"] == event.hash


@pytest.mark.parametrize(
    ("site", "link"),
    [
        ("", ""),
        ("https://lockgate.example.org", " <https://lockgate.example.org/models/flight-delay/versions/3|See it>"),
    ],
)
def test_slack_gets_a_sentence_that_can_call_nobody(site: str, link: str) -> None:
    office = Office(site=site)
    office.add(channel=Channel.SLACK, address="https://hooks.slack.com/services/T0/B0/x")
    office.happens(subject="request-1", details={"to": "Production", "comment": "<!channel> & all"})
    office.turn()
    [sent] = office.sent
    text = "anna asks for flight-delay v3 to go to Production: &lt;!channel&gt; &amp; all."
    assert json.loads(sent.body) == {"text": text + link}
    assert "webhook-signature" not in sent.headers


def test_a_mail_says_it_in_its_subject() -> None:
    office = Office(site="https://lockgate.example.org")
    webhook = office.add(channel=Channel.EMAIL, address="team@example.org")
    event = office.happens(subject="request-1")
    office.turn()
    [mailed] = office.mail.mailed
    assert mailed.recipient == "team@example.org"
    assert mailed.subject == "[lockgate] anna asks for flight-delay v3 to go to Production."
    assert mailed.notice_id == f"{webhook.id}-{event.seq}"
    for part in ("request:transition:created", "anna (not authenticated)", "2026-01-05 09:00:00 UTC", "/versions/3"):
        assert part in mailed.text
    assert office.deliveries()[0].state is DeliveryState.DELIVERED


def test_what_fails_is_tried_again_under_its_id_until_it_goes_well() -> None:
    office = Office()
    office.add()
    office.happens()
    office.answers(Unavailable("hooks.example.org: no answer within 10 s"))
    office.turns(1000, every=1.0)
    office.answers(503)
    office.turns(1000, every=1.0)
    waiting = office.deliveries()[0]
    assert (waiting.state, waiting.answer) == (DeliveryState.WAITING, "503")
    office.answers(Answer(200, b"thank you"))
    office.turns(DAY)
    done = office.deliveries()[0]
    assert (done.state, done.answer) == (DeliveryState.DELIVERED, "200 thank you")
    assert done.attempts == len(office.sent) > 5
    assert len(set(ids(office))) == 1
    assert len({sent.headers["webhook-timestamp"] for sent in office.sent}) == len(office.sent), "each is signed anew"


def test_a_receiver_that_asks_for_a_pause_gets_it() -> None:
    office = Office()
    office.add()
    office.happens()
    office.answers(Answer(429, b"", 900.0))
    office.turns(899, every=1.0)
    assert len(office.sent) == 1
    office.turns(3, every=1.0)
    assert len(office.sent) == 2


def test_a_dead_delivery_is_an_event_and_can_be_sent_anew() -> None:
    office = Office()
    webhook = office.add()
    event = office.happens()
    office.answers(404)
    office.turns(1000, every=1.0)
    dead = office.deliveries()[0]
    assert (dead.state, dead.attempts) == (DeliveryState.DEAD, 5)
    told = office.events()[-1].happened
    assert (told.action, told.actor, told.subject) == (Action.DELIVERY_DEAD, "notifier", dead.id)
    assert told.details == {"webhook": webhook.id, "event": event.seq, "attempts": 5, "answer": "404"}
    office.answers(200)
    assert replay_dead(office.world, webhook.id, ANNA) == 1
    assert replay_dead(office.world, webhook.id, ANNA) == 0
    office.turn()
    assert office.deliveries()[0].state is DeliveryState.DELIVERED
    replay_delivery(office.world, dead.id, ANNA)
    office.turn()
    assert ids(office) == [dead.id] * 7
    replayed = [one.happened for one in office.events() if one.happened.action is Action.DELIVERY_REPLAYED]
    assert [(one.actor, one.details["deliveries"]) for one in replayed] == [("anna", 1), ("anna", 1)]


def test_deaths_are_told_to_others_and_never_for_ever() -> None:
    """Two receivers that are down, both of which want to hear of deaths."""
    office = Office()
    office.answers(Refused("no"))
    office.add("*")
    office.add("*")
    office.happens()
    office.turns(3000, every=5.0)
    assert Counter(one.happened.action for one in office.events())[Action.DELIVERY_DEAD] == 3
    assert office.turn() == 0
    assert {one.state for one in office.deliveries()} == {DeliveryState.DEAD}


def test_one_that_is_gone_is_disabled_and_everybody_can_see_why() -> None:
    office = Office()
    webhook = office.add()
    office.happens()
    office.answers(410)
    office.turn()
    assert office.webhook(webhook.id).state is WebhookState.DISABLED
    said = [one.happened for one in office.events() if one.happened.action is Action.WEBHOOK_SET][-1]
    assert (said.actor, said.details["to"]["state"], said.details["to"]["why"]) == (
        "notifier",
        "disabled",
        "its receiver answered 410 Gone",
    )
    office.answers(200)
    office.happens()
    with office.world.state.write() as tx:
        tx.put(DELIVERIES, delivery(webhook=webhook.id, event=2))
    office.turns(DAY)
    assert len(office.sent) == 1, "nothing is sent to it, not even what waits"
    with office.world.state.write() as tx:
        tx.remove(DELIVERIES, "delivery-1")
    change_webhook(office.world, office.notices, ANNA, webhook.id, WebhookChanges(state=WebhookState.ACTIVE))
    office.turns(60)
    assert len(office.sent) == 1, "nor what it missed"
    office.happens()
    office.turn()
    assert len(office.sent) == 2


def test_a_home_without_the_secret_says_so_and_waits_for_it() -> None:
    office = Office()
    webhook = office.add()
    office.happens()
    kept, office.secrets.kept = office.secrets.kept, {}
    office.turn()
    office.turn()
    assert "not in this home" in office.deliveries()[0].answer
    office.secrets.kept = kept
    office.turns(60)
    assert office.deliveries(webhook=webhook.id)[0].state is DeliveryState.DELIVERED


class Treacherous(MemoryPost):
    """Breaks at one host."""

    def send(self, url: str, headers: Mapping[str, str], body: bytes, private: Collection[str]) -> Answer:
        if "a.example" in url:
            raise ZeroDivisionError
        return super().send(url, headers, body, private)


def test_what_nobody_foresaw_about_one_keeps_no_other_from_its_receiver(caplog: pytest.LogCaptureFixture) -> None:
    office = Office()
    office.add(address="https://a.example.org/")
    office.add(address="https://b.example.org/")
    office.happens()
    notices = replace(office.notices, post=Treacherous())
    with ThreadPoolExecutor(2) as pool:
        sending = Sending(office.world, notices, pool)
        office.outbox.take_up()
        sending.turn()
        while len(office.deliveries(state="delivered")) < 1 or not office.deliveries(state="waiting")[0].attempts:
            sending.wait(1)
            sending.settle()
    assert "ZeroDivisionError" in office.deliveries(state="waiting")[0].answer
    assert "nobody foresaw" in caplog.text


def test_a_removed_webhook_takes_its_deliveries_and_secrets_along() -> None:
    office = Office()
    webhook, other = office.add(), office.add()
    office.happens()
    office.answers(500)
    office.turn()
    remove_webhook(office.world, office.notices, ANNA, webhook.id)
    office.answers(200)
    office.turns(60)
    assert {one.webhook for one in office.deliveries()} == {other.id}
    assert set(office.secrets.kept) == {other.id}
    with pytest.raises(NotFound):
        remove_webhook(office.world, office.notices, ANNA, webhook.id)


def test_one_that_is_down_hides_no_other() -> None:
    """Also where more wait for it than are looked through."""
    office = Office()
    down, up = office.add("watch:*"), office.add()
    event = office.happens()
    far = office.clock.unix() + DAY
    many = [delivery(id=f"{down.id}-x{n}", webhook=down.id, event=event.seq, next_at=far) for n in range(LOOKED_AT)]
    with office.world.state.write() as tx:
        tx.add_all(DELIVERIES, many)
    office.turn()
    assert ids(office) == [f"{up.id}-{event.seq}"]


def test_those_that_pause_hide_none_that_is_due() -> None:
    """Of one webhook, where more wait than are looked through in one turn."""
    office = Office()
    webhook = office.add("watch:*")
    event = office.happens()
    far = office.clock.unix() + DAY
    pausing = [delivery(id=f"x-{n}", webhook=webhook.id, event=event.seq, next_at=far) for n in range(2 * LOOKED_AT)]
    with office.world.state.write() as tx:
        tx.add_all(DELIVERIES, [*pausing, delivery(id="due", webhook=webhook.id, event=event.seq, next_at=0.0)])
    for _ in range(3):
        office.turn()
    assert ids(office) == ["due"]


def test_who_was_quicker_is_believed() -> None:
    """A notifier that was asleep comes back with a failure, after another one has delivered."""
    office = Office()
    office.add()
    office.happens()
    doors = Doors()
    doors.answer = Answer(503)
    with ThreadPoolExecutor(1) as pool:
        asleep = Sending(office.world, replace(office.notices, post=doors), pool)
        office.outbox.take_up()
        asleep.turn()
        office.turn()
        doors.open.set()
    assert asleep.settle() == 1
    assert [(one.state, one.attempts) for one in office.deliveries()] == [(DeliveryState.DELIVERED, 1)]


class Doors(MemoryPost):
    """Lets nobody in before it is open."""

    def __init__(self) -> None:
        super().__init__()
        self.open = Event()

    def send(self, url: str, headers: Mapping[str, str], body: bytes, private: Collection[str]) -> Answer:
        assert self.open.wait(10)
        return super().send(url, headers, body, private)


def test_only_so_many_are_on_their_way_at_once_and_fewer_to_each() -> None:
    office = Office()
    for _ in range(MOST):
        office.add()
    for _ in range(5):
        office.happens()
    doors = Doors()
    with ThreadPoolExecutor(MOST) as pool:
        sending = Sending(office.world, replace(office.notices, post=doors), pool)
        office.outbox.take_up()
        assert sending.turn() == MOST
        assert sending.turn() == 0
        doors.open.set()
    assert max(Counter(sent.headers["webhook-id"].rpartition("-")[0] for sent in doors.sent).values()) == EACH


def test_a_place_moves_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "PAGE", 3)
    office = Office()
    office.add()
    wanted = [office.happens() for _ in range(8)]
    made = [office.outbox.take_up() for _ in range(4)]
    assert made == [3, 3, 2, 0]
    assert [one.event for one in office.deliveries()] == [event.seq for event in wanted]


def test_a_webhook_that_is_set_later_begins_at_once_also_where_nothing_else_happened() -> None:
    office = Office()
    office.turns(120)
    office.add("notice:webhook:*")
    office.turn()
    other = office.add()
    office.turn()
    assert [json.loads(sent.body)["data"]["subject"] for sent in office.sent] == [other.id]


def test_what_ended_long_ago_is_forgotten() -> None:
    office = Office()
    webhook = office.add()
    office.happens()
    office.turn()
    office.answers(404)
    office.happens()
    office.turns(1000, every=1.0)
    assert tidy_deliveries(office.world) == 0
    office.clock.advance(14 * DAY)
    assert tidy_deliveries(office.world) == 1
    office.clock.advance(80 * DAY)
    assert tidy_deliveries(office.world) == 1
    assert office.deliveries(webhook=webhook.id) == []


ACTIONS = st.sampled_from([Action.REQUEST_CREATED, Action.FINDING_RECORDED, Action.RUN_FAILED])
STEPS = st.lists(st.one_of(ACTIONS, st.sampled_from(["add", "turn", "taken", "killed", 500, 200, 404])), max_size=40)


@given(STEPS)
def test_at_least_once_and_nothing_beside(steps: list[object]) -> None:
    """Kills may fall between the turn's transactions and the sending: a new notifier has nothing in memory."""
    office = Office()
    expected: set[str] = set()
    webhooks = {office.add("request:*", "watch:*").id}
    for step in steps:
        if isinstance(step, Action):
            event = office.happens(step)
            expected |= {f"{one}-{event.seq}" for one in webhooks if step is not Action.RUN_FAILED}
        elif step == "add":
            webhooks.add(office.add("request:*", "watch:*").id)
        elif step == "taken":
            office.outbox.take_up()
        elif step == "killed":
            office.outbox.take_up()
            office.sending.turn()  # sent, and nothing of it written down
            office.outbox = Outbox(office.world)
            office.sending = Sending(office.world, office.notices, office.sending._pool, luck=lambda: 0.5)
        elif step == "turn":
            office.turn()
        else:
            office.answers(int(str(step)))
    office.answers(200)
    for one in webhooks:
        replay_dead(office.world, one, ANNA)
    office.turns(3 * DAY, every=3600.0)
    office.turns(200, every=1.0)
    assert set(ids(office)) == expected
    assert {one.id for one in office.deliveries()} == expected
    assert {one.state for one in office.deliveries()} <= {DeliveryState.DELIVERED}


def test_who_does_not_hold_the_lease_waits_for_it() -> None:
    office = Office()
    office.add()
    first, second = (Turns(office.world, office.notices, AtOnce()) for _ in range(2))
    assert first.take() == EVERY
    office.happens()
    assert second.take() == STAND_BY_EVERY
    assert office.deliveries() == []
    office.clock.advance(10)  # the first one died
    assert [second.take() for _ in range(4)] == [0.0, 0.0, 0.0, EVERY]
    assert [one.state for one in office.deliveries()] == [DeliveryState.DELIVERED]


def test_what_cannot_be_read_now_is_tried_again_and_keeps_no_delivery_back(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office()
    office.add()
    office.happens()
    office.outbox.take_up()
    turns = Turns(office.world, office.notices, AtOnce())

    def damaged(_outbox: Outbox) -> int:
        raise Corrupt("event 9 cannot be read")

    monkeypatch.setattr(Outbox, "take_up", damaged)
    assert [turns.take() for _ in range(2)] == [PAUSE_AFTER_ERROR] * 2
    assert [one.state for one in office.deliveries()] == [DeliveryState.DELIVERED]
