"""Signing in and out as a person does it: by token, by an identity provider, by a link from somewhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from lockgate.domain.events import Action
from lockgate.entrypoints.api.app import create_app
from lockgate.integrations.oidc.provider import OidcProvider
from lockgate.project.identity_file import IdentityFile
from tests.samples.openid import CLIENT, SECRET, provided
from tests.samples.people import token_for
from tests.samples.server import served
from tests.samples.story import MODEL, Story, begin, register

pytestmark = pytest.mark.browser

LOOKS = Path(__file__).parent
CONTRAST = (LOOKS / "contrast.js").read_text()
UNNAMED = (LOOKS / "unnamed.js").read_text()
WRITE = f"lockgate.send('POST', '/api/v1/requests', {{model: '{MODEL}', version: 1, to_stage: 'Production'}})"
WITHOUT = """
fetch('/api/v1/requests', {method: 'POST', headers: {'content-type': 'application/json'}, body: '{}'}).then((one) => one.status)
"""


@dataclass
class Closed:
    story: Story
    address: str
    token: str

    def actors(self) -> list[tuple[str, bool]]:
        with self.story.world.state.read() as tx:
            asked = [event.happened for event in tx.events() if event.happened.action is Action.REQUEST_CREATED]
        return [(one.actor, one.authenticated) for one in asked]


@pytest.fixture(scope="module")
def closed() -> Iterator[Closed]:
    story = begin()
    register(story, auc=0.671, months=[1, 2], commit="3f1c9a7e2b60")
    token = token_for(story.world, "carl")
    with provided(story.clock) as provider:
        file = IdentityFile(issuer=provider.issuer, client_id=CLIENT, name="Example", create=True)
        identity = OidcProvider(file, SECRET, story.clock)
        with served(create_app(story.world, home=None, control_token="t", identity=identity)) as address:
            yield Closed(story, address, token)


@contextmanager
def opened(browser: Browser, closed: Closed) -> Iterator[Page]:
    """A browser in which nobody is signed in, and whose pages have no faults. Waits pass, so that nobody is slowed down."""
    closed.story.clock.advance(60)
    wrong: list[str] = []
    context = browser.new_context(base_url=closed.address)
    page = context.new_page()
    page.set_default_timeout(8_000)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    context.close()
    assert not wrong


def sign_in(page: Page, token: str) -> None:
    page.get_by_label("Access token").fill(token)
    page.get_by_role("button", name="Sign in").click()


def test_in_by_token_a_write_and_out(browser: Browser, closed: Closed) -> None:
    with opened(browser, closed) as page:
        page.goto("/audit?page=1")
        expect(page).to_have_url(f"{closed.address}/login?next=/audit%3Fpage%3D1")
        assert page.evaluate(CONTRAST) == []
        assert page.evaluate(UNNAMED) == []
        sign_in(page, "lgu_wrong")
        expect(page.get_by_role("alert")).to_contain_text("unknown")
        sign_in(page, f" {closed.token} ")
        expect(page).to_have_url(f"{closed.address}/audit?page=1")
        expect(page.locator("header.beam")).to_contain_text("carl")
        assert page.evaluate("document.cookie") == ""
        assert page.evaluate(WITHOUT) == 403
        assert page.evaluate(WRITE)["requester"] == "carl"
        assert closed.actors() == [("carl", True)]
        assert page.evaluate(CONTRAST) == []
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_url(f"{closed.address}/login")
        page.goto("/")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_on_an_open_server_a_write_asks_once_for_a_name(browser: Browser, closed: Closed) -> None:
    story = begin()
    register(story, auc=0.671, months=[1, 2], commit="3f1c9a7e2b60")
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.accept(" Åsa ")

    with served(create_app(story.world, home=None, control_token="t")) as address:
        opened_here = Closed(story, address, "")
        with opened(browser, opened_here) as page:
            page.on("dialog", answer)
            page.goto("/")
            expect(page.locator("header.beam")).not_to_contain_text("Sign out")
            assert page.evaluate(WRITE)["requester"] == "Åsa"
            said = page.evaluate(WRITE + ".catch((error) => [error.status, error.message])")
            assert said[0] == 409
    assert len(asked) == 1
    assert opened_here.actors() == [("Åsa", False)]


def test_in_by_an_identity_provider(browser: Browser, closed: Closed) -> None:
    with opened(browser, closed) as page:
        page.goto("/runs")
        page.get_by_role("link", name="Sign in with Example").click()
        expect(page).to_have_url(f"{closed.address}/runs")
        expect(page.locator("header.beam")).to_contain_text("carl@example.org")


def test_a_link_from_elsewhere_finds_who_is_signed_in(browser: Browser, closed: Closed) -> None:
    def mail(request: Request) -> HTMLResponse:
        return HTMLResponse(f'<a href="{request.query_params["to"]}">look</a>')

    with served(Starlette(routes=[Route("/", mail)])) as elsewhere, opened(browser, closed) as page:
        page.goto("/login")
        sign_in(page, closed.token)
        expect(page.locator("header.beam")).to_contain_text("carl")
        other = elsewhere.replace("127.0.0.1", "localhost")  # another site: cookies of SameSite=Strict stay behind
        page.goto(f"{other}/?to={quote(closed.address + '/audit')}")
        page.get_by_role("link", name="look").click()
        expect(page).to_have_url(f"{closed.address}/audit")
        expect(page.locator("header.beam")).to_contain_text("carl")
