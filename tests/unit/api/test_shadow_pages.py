"""A shadow: on its page, in its sentence, over REST, and on the first page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lockgate.boundary.histogram import bucket
from lockgate.boundary.routes import LabelEvent
from lockgate.domain.evidence import Pairs
from lockgate.domain.models import Stage
from lockgate.domain.rollouts import Agreement, JudgePolicy, Loss, Outcome, Phase, Rollout, Strategy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.entrypoints.reading.live import live_models, trial_clause
from lockgate.entrypoints.reading.words import status_line
from lockgate.ports.state import JOURNAL, MODELS, ROLLOUTS, VERSIONS
from lockgate.testing import builders as a
from lockgate.testing.clock import START
from tests.samples.asgi import Client
from tests.samples.story import Story

PAGE = "/rollouts/rollout-1"
POLICY = JudgePolicy(
    metrics=("agreement", "errors", "labels"), agreement=Agreement(0.95, threshold=0.25), label_event=LabelEvent("missed", 0.25)
)


def shadow(**fields: Any) -> Rollout:
    own = {"phase": Phase.PROGRESSING, "strategy": Strategy.SHADOW, "steps": (), "step": 0, "share": 0.5, "judge": POLICY}
    return a.rollout(**{**own, "unit": "request", "rows": 1, **fields})


def keep(story: Story, *rollouts: Rollout) -> None:
    seen = a.observation(
        canary=a.arm_observation(completed=200, failed=4, latency={bucket(0.03): 196}, labels=((1, 1), (2, 0), (3, 1), (4, 0))),
        baseline=a.arm_observation(completed=400, failed=1, latency={bucket(0.01): 399}, labels=((1, 0), (2, 1), (3, 0), (4, 0))),
        pairs=Pairs(190, 6, {bucket(0.001): 190, bucket(0.4): 6}),
    )
    evidence = {"harm/agreement": -1.0, "harm": -1.0, "safe/agreement@0": 4.0, "safe/errors@0": 0.5}
    with story.world.state.write() as tx:
        tx.put(MODELS, a.registered_model(latest_version=3))
        tx.put(VERSIONS, a.version(1, stage=Stage.PRODUCTION))
        for rollout in rollouts:
            tx.put(VERSIONS, a.version(rollout.version))
            tx.put(ROLLOUTS, rollout)
            tx.put(JOURNAL, a.journal_row(rollout=rollout.id, observations=(seen,), evidence=evidence, step=0))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (shadow(phase=Phase.PREPARING, step=-1), "Version 2 is being loaded by the workers; nobody meets it yet."),
        (
            shadow(),
            (
                "Version 2 is asked what version 1 is asked, about 50 % of requests; nobody gets its answers;"
                " safe on agreement, errors and labels not proven yet."
            ),
        ),
        (
            shadow(phase=Phase.PAUSED),
            (
                "Version 2 is asked what version 1 is asked, about 50 % of requests; nobody gets its answers;"
                " safe on agreement, errors and labels not proven yet."
                " It is paused: harm still ends it, a proof does not promote it."
            ),
        ),
        (
            shadow(phase=Phase.HOLDING),
            (
                "Version 2 is asked what version 1 is asked, about 50 % of requests, and held: the evidence does not suffice."
                " A person must resume, promote or abort it."
            ),
        ),
        (
            shadow(phase=Phase.ABORTED, ended_at=START, outcome=Outcome(JudgeVerdict.HARM, ("labels",))),
            "Version 2 would do harm on labels and is asked no more; nobody got its answers, and version 1 answers everybody.",
        ),
    ],
)
def test_a_sentence_says_where_it_stands(given: Rollout, sentence: str) -> None:
    assert status_line(given, {"safe/agreement": 4.0}) == sentence


def test_its_page_shows_pairs_and_both_sides(empty: Story, client: Client) -> None:
    keep(empty, shadow())
    page = client.page(PAGE).text
    for said in (
        "96.9 % of 196 pairs, at least 95 % asked",
        "p50 0.00102, p95 0.00102, p99 0.4",
        "shadow 2, champion 1",
        "shadow v2",
        "champion v1",
        "Latency is told and not judged",
        "50 % of requests",
        "more than 95 %, on the same side of 0.25",
        "200 requests asked",
    ):
        assert said in " ".join(page.split()), said
    assert "canary" not in page.replace("/static", "").replace('class="range canary"', "").replace('class="point canary"', "")


def keep_losses(story: Story) -> None:
    """Of user 2 the second pair counts no more, and one label was neither true nor false."""
    policy = replace(POLICY, metrics=("errors", "loss"), loss=Loss("brier", margin=0.02))
    pairs = Pairs(5, losses=((1, 0.3, 0.1), (2, 0.5, 0.1), (2, 1.0, 0.0)), left_out=1)
    keep(story, shadow(judge=policy))
    with story.world.state.write() as tx:
        tx.put(JOURNAL, a.journal_row(seq=0, observations=(a.observation(pairs=pairs),), evidence={"harm/loss": 1.0}, step=0))


def test_its_page_shows_mean_losses_with_the_interval_of_their_difference(empty: Story, client: Client) -> None:
    keep_losses(empty)
    page = " ".join(client.page(PAGE).text.split())
    for said in (
        "<dt>Brier loss</dt><dd>0.4000 against 0.1000, difference +0.3000 [-1.0000, +1.0000] of 2, less than +0.0200 asked;",
        "left out, because their labels have no such loss: 1",
        "its mean less than 0.02 above the champion’s",
        "requests with a label",
    ):
        assert said in page, said


def test_rest_tells_the_same_of_its_loss(empty: Story, client: Client) -> None:
    keep_losses(empty)
    told = client.get("/api/v1/rollouts/rollout-1").json
    assert told["judge"]["loss"] == {"of": "brier", "scale": 1.0, "margin": 0.02}
    figures = {"units": 2, "shadow": 0.4, "champion": 0.1, "low": -1.0, "high": 1.0, "left_out": 1}
    assert told["pairs"]["losses"] == pytest.approx(figures)


def test_its_end_is_told_without_exposure(empty: Story, client: Client) -> None:
    said = "The shadow would do harm: agreement 70.00 % (700 of 1000), at least 95.00 % asked."
    told = Outcome(JudgeVerdict.HARM, ("agreement",), said, requests=1000)
    keep(empty, shadow(phase=Phase.ABORTED, ended_at=START, outcome=told))
    page = client.page(PAGE).text
    assert said in page
    assert "nobody" in page


def test_rest_tells_of_pairs_and_of_other_rollouts_nothing(empty: Story, client: Client) -> None:
    keep(empty, shadow())
    told = client.get("/api/v1/rollouts/rollout-1").json
    assert (told["share"], told["judge"]["agreement"]["at_least"]) == (0.5, 0.95)
    assert {name: told["pairs"][name] for name in ("agreed", "disagreed", "only_shadow", "only_champion")} == {
        "agreed": 190,
        "disagreed": 6,
        "only_shadow": 2,
        "only_champion": 1,
    }
    assert told["pairs"]["losses"] is None
    assert told["pairs"]["differences"] == pytest.approx([0.001, 0.001, 0.4], rel=0.06)
    assert (told["arms"]["canary"]["failed"], told["arms"]["baseline"]["completed"]) == (4, 400)
    keep(empty, a.rollout())
    assert client.get("/api/v1/rollouts/rollout-1").json["pairs"] is None


def test_what_is_live_names_every_shadow(empty: Story, client: Client) -> None:
    first = shadow()
    second = replace(shadow(), id="rollout-2", version=3, started_at=START.replace(minute=5))
    keep(empty, second, first)
    with empty.world.state.read() as tx:
        live = live_models(tx, [a.MODEL])[a.MODEL]
    assert (live.shadows, live.on_trial, live.trial_share, live.share) == ((2, 3), 2, 0.0, 1.0)
    assert trial_clause(live) == "versions 2 and 3 as shadows"
    assert client.get("/api/v1/status").json["models"][0]["shadows"] == [2, 3]
    assert "1 more beside it" in client.page("/").text
    assert "is on trial</a> as a shadow, beside 3" in client.page(f"/models/{a.MODEL}").text
