"""A model card by REST and as a page; what waits for people, with the reasons for and against."""

from __future__ import annotations

from typing import Any

import pytest

from lockgate.domain.models import Stage, TransitionRequest
from lockgate.domain.people import Actor
from lockgate.domain.policy import StageRule
from lockgate.entrypoints.reading.asked import open_requests
from lockgate.ports.state import POLICIES
from lockgate.testing.company import policy, policy_record
from lockgate.usecases.decide_request import approve_request
from lockgate.usecases.request_transition import request_transition
from lockgate.usecases.write_card import write_card
from tests.samples.asgi import Client
from tests.samples.story import ANN, MODEL, Story, register


def test_a_card_is_markdown_by_rest_and_text_on_its_page(reader: Client) -> None:
    answer = reader.get(f"/api/v1/models/{MODEL}/versions/2/card")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/markdown; charset=utf-8")
    assert answer.text.startswith(f"# {MODEL}, version 2\n")
    page = reader.get(f"/models/{MODEL}/versions/2/card", headers={"accept": "text/html"})
    assert page.status == 200
    assert f"# {MODEL}, version 2" in page.text
    assert reader.get(f"/api/v1/models/{MODEL}/versions/99/card").status == 404
    assert f"/models/{MODEL}/versions/2/card" in reader.get(f"/models/{MODEL}/versions/2").text


def test_every_open_request_is_listed_with_what_a_decision_goes_by(reader: Client) -> None:
    page = reader.get("/requests").text
    for said in ("taxi-out v1", "Production", "ann", "0 of 1", "quality PASS", "Your yes speaks of", 'data-act="approve"'):
        assert said in page
    assert "onclick" not in page
    assert "<script>" not in page


def test_nothing_waits_on_an_empty_home(client: Client) -> None:
    assert "Nothing waits for anybody." in client.get("/requests").text


def test_the_same_record_makes_the_same_card_and_another_record_another(told: Story) -> None:
    first = write_card(told.world, MODEL, 2)
    assert first == write_card(told.world, MODEL, 2)
    for said in ("Production since", "by controller", "ben: yes", "carla", "Aliases: champion", "| input | distance | FP32 |"):
        assert said in first
    assert write_card(told.world, MODEL, 3) != first


@pytest.fixture
def asked(empty: Story) -> TransitionRequest:
    """In a home of its own: what is asked here is decided here."""
    register(empty, auc=0.671, months=[1, 2], commit="3f1c9a7e2b60")
    return request_transition(empty.world, MODEL, 1, Stage.STAGING, ANN)


def open_for(story: Story, reader: Actor | None) -> list[tuple[str, bool, int]]:
    with story.world.state.read() as tx:
        return [(one.against, one.mine, one.yes) for one in open_requests(tx, story.clock.now(), reader)]


def set_policy(story: Story, **rule: Any) -> None:
    of_stages = policy(stages={Stage.STAGING.value: StageRule(**{"need": 2, "roles": ("approvers",), **rule})})
    with story.world.state.write() as tx:
        tx.put(POLICIES, policy_record(policy=of_stages, digest=f"sha256:{len(rule)}"))


@pytest.mark.usefixtures("asked")
def test_who_reads_is_told_what_is_against_it(empty: Story) -> None:
    assert open_for(empty, None) == [("", False, 0)]
    ((against, mine, _),) = open_for(empty, ANN)
    assert "ann is the requester" in against
    assert mine
    assert open_for(empty, Actor("zoe")) == [("", False, 0)]


@pytest.mark.usefixtures("asked")
def test_a_changed_policy_voids_what_was_said_and_the_page_says_so(empty: Story, client: Client) -> None:
    assert "have changed since" not in client.get("/requests").text
    set_policy(empty)
    page = client.get("/requests").text
    assert "have changed since this was asked" in page
    assert "0 of 2" in page
    assert "by approvers" in page


def test_a_word_that_was_given_counts_until_the_policy_changes(empty: Story, asked: TransitionRequest, client: Client) -> None:
    set_policy(empty)
    approve_request(empty.world, asked.id, Actor("dora"), "Fine.")
    assert open_for(empty, Actor("dora")) == [("You have decided it already.", False, 1)]
    assert "dora approved" in client.get("/requests").text
    set_policy(empty, need=3)
    assert open_for(empty, Actor("dora")) == [("", False, 0)]
    assert "dora approved" not in client.get("/requests").text


@pytest.mark.usefixtures("asked")
def test_what_has_expired_waits_for_nobody(empty: Story) -> None:
    empty.pass_time(days=30)
    assert open_for(empty, None) == []
