"""The pages of a model that learns online as a person meets them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, expect

from lockgate.domain.people import Actor
from lockgate.entrypoints.api.app import create_app
from lockgate.entrypoints.reading.learning import learning_of
from lockgate.ports.state import LEARNINGS
from lockgate.usecases.stop_learning import stop_learning
from tests.browser.test_pages_in_chromium import CONTRAST, PHONE, UNNAMED, opened
from tests.samples.learned import TOLLS, learns
from tests.samples.server import served
from tests.samples.story import Story, begin

pytestmark = pytest.mark.browser
PAGES = ("/", f"/models/{TOLLS}", f"/models/{TOLLS}/versions/10", "/rollouts/rollout-10", "/rollouts/rollout-6")


@pytest.fixture(scope="module")
def school() -> Story:
    story = begin()
    learns(story.world)
    story.pass_time(hours=11)
    return story


@pytest.fixture(scope="module")
def learner(school: Story) -> Iterator[str]:
    with served(create_app(school.world, home=None, control_token="t")) as found:
        yield found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_its_pages_can_be_read(browser: Browser, learner: str, scheme: str) -> None:
    with opened(browser, learner, scheme=scheme) as page:
        for path in PAGES:
            page.goto(path)
            expect(page.locator("h1")).to_have_count(1)
            assert page.evaluate(CONTRAST) == [], path
            assert page.evaluate(UNNAMED) == [], path


def test_its_pages_fit_a_phone(browser: Browser, learner: str) -> None:
    with opened(browser, learner, PHONE) as page:
        for path in PAGES:
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0], path


def test_every_checkpoint_is_a_dot_of_its_own(browser: Browser, learner: str) -> None:
    with opened(browser, learner) as page:
        page.goto(f"/models/{TOLLS}")
        drawn = "dots => dots.map((dot) => dot.getBoundingClientRect()).map((box) => [box.x, box.y])"
        places = page.locator(".rates path:has(title)").evaluate_all(drawn)
        assert len({x for x, _ in places}) == 9
        limit = page.locator(".rates path.limit").bounding_box()
        assert limit is not None
        assert limit["y"] < min(y for _, y in places)


def test_the_panel_follows_without_a_reload(browser: Browser, learner: str, school: Story) -> None:
    with opened(browser, learner) as page:
        page.goto(f"/models/{TOLLS}")
        expect(page.locator("#learning-now [role=status]")).to_contain_text("40 wait")
        with school.world.state.write() as tx:
            learning = learning_of(tx, TOLLS).learning
            tx.put(LEARNINGS, replace(learning, learned=9_640, rows=9_640))
        expect(page.locator("#learning-now [role=status]")).to_contain_text("0 wait", timeout=8_000)
        stop_learning(school.world, TOLLS, Actor("ben"), "a bad batch")
        expect(page.locator("#learning-now [role=status]")).to_contain_text("by ben: a bad batch", timeout=8_000)
        expect(page.locator("#learning-now")).not_to_have_attribute("hx-get", re.compile("."))
