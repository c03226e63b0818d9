"""People decide on the pages: a second one says yes and the way opens; who asked is told why they may not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from lockgate.domain.models import RequestState, Stage
from lockgate.domain.policy import Policy, StageRule
from lockgate.entrypoints.api.app import create_app
from lockgate.ports.state import COMMENTS, POLICIES, REQUESTS, ROLLOUTS, VERSIONS
from lockgate.testing.company import policy_record
from lockgate.usecases.request_transition import request_transition
from tests.browser.test_pages_in_chromium import CONTRAST, UNNAMED, opened
from tests.samples.people import token_for
from tests.samples.server import served
from tests.samples.story import ANN, Story, tell

pytestmark = pytest.mark.browser
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def own(tmp_path: Path) -> Story:
    """A story of its own: what is decided here is decided."""
    return tell(tmp_path)


@pytest.fixture
def own_address(own: Story) -> Iterator[str]:
    with served(create_app(own.world, home=own.home, control_token="t")) as found:
        yield found


def state_of(own: Story, request_id: str) -> RequestState:
    with own.world.state.read() as tx:
        found = tx.get(REQUESTS, request_id)
    assert found is not None
    return found.state


def test_a_second_person_approves_by_keyboard_and_the_version_is_rolled_out(
    browser: Browser, own: Story, own_address: str
) -> None:
    asked = request_transition(own.world, "fares", 1, Stage.STAGING, ANN, HOSTILE)
    with opened(browser, own_address) as page:
        page.goto("/")
        expect(page.get_by_role("navigation", name="Main").get_by_role("link", name="Requests 2")).to_be_visible()
        page.goto("/requests")
        page.get_by_label("You act as").fill("ben")
        card = page.locator("article", has_text="fares v1")
        expect(card).to_contain_text(HOSTILE)
        expect(card).to_contain_text("0 of 1")
        card.get_by_label("Comment").fill("Fine.")
        page.keyboard.press("Enter")  # decides nothing: it does not say which way
        page.keyboard.press("Tab")
        expect(card.get_by_role("button", name="Approve")).to_be_focused()
        page.keyboard.press("Enter")
        told = page.get_by_role("status").filter(has_text="Approved")
        expect(told).to_have_text("fares v1 → Staging: Approved: the way to Staging is open.")
        expect(told).to_be_focused()
        expect(card).to_have_count(0)
        expect(page.get_by_role("navigation", name="Main").get_by_role("link", name="Requests 1")).to_be_visible()
        page.reload()
        expect(told).to_have_count(0)  # said once
        assert page.locator("img").count() == 0
    assert state_of(own, asked.id) is RequestState.APPROVED
    with own.world.state.read() as tx:
        stands = [one.stage for one in tx.find(VERSIONS, model="fares")]
        assert stands == [Stage.STAGING] or tx.find(ROLLOUTS, model="fares")
        (decision,) = tx.get(REQUESTS, asked.id).decisions  # type: ignore[union-attr]
    assert (decision.by, decision.comment) == ("ben", "Fine.")


def test_who_asked_is_refused_and_told_why_and_may_take_it_back(browser: Browser, own: Story, own_address: str) -> None:
    asked = request_transition(own.world, "fares", 1, Stage.STAGING, ANN)
    context = browser.new_context(base_url=own_address)
    page = context.new_page()
    page.set_default_timeout(8_000)
    page.goto("/requests")
    card = page.locator("article", has_text="fares v1")
    card.get_by_role("button", name="Approve").click()
    expect(card.get_by_role("status")).to_contain_text("Say who acts first.")
    expect(page.get_by_label("You act as")).to_be_focused()
    page.get_by_label("You act as").fill("ann")
    card.get_by_role("button", name="Approve").click()
    expect(card.get_by_role("status")).to_contain_text("ann is the requester of")
    expect(card.get_by_role("status")).to_contain_text("Ask somebody else")
    assert state_of(own, asked.id) is RequestState.OPEN
    card.get_by_role("button", name="Take back").click()
    expect(page.get_by_role("status").filter(has_text="fares v1 → Staging: It is taken back.")).to_be_visible()
    expect(card).to_have_count(0)
    assert state_of(own, asked.id) is RequestState.CANCELLED
    context.close()


def test_on_its_own_page_a_version_is_asked_for_and_spoken_of(browser: Browser, own: Story, own_address: str) -> None:
    with opened(browser, own_address) as page:
        page.goto("/models/fares/versions/1")
        page.get_by_label("You act as").fill("Žofie")
        page.get_by_label("Stage", exact=True).select_option("Staging")
        page.locator("form[data-ask]").get_by_label("Comment").fill("It is time.")
        page.get_by_role("button", name="Ask").click()
        expect(page.locator(".asked")).to_contain_text("Žofie asked")
        page.locator("form[data-comment]").get_by_label("Comment").fill(HOSTILE)
        page.get_by_role("button", name="Comment", exact=True).click()
        expect(page.locator(".timeline")).to_contain_text(HOSTILE)
        assert page.locator("img").count() == 0
    with own.world.state.read() as tx:
        (request,) = tx.find(REQUESTS, model="fares")
        (comment,) = tx.find(COMMENTS, model="fares")
    assert (request.requester, request.to_stage, request.comment) == ("Žofie", Stage.STAGING, "It is time.")
    assert (comment.by, comment.text) == ("Žofie", HOSTILE)


def test_a_yes_that_needs_more_is_counted_at_once(browser: Browser, own: Story, own_address: str) -> None:
    rule = StageRule(need=2, excluded=("requester",))
    with own.world.state.write() as tx:
        tx.put(POLICIES, policy_record(policy=Policy(stages={Stage.STAGING.value: rule})))
    asked = request_transition(own.world, "fares", 1, Stage.STAGING, ANN)
    for path in ("/requests", "/models/fares/versions/1"):
        with opened(browser, own_address) as page:
            page.goto(path)
            page.get_by_label("You act as").fill("ben" if path == "/requests" else "dora")
            card = page.locator(f"form[data-request={asked.id}]")
            card.get_by_role("button", name="Approve").click()
            if path == "/requests":
                expect(card).to_contain_text("1 of 2")
                expect(card).to_contain_text("ben approved")
            else:
                expect(card).to_have_count(0)
                expect(page.locator(".log")).to_contain_text("dora approved")
    assert state_of(own, asked.id) is RequestState.APPROVED


def test_chips_stand_in_their_lines(browser: Browser, own: Story, own_address: str) -> None:
    """What asks a person is amber, and a word of its own line: nothing of a form's looks."""
    request_transition(own.world, "fares", 1, Stage.STAGING, ANN)
    with opened(browser, own_address) as page:
        page.goto("/models/fares")
        chip = page.locator(".chip.ask")
        expect(chip).to_have_text("open")
        assert chip.evaluate("one => getComputedStyle(one).marginTop") == "0px"


