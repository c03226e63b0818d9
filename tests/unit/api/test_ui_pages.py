"""Pages as the server renders them: that they say what is so, safely, in every state that a home can be in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from lockgate.domain.events import Event
from lockgate.domain.models import RegisteredModel
from lockgate.domain.rollouts import Phase
from lockgate.entrypoints.reading.chain import first_altered
from lockgate.entrypoints.ui.render import STATIC, duration, evalue, number
from lockgate.ports.state import MODELS, ROLLOUTS, RUNS, VERSIONS, Reader
from lockgate.testing.builders import rollout, version
from lockgate.testing.state import MemoryState
from tests.samples.asgi import Client, client_of
from tests.samples.story import MODEL, Behaviour, Story, ask_and_approve, first_version, register


class Outline(HTMLParser):
    """What a screen reader meets: headings, labels, ids, and what a Content-Security-Policy forbids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.ids: list[str] = []
        self.refers: list[str] = []
        self.forbidden: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if given.get("id"):
            self.ids.append(str(given["id"]))
        self.refers += [str(given[name]) for name in ("aria-labelledby", "for") if given.get(name)]
        self.forbidden += [f"{tag} {name}" for name in given if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and not given.get("src")):
            self.forbidden.append(tag)
        self.links += [str(given[name]) for name in ("href", "src", "hx-get", "data-series") if given.get(name)]


def addresses(story: Story) -> list[str]:
    with story.world.state.read() as tx:
        rollouts = [f"/rollouts/{one.id}" for one in tx.find(ROLLOUTS)]
        runs = [f"/runs/{one.id}" for one in tx.find(RUNS)]
    models = [
        "/",
        f"/models/{MODEL}",
        "/models/fares",
        "/models/taxi-out",
        *(f"/models/{MODEL}/versions/{n}" for n in (1, 2, 3, 4)),
        f"/models/{MODEL}/versions/2/evidence",
    ]
    return [*models, *rollouts, "/runs", f"/runs?model={MODEL}", *runs, "/audit", "/audit?verify=all", "/findings", "/docs"]


def test_every_page_is_well_formed_and_needs_nothing_from_elsewhere(told: Story, reader: Client) -> None:
    for address in addresses(told):
        answer = reader.page(address)
        assert answer.status == 200, (address, answer.text)
        page = Outline(answer.text)
        assert page.headings.count(1) == 1, address
        assert all(later - before <= 1 for before, later in zip(page.headings, page.headings[1:], strict=False)), address
        assert len(set(page.ids)) == len(page.ids), address
        assert set(page.refers) <= set(page.ids), address
        assert not page.forbidden, address
        assert all(link.startswith(("/", "#", "?")) for link in page.links), address


def test_every_link_leads_somewhere(told: Story, reader: Client) -> None:
    seen: set[str] = set()
    waiting = ["/"]
    while waiting:
        address = waiting.pop()
        answer = reader.page(address)
        assert answer.status in (200, 204), address
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        for link in Outline(answer.text).links:
            target = link if link.startswith("/") else address.partition("?")[0] + link if link.startswith("?") else ""
            target = target.partition("#")[0]
            if target and target not in seen:
                seen.add(target)
                waiting.append(target)
    assert f"/models/{MODEL}/versions/2" in seen
    assert any(link.startswith("/static/vendor/") for link in seen)


def test_the_first_page_says_what_is_live_on_trial_and_asked_for(reader: Client) -> None:
    text = reader.page("/").text
    assert "answers 75 %" in text
    assert "Version 4 takes 25 % of units" in text
    assert "ann asks for" in text
    assert "lockgate approve request-" in text
    assert "2 workers at revision" in text


def test_an_empty_home_tells_the_next_step(client: Client) -> None:
    text = client.page("/").text
    assert "lockgate init" in text
    assert "lockgate run" in text
    for address in ("/runs", "/audit", "/findings"):
        assert client.page(address).status == 200


def test_a_harmful_rollout_tells_its_outcome(told: Story, reader: Client) -> None:
    text = reader.page(f"/rollouts/{told.rollout(3).id}").text
    outcome = told.rollout(3).outcome
    assert outcome is not None
    assert "did harm on labels and was sent home" in text
    assert number(outcome.requests) in text
    assert number(outcome.exposed_units) in text
    assert "hx-trigger" not in text  # it is over: nothing to ask for


def test_a_page_that_is_open_is_only_sent_what_has_changed(empty: Story) -> None:
    client = client_of(empty)
    first_version(empty)
    register(empty, auc=0.7, months=[1], commit="c")
    ask_and_approve(empty, 2, "")
    empty.traffic(50, {1: Behaviour(), 2: Behaviour()})
    for address in ("/", f"/rollouts/{empty.rollout(2).id}"):
        poll = next(link for link in Outline(client.page(address).text).links if "seen=" in link)
        assert client.page(poll).status == 204
        empty.traffic(50, {1: Behaviour(), 2: Behaviour()})
        changed = client.page(poll)
        assert changed.status == 200
        assert "<html" not in changed.text


