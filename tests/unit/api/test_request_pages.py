"""What became of requests, on every page that shows them: every state, who said yes alone, and what may be asked for."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum

import pytest

from lockgate.domain.models import RequestState, Stage, TransitionRequest
from lockgate.domain.people import Actor
from lockgate.domain.policy import BreakGlassRule, StageRule
from lockgate.domain.rollouts import Phase
from lockgate.domain.runs import RunStatus, StepStatus
from lockgate.domain.verdicts import GateVerdict, JudgeVerdict
from lockgate.entrypoints.reading import tones
from lockgate.ports.state import POLICIES, REQUESTS, VERSIONS, WAIVERS
from lockgate.testing.builders import gate_result
from lockgate.testing.company import edge, policy, policy_record, waiver
from lockgate.usecases.break_glass import break_glass
from lockgate.usecases.decide_request import approve_request
from lockgate.usecases.request_transition import request_transition
from lockgate.usecases.write_card import write_card
from tests.samples.asgi import Client
from tests.samples.story import ANN, BEN, MODEL, Story, register

PAGES = (f"/models/{MODEL}", f"/models/{MODEL}/versions/1")
WHY = "the champion does harm"


@pytest.fixture
def asked(empty: Story) -> TransitionRequest:
    register(empty, auc=0.671, months=[1, 2], commit="3f1c9a7e2b60")
    return request_transition(empty.world, MODEL, 1, Stage.STAGING, ANN, "Have a look.")


@pytest.mark.parametrize(
    ("table", "states"),
    [
        (tones.REQUEST_TONE, RequestState),
        (tones.RUN_TONE, RunStatus),
        (tones.STEP_TONE, StepStatus),
        (tones.GATE_TONE, GateVerdict),
        (tones.PHASE_TONE, Phase),
        (tones.VERDICT_TONE, JudgeVerdict),
    ],
)
def test_every_state_has_a_tone(table: dict[StrEnum, tones.Tone], states: type[StrEnum]) -> None:
    assert set(table) == set(states)


@pytest.mark.parametrize("state", RequestState)
def test_a_request_in_every_state_can_be_shown(
    empty: Story, client: Client, asked: TransitionRequest, state: RequestState
) -> None:
    with empty.world.state.write() as tx:
        tx.put(REQUESTS, replace(asked, state=state))
    for path in ("/", *PAGES, "/requests"):
        assert client.get(path).status == 200, path
    assert f"</span>{state.value}</span>" in client.get(PAGES[0]).text


@pytest.mark.usefixtures("asked")
def test_a_request_whose_time_is_over_is_shown_as_expired_before_anybody_wrote_it_down(empty: Story, client: Client) -> None:
    assert "Decide it" in client.get(PAGES[0]).text
    empty.pass_time(days=30)
    for path in PAGES:
        page = client.get(path).text
        assert "</span>expired</span>" in page, path
        assert "Decide it" not in page


def test_an_open_request_leads_to_where_it_is_decided(client: Client, asked: TransitionRequest) -> None:
    for path in ("/", PAGES[0]):
        page = client.get(path).text
        assert f'<a href="/requests#asked-{asked.id}">' in page, path
        assert re.search(r"\s<code>lockgate approve", page), path
    assert f'id="asked-{asked.id}"' in client.get("/requests").text


def test_what_a_decision_goes_by_is_named_and_linked(client: Client, asked: TransitionRequest) -> None:
    page = client.get("/requests").text
    for said in ("auc &gt;= 0.65", "Your yes speaks of", f"/models/{MODEL}/versions/1/evidence"):
        assert said in page
    assert asked.requester in page


def break_the_glass(story: Story, request: TransitionRequest) -> None:
    of_stage = {Stage.STAGING.value: StageRule(need=2, roles=("approvers",))}
    rules = policy(roles={"approvers": ("dora",), "oncall": ("ben",)}, stages=of_stage, break_glass=BreakGlassRule(("oncall",)))
    with story.world.state.write() as tx:
        tx.put(POLICIES, policy_record(policy=rules))
    break_glass(story.world, BEN, WHY, MODEL)
    story.pass_time(seconds=5)
    approve_request(story.world, request.id, BEN, "It burns.")


def test_a_yes_under_break_glass_says_so_wherever_it_is_shown(empty: Story, client: Client, asked: TransitionRequest) -> None:
    break_the_glass(empty, asked)
    for path in PAGES:
        assert f"Alone, under break-glass: “{WHY}”" in client.get(path).text, path
    assert f"ben: yes (“It burns.”), alone, under break-glass: {WHY}" in write_card(empty.world, MODEL, 1)


def test_a_yes_by_the_rules_says_nothing_of_glass(empty: Story, client: Client, asked: TransitionRequest) -> None:
    approve_request(empty.world, asked.id, BEN)
    for path in PAGES:
        page = client.get(path).text
        assert "ben approved" in page
        assert "break-glass" not in page
    assert "break-glass" not in write_card(empty.world, MODEL, 1)


def test_an_open_glass_is_seen_until_it_ends_also_by_a_page_that_stays_open(
    empty: Story, client: Client, asked: TransitionRequest
) -> None:
    break_the_glass(empty, asked)
    shown = ("/", "/requests", PAGES[0])
    for path in shown:
        page = client.get(path).text
        assert "ben may let versions of" in page, path
        assert WHY in page
    tag = re.search(r"seen=([^\"]+)\"", client.get("/").text)
    assert tag is not None
    assert client.get(f"/fragments/models?page=1&seen={tag[1]}").status == 204
    empty.pass_time(hours=2)
    assert client.get(f"/fragments/models?page=1&seen={tag[1]}").status == 200
    for path in shown:
        assert "ben may let versions of" not in client.get(path).text, path


def test_a_request_that_another_one_closed_says_by_which(empty: Story, client: Client, asked: TransitionRequest) -> None:
    other = request_transition(empty.world, MODEL, 1, Stage.STAGING, Actor("zoe"))
    approve_request(empty.world, other.id, BEN)
    for path in PAGES:
        assert f"approved with <code>{other.id}</code>" in client.get(path).text, path
    assert f"approved with {other.id}" in write_card(empty.world, MODEL, 1)
    assert asked.id != other.id


@pytest.mark.usefixtures("asked")
def test_only_what_the_policy_has_a_move_to_can_be_asked_for(empty: Story, client: Client) -> None:
    def offered(*edges: object) -> tuple[str, list[str]]:
        with empty.world.state.write() as tx:
            tx.put(POLICIES, policy_record(policy=policy(edges=edges, stages={})))
        page = client.get(PAGES[1]).text
        return page, re.findall(r"<option>(\w+)</option>", page)

    assert re.findall(r"<option>(\w+)</option>", client.get(PAGES[1]).text) == ["Staging", "Production", "Archived"]
    assert offered(edge(), edge(Stage.STAGING, Stage.PRODUCTION))[1] == ["Staging"]
    page, stages = offered(edge(Stage.STAGING, Stage.PRODUCTION))
    assert stages == []
    assert "The policy has no move from None" in page


def test_sentences_about_a_model_are_parted(reader: Client) -> None:
    assert re.search(r"Nothing is in Production yet\.\s+<a [^>]+>v1</a> is in Staging", reader.get("/models/taxi-out").text)


@pytest.mark.usefixtures("asked")
def test_gates_are_counted_as_they_stand_now(empty: Story, client: Client) -> None:
    """A waiver that ended is no pass, on a page that stays open too."""
    failed = gate_result(gate="fairness", rule="max_ratio 1.25", verdict=GateVerdict.FAIL)
    now = empty.clock.now()
    with empty.world.state.write() as tx:
        for one in tx.find(REQUESTS):
            tx.put(REQUESTS, replace(one, state=RequestState.CANCELLED))
        found = tx.get(VERSIONS, MODEL, 1)
        assert found is not None
        tx.put(VERSIONS, replace(found, gates=(*found.gates, failed)))
        tx.put(WAIVERS, waiver(model=MODEL, gate="fairness", granted_at=now, until=now + timedelta(days=1)))
    page = client.get("/").text
    assert "1 of 2 gates passed, 1 waived" in page
    assert "max_ratio 1.25: WAIVED" in client.get(PAGES[0]).text
    tag = re.search(r"seen=([^\"]+)\"", page)
    assert tag is not None
    empty.pass_time(days=2)
    later = client.get(f"/fragments/models?page=1&seen={tag[1]}")
    assert later.status == 200
    assert "1 of 2 gates passed</a>" in later.text
    assert "max_ratio 1.25: FAIL" in client.get(PAGES[0]).text
