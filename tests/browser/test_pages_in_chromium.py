"""The pages as a person meets them: drawn, quiet on the console, asking nothing of other hosts, usable by keyboard and phone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from lockgate.boundary import statements
from lockgate.boundary.public_keys import key_id
from lockgate.ports.state import FORMS, RUNS, SCANS, VERSIONS
from lockgate.testing.released import built_form, scan, vulnerability
from lockgate.testing.signer import KeySigner
from tests.samples.story import MODEL, Behaviour, Story

pytestmark = pytest.mark.browser

DESKTOP, PHONE = (1280, 800), (390, 844)
LOOKS = Path(__file__).parent
CONTRAST = (LOOKS / "contrast.js").read_text()
UNNAMED = (LOOKS / "unnamed.js").read_text()
COLOURS = (LOOKS / "colours.js").read_text()


def every_page(story: Story) -> list[str]:
    with story.world.state.read() as tx:
        run = tx.find(RUNS, model=MODEL, newest_first=True, limit=1)[0].id
    rollouts = [f"/rollouts/{story.rollout(version).id}" for version in (1, 2, 3, 4)]
    return [
        "/",
        f"/models/{MODEL}",
        f"/models/{MODEL}/versions/2",
        f"/models/{MODEL}/versions/2/evidence",
        *rollouts,
        "/runs",
        f"/runs/{run}",
        "/audit",
        "/findings",
        "/notifications",
        "/docs",
    ]


@contextmanager
def opened(browser: Browser, address: str, size: tuple[int, int] = DESKTOP, scheme: str = "light") -> Iterator[Page]:
    """A page that fails the test when anything goes wrong on the console or a request leaves the server's own address."""
    wrong: list[str] = []
    context = browser.new_context(
        base_url=address, viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    page.set_default_timeout(8_000)
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda sent: wrong.append(sent.url) if urlsplit(sent.url).netloc != urlsplit(address).netloc else None)
    yield page
    context.close()
    assert not wrong


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_read(browser: Browser, address: str, story: Story, scheme: str) -> None:
    with opened(browser, address, scheme=scheme) as page:
        for path in every_page(story):
            page.goto(path)
            expect(page.locator("h1")).to_have_count(1)
            assert page.locator("html").get_attribute("lang") == "en"
            assert page.title().endswith("Lockgate")
            assert page.locator("main, header, nav").count() >= 3
            assert page.evaluate(CONTRAST) == [], path
            assert page.evaluate(UNNAMED) == [], path


def test_every_page_fits_a_phone(browser: Browser, address: str, story: Story) -> None:
    with opened(browser, address, PHONE) as page:
        for path in every_page(story):
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0], path


def vouch_for(story: Story, number: int, signer: KeySigner) -> None:
    """Papers, a form and a scan, as long as they get."""
    depend = [{"name": "source", "digest": {"gitCommit": "c0ffee" * 6}}, {"name": "data/flights", "digest": {"sha256": "1" * 64}}]
    made = {"buildDefinition": {"resolvedDependencies": depend}, "runDetails": {"builder": {"id": "pkg:pypi/lockgate@1.0.0"}}}
    needs = [{"type": "library", "name": f"library-{n}", "version": "1.0.0", "scope": "required"} for n in range(40)]
    with story.world.state.write() as tx:
        version = tx.get(VERSIONS, MODEL, number)
        assert version is not None
        papers = [
            story.world.artifacts.put(statements.say({"manifest.json": version.digest}, kind, predicate, signer))
            for kind, predicate in ((statements.PROVENANCE, made), (statements.BILL, {"components": needs}))
        ]
        tx.put(VERSIONS, replace(version, provenance=papers[0], sbom=papers[1]))
        tx.put(
            FORMS, built_form(model=MODEL, version=number, pushed="registry.example:5000/team/flight-delay@sha256:" + "2" * 64)
        )
        tx.put(SCANS, scan(model=MODEL, version=number, found=(vulnerability(title="A long story of a crafted model " * 6),)))


