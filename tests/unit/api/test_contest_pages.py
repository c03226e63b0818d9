"""A contest: on its page, in its sentence, and over REST."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.contests import ArmFigures, Contest, ContestArm, Goal
from lockgate.domain.models import Stage
from lockgate.domain.rollouts import JudgePolicy, Outcome, Phase, RampStep, Rollout, Strategy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.entrypoints.reading.contestants import contest_lines, shares_over_time
from lockgate.entrypoints.reading.live import live_models, trial_clause
from lockgate.entrypoints.reading.words import status_line
from lockgate.ports.state import JOURNAL, MODELS, ROLLOUTS, VERSIONS
from lockgate.testing import builders as a
from lockgate.testing.clock import START
from tests.samples.asgi import Client
from tests.samples.story import MODEL, Story

PAGE = "/rollouts/rollout-1"
SALES = Contest(contenders=(3,), goal=Goal(LabelEvent("true", 0.0), most=True))
ARMS = (
    ContestArm(1, "sha256:1", 0.5, ArmFigures(500, 500, 100, 10, 0.05, 0.2, 0.04)),
    ContestArm(2, "sha256:2", 0.3, ArmFigures(300, 300, 100, 20, 0.1, 0.3, 0.96)),
    ContestArm(3, "sha256:3", 0.2, ArmFigures(200, 200, 0, 0)),
)


def contest(**fields: Any) -> Rollout:
    own = {"phase": Phase.PROGRESSING, "strategy": Strategy.BANDIT, "steps": (), "step": 0, "judge": JudgePolicy(), "rows": 1}
    return a.rollout(**{**own, "unit": "request", "contest": SALES, "contestants": ARMS, **fields})


def keep(story: Story, rollout: Rollout) -> None:
    with story.world.state.write() as tx:
        tx.put(MODELS, a.registered_model(latest_version=3))
        for number in (1, 2, 3):
            tx.put(VERSIONS, a.version(number, stage=Stage.PRODUCTION if number == 1 else Stage.NONE))
        tx.put(ROLLOUTS, rollout)
        seen = a.observation(others=(a.arm_observation(),), weights=(0.5, 0.3, 0.2))
        tx.put(JOURNAL, a.journal_row(rollout=rollout.id, observations=(seen,), evidence={"beats/1/0": 2.0, "harm/1": 0.1}))


def test_the_page_of_a_version_says_that_it_is_in_a_rollout(client: Client, empty: Story) -> None:
    keep(empty, contest())
    for number in (2, 3):
        page = client.get(f"/models/{MODEL}/versions/{number}").text
        assert f'<a href="{PAGE}">In a rollout into Production</a>' in page
        assert "Versions 2 and 3 answer 50 % of requests" in page
    keep(empty, contest(phase=Phase.ABORTED))
    assert "In a rollout" not in client.get(f"/models/{MODEL}/versions/2").text


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (contest(), "Versions 2 and 3 answer 50 % of requests beside version 1; nobody has won yet."),
        (
            contest(phase=Phase.HOLDING),
            (
                "Versions 2 and 3 answer 50 % of requests beside version 1; nobody has won yet."
                " It is held: a person must resume, promote or abort it."
            ),
        ),
        (
            contest(phase=Phase.PREPARING, step=-1),
            "Versions 2 and 3 are being loaded by the workers; nobody meets them yet.",
        ),
        (
            contest(phase=Phase.PROMOTED, winner=3, outcome=Outcome(JudgeVerdict.WINNER, ("goal",))),
            "Version 3 serves production, in place of version 1. It won the contest.",
        ),
        (contest(phase=Phase.ABORTED, winner=1), "Version 1 won against its challengers and answers everybody."),
        (contest(phase=Phase.ABORTED), "The rollout of version 2 was aborted; version 1 answers everybody."),
    ],
)
def test_a_contest_in_a_sentence(given: Rollout, sentence: str) -> None:
    assert status_line(given, {}) == sentence


def test_each_arm_has_a_line() -> None:
    dropped = replace(ARMS[2], figures=replace(ARMS[2].figures, dropped=True))
    lines = {line.name: line.says for line in contest_lines(contest(contestants=(*ARMS[:2], dropped)))}
    assert lines["goal"] == "most true labels"
    assert lines["version 1 (champion)"].startswith("50 % now, goal 10 % (10 of 100), between 5 % and 20 %, best with 4 %")
    assert lines["version 3"] == "20 % now, dropped: it does harm; 200 requests"


def test_the_page_shows_every_arm(client: Client, empty: Story) -> None:
    keep(empty, contest())
    page = client.page(PAGE).text
    for said in ("Contest: most true labels", "50 %", "30 %", "96 %", "10 % to 30 %", "Chance of a false winner"):
        assert said in page
    assert "Chance of a false SAFE" not in page
    assert client.get(f"/fragments{PAGE}").status == 200


def test_shares_over_time_reach_until_now_or_the_end(client: Client, empty: Story) -> None:
    minutes = [START + timedelta(minutes=place) for place in range(4)]
    dealt = ((1.0, 0.0, 0.0), (0.5, 0.3, 0.2), (0.2, 0.7, 0.1))
    ramp = tuple(RampStep(0, place, 0.5, at, shares) for place, (at, shares) in enumerate(zip(minutes, dealt, strict=False)))
    running = contest(ramp=ramp)
    seconds = [at.timestamp() for at in minutes]
    assert shares_over_time(running, minutes[3]) == {
        "at": seconds,
        "version 1 (champion)": [1.0, 0.5, 0.2, 0.2],
        "version 2": [0.0, 0.3, 0.7, 0.7],
        "version 3": [0.0, 0.2, 0.1, 0.1],
    }
    ended = replace(running, ended_at=minutes[2])
    assert shares_over_time(ended, minutes[3])["at"] == [*seconds[:3], seconds[2]]
    assert shares_over_time(a.rollout(), minutes[3]) == {}
    keep(empty, running)
    page = client.page(PAGE).text
    assert "data-series='{" in page
    assert '"version 1 (champion)": [1.0, 0.5, 0.2, 0.2]' in page


def test_what_cannot_be_loaded_says_so_on_the_page_and_in_its_line(client: Client, empty: Story) -> None:
    gone = replace(ARMS[2], gone="worker 0: bad file", figures=replace(ARMS[2].figures, dropped=True))
    left = contest(contestants=(*ARMS[:2], gone))
    lines = {line.name: line.says for line in contest_lines(left)}
    assert lines["version 3"] == "20 % now, left: it cannot be loaded (worker 0: bad file); 200 requests"
    keep(empty, left)
    assert "cannot be loaded" in client.page(PAGE).text
    assert client.get(f"/api/v1{PAGE}").json["contestants"][2]["gone"] == "worker 0: bad file"


def test_a_page_says_which_labels_are_missing(client: Client, empty: Story) -> None:
    keep(empty, contest(unlabelled_since=START))
    page = client.page(PAGE).text
    assert "its answers wait for their labels; none has come since 2026-" in page
    assert "set a goal that needs none" in page


def test_rest_tells_the_arms(client: Client, empty: Story) -> None:
    keep(empty, contest())
    told = client.get(f"/api/v1{PAGE}").json
    assert [(one["version"], one["weight"], one["figures"]["best"]) for one in told["contestants"]] == [
        (1, 0.5, 0.04),
        (2, 0.3, 0.96),
        (3, 0.2, 0.0),
    ]
    assert told["winner"] is None


def test_the_first_page_names_all_challengers(client: Client, empty: Story) -> None:
    keep(empty, contest())
    with empty.world.state.read() as tx:
        live = live_models(tx, [contest().model])[contest().model]
    assert trial_clause(live) == "versions 2 and 3 at 50% (rollout-1)"
    assert client.page("/").status == 200