@pytest.mark.parametrize("phase", list(Phase))
def test_a_rollout_is_shown_in_every_phase_even_before_anything_was_seen(empty: Story, phase: Phase) -> None:
    made = rollout(phase=phase, step=-1 if phase is Phase.PREPARING else 0)
    with empty.world.state.write() as tx:
        tx.put(ROLLOUTS, made)
        tx.put(ROLLOUTS, replace(made, id="rollout-plain", steps=(), step=-1, baseline=None))
        tx.put(MODELS, RegisteredModel(MODEL, made.started_at, 2))
    client = client_of(empty)
    assert "No observation yet" in client.page("/rollouts/rollout-1").text
    assert client.page("/rollouts/rollout-plain").status == 200
    assert client.page("/").status == 200


def test_what_people_write_is_never_markup(empty: Story) -> None:
    client = client_of(empty)
    bad = "<script>alert(1)</script>"
    register(empty, auc=0.7, months=[1], commit=bad, model="m", cause=bad)
    client.post("/api/v1/requests", {"model": "m", "version": 1, "to_stage": "Staging", "comment": bad}, actor=bad)
    for address in ("/", "/models/m", "/models/m/versions/1", "/runs", "/audit"):
        text = client.page(address).text
        assert bad not in text, address
        assert Outline(text).forbidden == []
    assert "&lt;script&gt;" in client.page("/audit").text


def test_a_package_that_is_gone_or_damaged_does_not_hide_the_rest(empty: Story) -> None:
    made = register(empty, auc=0.7, months=[1], commit="c")
    client = client_of(empty)
    artifacts: Any = empty.world.artifacts
    artifacts.damage(made.digest, b"other")
    damaged = client.page(f"/models/{MODEL}/versions/1")
    assert damaged.status == 200
    assert 'role="alert"' in damaged.text
    gone = version(2, model=MODEL)
    with empty.world.state.write() as tx:
        tx.put(VERSIONS, gone)
    assert "does not hold this package" in client.page(f"/models/{MODEL}/versions/2").text


def test_a_page_that_is_not_there_says_so(reader: Client) -> None:
    for address in ("/nothing", "/models/nothing", "/rollouts/nothing", "/runs/nothing", f"/models/{MODEL}/versions/x"):
        answer = reader.page(address)
        assert answer.status == 404
        assert answer.headers["content-type"].startswith("text/html")
        assert Outline(answer.text).headings == [1]


def test_an_altered_event_is_seen(told: Story) -> None:
    with told.world.state.read() as tx:
        events: list[Event] = tx.events(limit=10)
    assert first_altered(events) is None
    events[6] = replace(events[6], happened=replace(events[6].happened, actor="mallory"))
    broken = first_altered(events)
    assert broken is not None
    assert broken.seq == 7


class CountingState:
    """A state that counts what is asked of it."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state
        self.asked = 0

    def write(self) -> Any:
        return self._state.write()

    @contextmanager
    def read(self) -> Iterator[Reader]:
        with self._state.read() as tx:
            counted: Any = _Counting(tx, self)
            yield counted


class _Counting:
    def __init__(self, tx: Reader, counter: CountingState) -> None:
        self._tx = tx
        self._counter = counter

    def __getattr__(self, name: str) -> Any:
        self._counter.asked += 1
        return getattr(self._tx, name)


def test_many_models_cost_few_reads_each(empty: Story) -> None:
    for index in range(25):
        register(empty, auc=0.7, months=[1], commit="c", model=f"model-{index:02}")
    memory: Any = empty.world.state
    counting = CountingState(memory)
    state: Any = counting
    empty.world = replace(empty.world, state=state)
    client_of(empty).page("/")
    assert counting.asked <= 25 * 8 + 40


def test_numbers_are_spelt_for_people() -> None:
    assert [duration(value) for value in (None, 0.004, 0.42, 12.0, 200.0, 3600.0, 7500.0)] == [
        "–", "4 ms", "0.4 s", "12 s", "3 min 20 s", "1 h", "2 h 5 min",
    ]  # fmt: skip
    assert [number(value) for value in (0, 12, 1234567, 0.5, 0.123456, -0.005)] == [
        "0", "12", "1\u202f234\u202f567", "0.5", "0.1235", "−0.005",
    ]  # fmt: skip
    assert [evalue(value) for value in (None, 0.0, 3.0, 5.0, 20.0)] == ["–", "1.00", "20", "148", "> 10⁶"]


def test_vendored_files_have_their_licences() -> None:
    vendor = STATIC / "vendor"
    listed = (vendor / "README.md").read_text()
    for file in vendor.iterdir():
        assert f"`{file.name}`" in listed or file.name == "README.md", file.name