@pytest.mark.parametrize(("scheme", "size"), [("light", DESKTOP), ("dark", PHONE)])
def test_what_vouches_for_a_version_can_be_read(
    browser: Browser, address: str, story: Story, scheme: str, size: tuple[int, int]
) -> None:
    signer = KeySigner("home")
    vouch_for(story, 1, signer)
    with opened(browser, address, size, scheme) as page:
        page.goto(f"/models/{MODEL}/versions/1")
        papers = page.locator("section[aria-labelledby=papers]")
        expect(papers).to_contain_text(f"key {key_id(signer.public_key)[:12]}")
        expect(papers).to_contain_text("c0ffeec0ffee")
        expect(papers.get_by_text("library-39 1.0.0")).to_be_hidden()
        papers.get_by_text("40 libraries to run it").click()
        expect(papers.get_by_text("library-39 1.0.0")).to_be_visible()
        expect(page.locator("section[aria-labelledby=forms]")).to_contain_text("registry.example:5000/team/flight-delay")
        expect(page.locator("section[aria-labelledby=scans]")).to_contain_text("A long story")
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        assert page.evaluate(CONTRAST) == []
        assert page.evaluate(UNNAMED) == []


def test_the_charts_are_drawn_and_change_their_axis(browser: Browser, address: str, story: Story) -> None:
    with opened(browser, address) as page:
        page.goto(f"/rollouts/{story.rollout(3).id}")
        expect(page.locator("#charts canvas")).to_have_count(3)
        assert page.evaluate(COLOURS) > 4  # four lines, the boundary, the grid
        expect(page.locator("#chart-harm .u-legend")).to_contain_text("labels")
        page.get_by_role("button", name="requests").press("Enter")
        expect(page.get_by_role("button", name="requests")).to_have_attribute("aria-pressed", "true")
        expect(page.locator("#chart-harm .u-legend")).to_contain_text("requests")


def test_a_running_rollout_is_followed_without_a_reload(browser: Browser, address: str, story: Story) -> None:
    with opened(browser, address) as page:
        page.goto(f"/rollouts/{story.rollout(4).id}")
        expect(page.locator("#charts canvas")).to_have_count(3)
        page.get_by_role("button", name="requests").click()
        page.evaluate("document.querySelector('#charts').dataset.kept = 'yes'")
        before = story.rollout(4).rows
        story.traffic(60, {2: Behaviour(missing=0.085), 4: Behaviour(missing=0.055)})
        expect(page.locator("#charts")).to_have_attribute("data-drawn", str(before + 1), timeout=8_000)
        assert page.locator("#charts").get_attribute("data-kept") == "yes"  # the drawing itself was not thrown away
        expect(page.get_by_role("button", name="requests")).to_have_attribute("aria-pressed", "true")


def test_the_keyboard_reaches_everything(browser: Browser, address: str) -> None:
    with opened(browser, address) as page:
        page.goto("/")
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text("Skip to content")
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text(MODEL)
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text(MODEL)
        page.goto("/runs")
        for name in ("Skip to content", "Lockgate", "Models", "Requests", "Runs", "Findings", "Audit", "Notifications", "API"):
            page.keyboard.press("Tab")
            expect(page.locator(":focus")).to_contain_text(name)
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"


def test_the_story_can_be_clicked_through(browser: Browser, address: str) -> None:
    with opened(browser, address) as page:
        page.goto("/")
        page.get_by_role("link", name=MODEL, exact=True).click()
        page.get_by_role("row", name="v3").get_by_role("link", name="v3").first.click()
        expect(page.locator("h1")).to_contain_text("Version 3")
        page.get_by_role("link", name="Audit").click()
        page.get_by_role("link", name="Verify the whole chain").click()
        expect(page.get_by_role("status")).to_contain_text("The whole chain holds")
        page.get_by_label("Model").select_option("taxi-out")
        page.get_by_role("button", name="Show").click()
        expect(page.locator("tbody tr").first).to_contain_text("taxi-out")