def test_the_log_can_be_filtered_on_a_phone(browser: Browser, own_address: str) -> None:
    """Each label stands in one line with its field."""
    with opened(browser, own_address, (400, 800)) as page:
        page.goto("/audit")
        for label in ("Model", "What", "Who", "From (UTC)", "to"):
            field = page.get_by_label(label, exact=True).bounding_box()
            above = page.locator(f"label:text-is('{label}')").bounding_box()
            assert field is not None
            assert above is not None
            assert abs(field["y"] + field["height"] / 2 - above["y"] - above["height"] / 2) < 8, label
            assert field["x"] > above["x"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_can_be_read_and_fit_a_phone(browser: Browser, own: Story, own_address: str, scheme: str) -> None:
    request_transition(own.world, "fares", 1, Stage.STAGING, ANN, "word" * 60)
    with opened(browser, own_address, (400, 800), scheme) as page:
        for path in ("/", "/requests", "/models/fares", "/models/fares/versions/1", "/models/fares/versions/1/card"):
            page.goto(path)
            expect(page.locator("h1")).to_have_count(1)
            assert page.evaluate("document.documentElement.scrollWidth") <= 400, path
            assert page.evaluate(CONTRAST) == [], path
            assert page.evaluate(UNNAMED) == [], path


def test_who_is_signed_in_is_shown_what_they_may_and_why_not(browser: Browser, own: Story) -> None:
    request_transition(own.world, "fares", 1, Stage.STAGING, ANN)
    tokens = {name: token_for(own.world, name) for name in ("ann", "ben")}
    with served(create_app(own.world, home=own.home, control_token="t")) as address:
        for name, refused in (("ann", True), ("ben", False)):
            with opened(browser, address) as page:
                page.goto("/login")
                page.get_by_label("Access token").fill(tokens[name])
                page.keyboard.press("Enter")
                page.wait_for_url(f"{address}/")
                page.goto("/requests")
                expect(page.get_by_label("You act as")).to_have_count(0)
                card = page.locator("article", has_text="fares v1")
                expect(card.get_by_role("button", name="Approve")).to_have_count(0 if refused else 1)
                expect(card.get_by_role("button", name="Take back")).to_have_count(1 if refused else 0)
                if refused:
                    expect(card).to_contain_text("ann is the requester of this request and may not decide it")
                else:
                    card.get_by_role("button", name="Approve").click()
                    expect(page.get_by_role("status").filter(has_text="the way to Staging is open.")).to_be_visible()
    with own.world.state.read() as tx:
        (request,) = tx.find(REQUESTS, model="fares")
        approved = [one.happened for one in tx.events(subject=request.id)][-1]
    assert (approved.actor, approved.authenticated) == ("ben", True)
