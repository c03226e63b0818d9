"""The page of notifications as a person meets it: read, tried, sent anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, expect

from lockgate.domain.events import Action
from lockgate.domain.notices import Channel, Delivery, DeliveryState
from lockgate.entrypoints.api.app import create_app
from lockgate.kernel.errors import Unavailable
from lockgate.ports.state import DELIVERIES
from lockgate.testing.builders import ANNA, MODEL, happened
from lockgate.testing.company import delivery
from lockgate.testing.notices import MemoryMail, MemoryPost, MemorySecrets
from lockgate.usecases.notice_world import NoticeWorld
from lockgate.usecases.set_webhook import WantedWebhook, add_webhook
from tests.browser.test_pages_in_chromium import CONTRAST, PHONE, UNNAMED, opened
from tests.samples.server import served
from tests.samples.story import Story, begin

pytestmark = pytest.mark.browser


@dataclass(frozen=True)
class Desk:
    story: Story
    post: MemoryPost
    address: str

    def deliveries(self, state: DeliveryState) -> list[Delivery]:
        with self.story.world.state.read() as tx:
            return tx.find(DELIVERIES, state=state.value)


@pytest.fixture
def desk() -> Iterator[Desk]:
    """Two webhooks: one took everything, the other gave two up."""
    story, post = begin(), MemoryPost()
    notices = NoticeWorld(MemorySecrets(), post, MemoryMail())
    said = {"to": "Production", "comment": "better on rainy days, by a tenth of a percent, on all carriers and both airports"}
    wanted = [WantedWebhook(Channel.HTTP, f"https://{host}.example.org/x", ("request:*",)) for host in ("hooks", "ci")]
    made = [add_webhook(story.world, notices, ANNA, one).webhook for one in wanted]
    with story.world.state.write() as tx:
        seq = tx.record(happened(action=Action.REQUEST_CREATED, model=MODEL, version=3, details=said)).seq
        dead = {
            "event": seq,
            "state": DeliveryState.DEAD,
            "attempts": 14,
            "answer": "503 Service Unavailable: upstream connect error",
        }
        for number in range(2):
            tx.put(DELIVERIES, delivery(id=f"dead-{number}", webhook=made[0].id, **dead))
        tx.put(DELIVERIES, delivery(webhook=made[1].id, event=seq, state=DeliveryState.DELIVERED, answer="200", attempts=1))
    with served(create_app(story.world, home=None, control_token="t", notices=notices)) as address:
        yield Desk(story, post, address)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_and_fits_a_phone(browser: Browser, desk: Desk, scheme: str) -> None:
    for size in ((1280, 800), PHONE):
        with opened(browser, desk.address, size, scheme) as page:
            page.goto("/notifications")
            expect(page.get_by_text("2 given up.")).to_be_visible()
            assert page.evaluate(CONTRAST) == []
            assert page.evaluate(UNNAMED) == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_what_was_given_up_is_sent_anew(browser: Browser, desk: Desk) -> None:
    with opened(browser, desk.address) as page:
        page.on("dialog", lambda dialog: dialog.accept("anna"))
        page.goto("/notifications")
        page.get_by_role("button", name="Send event").nth(1).click()
        expect(page.get_by_text("1 given up, 1 waiting.")).to_be_visible()
        page.get_by_role("button", name="Send all 1 anew").click()
        expect(page.get_by_text("2 waiting.").first).to_be_visible()
    assert len(desk.deliveries(DeliveryState.WAITING)) == 2


def test_a_trial_says_what_the_receiver_said(browser: Browser, desk: Desk) -> None:
    with opened(browser, desk.address) as page:
        page.on("dialog", lambda dialog: dialog.accept("anna"))
        page.goto("/notifications")
        page.get_by_role("button", name="Send a trial").first.click()
        expect(page.get_by_role("button", name="The receiver said 200")).to_be_visible()
    assert len(desk.post.sent) == 1


def test_what_is_refused_is_said(browser: Browser, desk: Desk) -> None:
    desk.post.answer = Unavailable("ci.example.org: no answer within 10 s")
    context = browser.new_context(base_url=desk.address)
    page = context.new_page()
    page.on("dialog", lambda dialog: dialog.accept("anna"))
    page.goto("/notifications")
    page.get_by_role("button", name="Send a trial").first.click()
    expect(page.get_by_role("alert")).to_have_text("ci.example.org: no answer within 10 s")
    expect(page.get_by_role("button", name="Send a trial").first).to_be_enabled()
    context.close()
