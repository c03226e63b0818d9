"""The audit log over HTTP: filtered, page by page, and what stood where at a time."""

from __future__ import annotations

import html
from datetime import timedelta
from urllib.parse import quote

from lockgate.domain.events import Action
from lockgate.domain.models import Stage
from lockgate.ports.state import MODELS, VERSIONS
from lockgate.testing import builders as a
from lockgate.testing.clock import START
from lockgate.usecases.apply_stage import apply_stage
from tests.samples.asgi import Client, client_of
from tests.samples.story import Story

EVENTS = 120


def _happen(story: Story) -> None:
    with story.world.state.write() as tx:
        tx.add(MODELS, a.registered_model())
        for number in range(EVENTS):
            action = Action.FINDING_RECORDED if number % 10 else Action.COMMENT_ADDED
            at = START + number * timedelta(minutes=1)
            tx.record(a.happened(action=action, actor=("anna", "ben & co")[number % 2], at=at, model=a.MODEL))


def _shown(text: str) -> list[int]:
    return [int(part.partition('"')[0]) for part in text.split('<tr id="event-')[1:]]


def _link(text: str, rel: str) -> str | None:
    _, found, rest = text.partition(f'<a rel="{rel}" href="')
    return f"/audit{html.unescape(rest.partition(chr(34))[0])}" if found else None


def test_older_leads_to_the_first_event_and_newer_back(empty: Story) -> None:
    _happen(empty)
    client = client_of(empty)
    pages = [client.page("/audit").text]
    assert _link(pages[0], "prev") is None
    while (older := _link(pages[-1], "next")) is not None:
        pages.append(client.page(older).text)
        newer = _link(pages[-1], "prev")
        assert newer is not None
        assert _shown(client.page(newer).text) == _shown(pages[-2])
    assert [seq for page in pages for seq in _shown(page)] == list(range(EVENTS, 0, -1))


def test_filters_are_kept_from_page_to_page(empty: Story) -> None:
    _happen(empty)
    client = client_of(empty)
    first = client.page("/audit?action=watch:*&actor=" + quote("ben & co")).text
    assert all(seq % 2 == 0 for seq in _shown(first))
    older = _link(first, "next")
    assert older is not None
    assert _shown(first + client.page(older).text) == [seq for seq in range(EVENTS, 0, -1) if seq % 2 == 0]
    some = client.page("/audit?action=*:added&since=2026-01-05T09:15&until=2026-01-05T09:40").text
    assert _shown(some) == [41, 31, 21]
    assert "Nothing of that kind has happened" in client.page("/audit?model=another").text


def test_a_filter_that_cannot_be_understood_says_so(client: Client) -> None:
    for address in ("/audit?since=yesterday", "/audit?action=nothing:*", "/audit/at?time=never"):
        answer = client.page(address)
        assert (answer.status, "expected" in answer.text or "no action is like" in answer.text) == (400, True), address
    assert client.get("/api/v1/events?until=never").status == 400


def test_events_over_rest_from_both_ends(empty: Story) -> None:
    _happen(empty)
    client = client_of(empty)
    asked, seen = "/api/v1/events?newest_first=true&limit=7&action=*:added", []
    answer = client.get(asked).json
    while True:
        seen += [one["seq"] for one in answer["items"]]
        if answer["next_before"] is None:
            break
        answer = client.get(f"{asked}&before={answer['next_before']}").json
    assert seen == list(range(111, 0, -10))
    first = client.get("/api/v1/events?limit=2&actor=anna&since=2026-01-05T09:10:00Z").json
    assert ([one["seq"] for one in first["items"]], first["next_after"]) == ([11, 13], 13)


def test_what_stood_where_is_told_over_rest_and_on_a_page(empty: Story) -> None:
    with empty.world.state.write() as tx:
        tx.add(MODELS, a.registered_model(latest_version=2))
        for number in (1, 2):
            tx.add(VERSIONS, a.version(number))
            apply_stage(tx, a.version(number), Stage.PRODUCTION, a.BEN, START + timedelta(days=number))
    client = client_of(empty)
    then = client.get("/api/v1/audit/at?time=2026-01-06T12:00:00Z").json
    assert [(one["version"], one["stage"]) for one in then["stages"]] == [(1, "Production")]
    assert [(one["alias"], one["version"]) for one in then["aliases"]] == [("champion", 1)]
    later = "/api/v1/audit/at?time=2026-01-08"
    assert [one["version"] for one in client.get(later).json["stages"]] == [2]
    assert [one["version"] for one in client.get(later + "&archived=true").json["stages"]] == [2, 1]
    page = client.page("/audit/at?time=2026-01-08T00:00").text
    assert "/models/flight-delay/versions/2" in page
    assert "1 version was archived" in page
    assert "nothing had happened yet" in client.page("/audit/at?time=1999-01-01").text
