"""A contest's page in the browser: its shares over time are drawn, and follow what changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, expect

from lockgate.domain.rollouts import RampStep, Rollout
from lockgate.ports.state import ROLLOUTS
from lockgate.testing.clock import START
from tests.browser.test_pages_in_chromium import CONTRAST, UNNAMED, opened
from tests.samples.story import Story
from tests.unit.api.test_contest_pages import contest, keep

pytestmark = pytest.mark.browser

DEALT = [(1.0, 0.0, 0.0), (0.34, 0.33, 0.33), (0.3, 0.45, 0.25), (0.2, 0.64, 0.16), (0.12, 0.83, 0.05), (0.05, 0.9, 0.05)]


def dealt(changes: int) -> Rollout:
    ramp = tuple(
        RampStep(0, 5 + place, 1 - shares[0], START + timedelta(days=3 * place), shares)
        for place, shares in enumerate(DEALT[:changes])
    )
    return contest(id="rollout-of-arms", ramp=ramp)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_shares_of_a_contest_are_drawn_and_followed(browser: Browser, address: str, story: Story, scheme: str) -> None:
    running = dealt(5)
    keep(story, running)
    with opened(browser, address, scheme=scheme) as page:
        page.goto(f"/rollouts/{running.id}")
        expect(page.locator("#shares canvas")).to_have_count(1)
        expect(page.locator("#chart-shares .u-legend")).to_contain_text("version 1 (champion)")
        expect(page.locator("#chart-shares .u-legend")).to_contain_text("83 %")
        assert page.evaluate(CONTRAST) == []
        assert page.evaluate(UNNAMED) == []
        page.evaluate("document.querySelector('#shares').dataset.kept = 'yes'")
        with story.world.state.write() as tx:
            tx.put(ROLLOUTS, replace(dealt(6), rows=2))
        expect(page.locator("#chart-shares .u-legend")).to_contain_text("90 %", timeout=8_000)
        assert page.locator("#shares").get_attribute("data-kept") == "yes"
