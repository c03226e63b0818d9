"""A preview and a step that asks people: on the page, in its sentence, and over REST."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lockgate.domain.rollouts import Outcome, Phase, Rollout, Shown, StepApproval, Strategy
from lockgate.entrypoints.api.app import create_app
from lockgate.entrypoints.reading.words import approve_command, status_line
from lockgate.entrypoints.ui.pictures import flight
from lockgate.ports.state import MODELS, ROLLOUTS, VERSIONS
from lockgate.testing import builders as a
from lockgate.testing.clock import START
from tests.samples.asgi import TOKEN, Answer, Client
from tests.samples.story import Story

PAGE = "/rollouts/rollout-1"


def asking(*said: str, **fields: Any) -> Rollout:
    approvals = tuple(StepApproval(1, name, START, "<fine>") for name in said)
    own = {"phase": Phase.AWAITING, "step": 0, "steps": (0.05, 0.25), "yes": (0, 2), "approvals": approvals, "started_by": "dan"}
    return a.rollout(**{**own, **fields})


def green(**fields: Any) -> Rollout:
    own = {"phase": Phase.PREVIEW, "strategy": Strategy.BLUE_GREEN, "steps": (), "step": -1, "shown_at": START, "preview": 600.0}
    return a.rollout(**{**own, **fields})


def keep(story: Story, rollout: Rollout) -> None:
    with story.world.state.write() as tx:
        tx.put(MODELS, a.registered_model(latest_version=2))
        tx.put(VERSIONS, a.version(2, author="eve"))
        tx.put(ROLLOUTS, rollout)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            green(),
            (
                "Version 2 answers those who ask for it and nobody else; all are switched to it at 2026-01-05 09:10:00 UTC,"
                " or when a person says so."
            ),
        ),
        (
            green(preview=None),
            "Version 2 answers those who ask for it and nobody else; all are switched to it when a person says so.",
        ),
        (
            asking(),
            (
                "Version 2 takes 5 % of units and is proven there; 2 people must say yes to its step of 25 %."
                " The guard against harm goes on."
            ),
        ),
        (
            asking("ben"),
            (
                "Version 2 takes 5 % of units and is proven there; ben said yes to its step of 25 %, 1 more must."
                " The guard against harm goes on."
            ),
        ),
    ],
)
def test_the_sentence(given: Rollout, sentence: str) -> None:
    assert status_line(given, {}) == sentence


def test_the_command_is_bound_to_the_step_that_is_asked_for() -> None:
    assert approve_command(asking()) == "lockgate rollout approve rollout-1 --share 25%"


def states(rollout: Rollout) -> list[tuple[float, str, int]]:
    drawn = flight(rollout)
    assert drawn is not None
    return [(one.weight, one.state, one.needs) for one in drawn.chambers]


def test_blue_green_climbs_from_its_preview_to_everybody_at_once() -> None:
    preparing = green(phase=Phase.PREPARING, shown_at=None)
    assert states(preparing) == [(0.0, "ahead", 0), (1.0, "ahead", 0)]
    assert states(green()) == [(0.0, "here", 0), (1.0, "ahead", 0)]
    assert states(green(phase=Phase.PROMOTED)) == [(0.0, "passed", 0), (1.0, "here", 0)]
    assert states(green(phase=Phase.ABORTED)) == [(0.0, "refused", 0), (1.0, "ahead", 0)]
    assert states(replace(preparing, phase=Phase.ABORTED)) == [(0.0, "ahead", 0), (1.0, "ahead", 0)]


def test_the_picture_says_where_people_are_still_needed() -> None:
    assert states(asking("ben")) == [(0.05, "here", 0), (0.25, "ahead", 1), (1.0, "ahead", 0)]


def test_the_page_shows_how_to_meet_green_and_what_it_did(empty: Story, client: Client) -> None:
    keep(empty, green(shown=Shown(1200, {"error": 3, "timeout": 1})))
    text = client.page(PAGE).text
    for said in (
        "<code>x-lockgate-preview: green</code>",
        f"<code>/v2/models/{a.MODEL}/versions/2/infer</code>",
        "1\u202f200 <small>requests",
        "4 <small>error and timeout",
        "lockgate rollout promote rollout-1",
        "2026-01-05 09:10:00 UTC",
    ):
        assert said in text, said
    assert "judge:" not in text


def test_the_page_shows_who_said_yes_and_the_command_for_those_who_are_missing(empty: Story, client: Client) -> None:
    keep(empty, asking("ben"))
    text = client.page(PAGE).text
    assert "Who says yes to 25 %?" in text
    assert "“&lt;fine&gt;”" in text
    assert "1 person more: <code>lockgate rollout approve rollout-1 --share 25%</code>" in text
    assert "ahead, needs 1 yes" in text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (asking("ben"), asking("ben", "cleo")),
        (green(), green(shown=Shown(1))),
        (green(), green(preview=None, phase=Phase.PROMOTED)),
    ],
)
def test_a_page_that_is_open_follows(empty: Story, client: Client, before: Rollout, after: Rollout) -> None:
    keep(empty, before)
    seen = client.page(PAGE).text.partition("?seen=")[2].partition('"')[0]
    assert client.page(f"/fragments{PAGE}?seen={seen}").status == 204
    keep(empty, after)
    assert client.page(f"/fragments{PAGE}?seen={seen}").status == 200


def test_who_may_says_yes_over_rest_and_the_last_yes_begins_the_step(empty: Story, client: Client) -> None:
    keep(empty, asking())
    path = "/api/v1/rollouts/rollout-1/approve"
    assert client.post(path, actor="eve").status == 403
    other = client.post(path, {"share": 0.5}, actor="ben")
    assert (other.status, other.json["hint"]) == (409, "lockgate rollout approve rollout-1 --share 25%")
    first = client.post(path, {"comment": "looked at it", "share": 0.25}, actor="ben")
    assert (first.status, first.json["phase"]) == (200, "awaiting")
    assert [(one["by"], one["step"], one["comment"]) for one in first.json["approvals"]] == [("ben", 1, "looked at it")]
    assert client.post(path, actor="ben").status == 409
    assert client.post(path, actor="cleo").json["phase"] == "progressing"
    assert client.post(path, {"say": "yes"}, actor="cleo").status == 422


def test_rest_says_what_a_preview_is(empty: Story, client: Client) -> None:
    keep(empty, green(shown=Shown(2, {"error": 1})))
    told = client.get("/api/v1/rollouts/rollout-1").json
    assert (told["strategy"], told["phase"], told["preview"], told["shown"]) == (
        "blue-green",
        "preview",
        600.0,
        {"requests": 2, "failures": {"error": 1}},
    )
    assert told["shown_at"] == START.isoformat().replace("+00:00", "Z")


def test_the_end_of_a_rollout_by_a_person_says_how_long_the_last_worker_took(empty: Story, client: Client) -> None:
    killed = Outcome(None, detail="killed", enforced_at=START + timedelta(seconds=0.3))
    keep(empty, green(phase=Phase.ABORTED, ended_at=START, outcome=killed))
    assert "<dt>Last worker followed after</dt><dd>0.3 s</dd>" in client.page(PAGE).text


def test_workers_that_wait_for_a_table_are_answered_as_soon_as_a_person_has_changed_it(empty: Story) -> None:
    """Not at the next look for what other processes have changed, which is far away here."""
    keep(empty, green(preview=None))
    client = Client(create_app(empty.world, home=None, control_token=TOKEN, route_interval=60.0))

    async def both() -> tuple[Answer, Answer]:
        waiting = asyncio.create_task(
            client.call("GET", "/control/v1/routes?after=0.0&wait=50", b"", {"authorization": f"Bearer {TOKEN}"})
        )
        await asyncio.sleep(0.1)
        sent = {"content-type": "application/json", "x-lockgate-actor": "ben"}
        promoted = await client.call("POST", "/api/v1/rollouts/rollout-1/promote", b"{}", sent)
        return promoted, await asyncio.wait_for(waiting, 10)

    promoted, table = asyncio.run(both())
    assert (promoted.json["phase"], table.status) == ("promoted", 200)
